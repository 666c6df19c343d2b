"""Events as the image of noise: the half of a GAN that is sampled and exported."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from simulacra.batch import Batch, Given, Noise
from simulacra.gan.latent import Latent


class Pushforward(nn.Module):
    """`x = g(z, given)` with z drawn once: all randomness lies in the noise, the rest is deterministic.

    Args:
        generator: (noise, given) -> x [B, *event].
        latent: what the noise is; by name where the generator wants several, `z` where it wants one.
    """

    def __init__(self, generator: nn.Module, latent: Latent | Mapping[str, Latent]) -> None:
        super().__init__()
        self.generator = generator
        self.latent: dict[str, Latent] = dict(latent) if isinstance(latent, Mapping) else {"z": latent}

    def noise(self, n: int) -> Noise:
        """n draws of what the generator starts from, by name [n, size]."""
        device = next(self.generator.parameters()).device
        return {name: latent.draw(n, device) for name, latent in self.latent.items()}

    def project(self, noise: Noise) -> Noise:
        """The nearest latents that can be drawn: one-hot categories, numbers within their range."""
        return {name: self.latent[name].project(z) for name, z in noise.items()}

    def push(self, noise: Noise, given: Given = {}) -> Batch:
        """The events that `noise` becomes: deterministic and differentiable."""
        return Batch(self.generator(noise, given), given)

    @torch.no_grad()
    def sample(self, n: int, given: Given = {}) -> Batch:
        """n new events in evaluation mode; `given` is encoded and has n rows."""
        modes = [(module, module.training) for module in self.modules()]
        self.eval()
        try:
            return self.push(self.noise(n), given)
        finally:
            for module, training in modes:
                module.training = training
