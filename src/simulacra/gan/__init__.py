"""Generative adversarial networks: objectives, penalties and the game of generator and critic."""

from simulacra.gan.clipping import WeightClipping
from simulacra.gan.constrainer import Constrainer, SameError
from simulacra.gan.duel import Duel, Verdict
from simulacra.gan.gan import GAN
from simulacra.gan.latent import Latent, StandardNormal, UniformCube
from simulacra.gan.objectives import (
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    Objective,
    Relativistic,
    Wasserstein,
)
from simulacra.gan.penalties import R1, GradientPenalty
from simulacra.gan.pushforward import Pushforward
from simulacra.gan.terms import Term

__all__ = [
    "GAN",
    "R1",
    "Constrainer",
    "Duel",
    "GradientPenalty",
    "Hinge",
    "Latent",
    "LeastSquares",
    "Minimax",
    "NonSaturating",
    "Objective",
    "Pushforward",
    "Relativistic",
    "SameError",
    "StandardNormal",
    "Term",
    "UniformCube",
    "Verdict",
    "Wasserstein",
    "WeightClipping",
]
