"""Latent diffusion: an autoencoder makes codes, a diffusion model makes new ones."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from simulacra.autoencoders.vae import LatentVariableModel
from simulacra.batch import Batch, Field, Given, Noise
from simulacra.diffusion.diffusion import DeterministicDiffusion
from simulacra.networks.grid import GridDecoder, GridEncoder
from simulacra.training.game import Loss


class MapEncoder(nn.Module):
    """q(z | x) of code maps a quarter as wide and high as the picture: (x, given) -> a Gaussian over [size h w].

    Args:
        shape: of a picture, both sides multiples of 4.
        size: maps in a code.
        width: of the convolutions.

    Example:
        >>> MapEncoder((1, 8, 12), 3)(torch.zeros(5, 1, 8, 12)).mean.shape
        torch.Size([5, 18])
    """

    def __init__(self, shape: tuple[int, ...], size: int, width: int = 32) -> None:
        super().__init__()
        self.net = GridEncoder(shape[0], 2 * size, width)

    def forward(self, x: Tensor, given: Given = {}) -> Distribution:
        mean, log = self.net(x).mT.chunk(2, 1)
        spread = log.clamp(-30, 20).mul(0.5).exp()
        return Independent(Normal(mean.flatten(1), spread.flatten(1), validate_args=False), 1, validate_args=False)


class MapDecoder(nn.Module):
    """The way back from code maps: ({"z": [B, size h w]}, given) -> x [B, *shape] in (-1, 1); it is told nothing."""

    def __init__(self, shape: tuple[int, ...], size: int, width: int = 32) -> None:
        super().__init__()
        self.size, self.net = size, GridDecoder(shape, size, {}, width)

    def forward(self, noise: Noise, given: Given = {}) -> Tensor:
        return self.net(noise["z"].unflatten(1, (self.size, -1)).mT)


class CodeScale(nn.Module):
    """Mean and deviation of each code map over the data: `(z - mean) / deviation`, and back.

    Shapes [B, latent] <-> [B, *shape]; the first axis of `shape` is that of the maps. Where the codes never vary the
    deviation is 1.
    """

    total: Tensor
    first: Tensor
    second: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("total", torch.zeros((), dtype=torch.float64))
        self.register_buffer("first", torch.zeros(shape[0], dtype=torch.float64))
        self.register_buffer("second", torch.zeros(shape[0], dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(shape[0]))
        self.register_buffer("deviation", torch.ones(shape[0]))

    def sums(self, z: Tensor, weight: Tensor) -> dict[str, Tensor]:
        """Weight, weighted codes and their squares, map by map."""
        maps = z.view(len(z), self.shape[0], -1).double()
        weight = weight.to(maps)
        first, second = ((weight[:, None] * power.mean(2)).sum(0) for power in (maps, maps.square()))
        return {"total": weight.sum(), "first": first, "second": second}

    def solve(self, sums: Mapping[str, Tensor]) -> Loss:
        """Adds the sums to those of earlier batches, and sets mean and deviation."""
        for name, value in sums.items():
            own = getattr(self, name)
            own.add_(value.to(own))
        total = self.total.clamp(min=1e-12)
        mean = self.first / total
        spread = (self.second / total - mean.square()).clamp(min=0).sqrt()
        flat = spread <= 1e-6 * mean.abs() + 1e-12
        self.mean.copy_(mean)
        self.deviation.copy_(torch.where(flat, torch.ones_like(spread), spread))
        return Loss({}, {"deviation": self.deviation.mean()})

    def _beside(self, value: Tensor) -> Tensor:
        return value.view(-1, *[1] * (len(self.shape) - 1))

    def forward(self, z: Tensor) -> Tensor:
        return (z.view(-1, *self.shape) - self._beside(self.mean)) / self._beside(self.deviation)

    def back(self, code: Tensor) -> Tensor:
        return (code * self._beside(self.deviation) + self._beside(self.mean)).flatten(1)


class LatentDiffusion(nn.Module):
    """A latent diffusion model: `z` by a diffusion model, then the event by a decoder.

    Two stages, one after the other: the autoencoder is trained first and then frozen; its codes are scaled to unit
    variance, map by map; a diffusion model learns their distribution, and is told the conditions. Sampling is
    `x = decode(mean + deviation * diffuse(noise))`, a deterministic map of its noise. The autoencoder costs one call,
    the diffusion model `evaluations` of them on codes that are smaller than events.

    Args:
        autoencoder: encoder to a distribution over z [B, latent], and decoder.
        diffusion: of codes [B, *shape].
        scale: of the codes.

    Source: Rombach, Blattmann, Lorenz, Esser and Ommer (2022), arXiv:2112.10752.
    """

    def __init__(self, autoencoder: LatentVariableModel, diffusion: DeterministicDiffusion, scale: CodeScale) -> None:
        super().__init__()
        self.autoencoder, self.diffusion, self.scale = autoencoder, diffusion, scale

    @property
    def evaluations(self) -> int:
        """Calls of the diffusion's network for one sample."""
        return self.diffusion.evaluations

    def encode(self, batch: Batch) -> Distribution:
        """q(z | x) of encoded events, before scaling."""
        return self.autoencoder.encode(batch)

    @torch.no_grad()
    def reconstruct(self, batch: Batch) -> Batch:
        """What the codes keep of the events."""
        return self.autoencoder.reconstruct(batch)

    @torch.no_grad()
    def collect(self, batch: Batch) -> Mapping[str, Tensor]:
        """What the scale needs of a batch."""
        z = self.encode(batch).sample()
        return self.scale.sums(z, torch.ones_like(z[:, 0]) if batch.weight is None else batch.weight)

    def loss(self, batch: Batch) -> Loss:
        """The diffusion's loss on scaled codes, drawn from q(z | x); no gradient reaches the autoencoder."""
        with torch.no_grad():
            codes = self.scale(self.encode(batch).sample())
        return self.diffusion.loss(batch.with_x(codes))

    def noise(self, n: int) -> Noise:
        """The start of the diffusion: `z` [n, *shape]."""
        return self.diffusion.noise(n)

    def push(self, noise: Noise, given: Given = {}) -> Batch:
        """Diffusion, scale and decoder, with gradient."""
        z = self.scale.back(self.diffusion.push(noise, given).x)
        return Batch(self.autoencoder.decode(z, given).mean, given)

    @torch.no_grad()
    def sample(self, n: int, given: Given = {}) -> Batch:
        """n new events in evaluation mode; `given` is encoded and has n rows."""
        training = self.training
        self.eval()
        try:
            return self.push(self.noise(n), given)
        finally:
            self.train(training)


def code_field(shape: tuple[int, ...], latent: int, layout: str) -> tuple[str, Field]:
    """Layout and field of the codes of an event: maps a quarter as wide and high, or numbers.

    >>> code_field((1, 32, 32), 4, "image")[1].shape
    (4, 8, 8)
    """
    if layout == "image":
        return "image", Field((latent, shape[1] // 4, shape[2] // 4))
    return "vector", Field((latent,))
