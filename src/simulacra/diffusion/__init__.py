"""Diffusion models and flow matching: learn to denoise, then follow the noise back."""

from simulacra.diffusion.diffusion import (
    DeterministicChain,
    DeterministicDiffusion,
    Diffusion,
    DiffusionChain,
    FlowDiffusion,
    ScoreDiffusion,
)
from simulacra.diffusion.paths import EDM, Chain, Straight, VarianceExploding, VariancePreserving
from simulacra.diffusion.samplers import Ancestral, Langevin, ProbabilityFlow

__all__ = [
    "EDM",
    "Ancestral",
    "Chain",
    "DeterministicChain",
    "DeterministicDiffusion",
    "Diffusion",
    "DiffusionChain",
    "FlowDiffusion",
    "Langevin",
    "ProbabilityFlow",
    "ScoreDiffusion",
    "Straight",
    "VarianceExploding",
    "VariancePreserving",
]
