"""What networks are read as: likelihoods p(x | z), priors p(z), and the divergence between two distributions."""

from simulacra.distributions.categorical import Categorical, CategoricalEncoder, CategoricalPrior
from simulacra.distributions.likelihoods import Bernoulli, Gaussian, Pixels
from simulacra.distributions.mixtures import MixtureDensityNetwork
from simulacra.distributions.priors import ConditionalPrior, MixturePrior, Prior, StandardNormalPrior, VampPrior, kl

__all__ = [
    "Bernoulli",
    "Categorical",
    "CategoricalEncoder",
    "CategoricalPrior",
    "ConditionalPrior",
    "Gaussian",
    "MixtureDensityNetwork",
    "MixturePrior",
    "Pixels",
    "Prior",
    "StandardNormalPrior",
    "VampPrior",
    "kl",
]
