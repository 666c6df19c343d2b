"""Autoencoders: an encoder and a decoder, and for variational ones a likelihood, a prior and a divergence."""

from simulacra.autoencoders.adversarial import AAE, VAEGAN
from simulacra.autoencoders.anneal import Anneal
from simulacra.autoencoders.autoencoder import Autoencoder, CodeDensity
from simulacra.autoencoders.noise import Corruption
from simulacra.autoencoders.paired import PairedAutoencoder, PairedCodec
from simulacra.autoencoders.quantised import VQVAE, Codebook, CodePrior
from simulacra.autoencoders.terms import KL, MMD, Capacity, Divergence, TotalCorrelation, decompose
from simulacra.autoencoders.vae import VAE, LatentVariableModel

__all__ = [
    "AAE",
    "KL",
    "MMD",
    "VAE",
    "VAEGAN",
    "VQVAE",
    "Anneal",
    "Autoencoder",
    "Capacity",
    "CodeDensity",
    "CodePrior",
    "Codebook",
    "Corruption",
    "Divergence",
    "LatentVariableModel",
    "PairedAutoencoder",
    "PairedCodec",
    "TotalCorrelation",
    "decompose",
]
