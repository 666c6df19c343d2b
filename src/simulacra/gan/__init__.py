"""Generative adversarial networks: objectives, penalties and the game of generator and critic."""

from simulacra.gan.ali import ALI, Bidirectional
from simulacra.gan.auxiliary import AuxiliaryClassifier
from simulacra.gan.averaging_term import HistoricalAveraging
from simulacra.gan.clipping import WeightClipping
from simulacra.gan.codes import CategoricalCode, Chosen, Code, Coded, ContinuousCode, MutualInformation
from simulacra.gan.constrainer import Constrainer, SameError
from simulacra.gan.coupled import CoGAN, Coupled
from simulacra.gan.duel import Duel, Verdict
from simulacra.gan.energy import AutoencoderCritic, EnergyMargin, Equilibrium, PullingAway
from simulacra.gan.fdivergence import DIVERGENCES, FDivergence, Variational
from simulacra.gan.gan import GAN
from simulacra.gan.latent import Latent, StandardNormal, TruncatedNormal, UniformCube
from simulacra.gan.matching import FeatureMatching
from simulacra.gan.noise import Annealing, InstanceNoise
from simulacra.gan.objectives import (
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    Objective,
    Relativistic,
    Wasserstein,
)
from simulacra.gan.orthogonal import OrthogonalRegularisation
from simulacra.gan.penalties import DRAGAN, R1, R2, GradientPenalty
from simulacra.gan.pushforward import Pushforward
from simulacra.gan.pyramid import LAPGAN
from simulacra.gan.terms import Term
from simulacra.gan.unrolled import Unrolled

__all__ = [
    "ALI",
    "DIVERGENCES",
    "DRAGAN",
    "GAN",
    "LAPGAN",
    "R1",
    "R2",
    "Annealing",
    "AutoencoderCritic",
    "AuxiliaryClassifier",
    "Bidirectional",
    "CategoricalCode",
    "Chosen",
    "CoGAN",
    "Code",
    "Coded",
    "Constrainer",
    "ContinuousCode",
    "Coupled",
    "Duel",
    "EnergyMargin",
    "Equilibrium",
    "FDivergence",
    "FeatureMatching",
    "GradientPenalty",
    "Hinge",
    "HistoricalAveraging",
    "InstanceNoise",
    "Latent",
    "LeastSquares",
    "Minimax",
    "MutualInformation",
    "NonSaturating",
    "Objective",
    "OrthogonalRegularisation",
    "PullingAway",
    "Pushforward",
    "Relativistic",
    "SameError",
    "StandardNormal",
    "Term",
    "TruncatedNormal",
    "UniformCube",
    "Unrolled",
    "Variational",
    "Verdict",
    "Wasserstein",
    "WeightClipping",
]
