"""From events to latents: a distribution over z for every x, and the body of a critic of pairs (x, z)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal, constraints
from torch.nn.functional import softplus

from simulacra.batch import Given


class PointMass(Distribution):
    """All probability in one point: draws, mean and mode are `value` [B, D]; it has no density.

    Example:
        >>> sure = PointMass(torch.tensor([[1.0, 2.0]]))
        >>> torch.equal(sure.rsample(), sure.mean), sure.variance
        (True, tensor([[0., 0.]]))
    """

    has_rsample = True

    def __init__(self, value: Tensor) -> None:
        self.value = value
        super().__init__(value.shape[:-1], value.shape[-1:], validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        return {"value": constraints.real_vector}

    @property
    def support(self) -> constraints.Constraint:
        return constraints.real_vector

    @property
    def mean(self) -> Tensor:
        return self.value

    @property
    def mode(self) -> Tensor:
        return self.value

    @property
    def variance(self) -> Tensor:
        return torch.zeros_like(self.value)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.value.expand(*sample_shape, *self.value.shape)


class LatentEncoder(nn.Module):
    """An encoder q(z | x): N(mu(x), sigma(x)^2) with a width for each number, or a point mass at mu(x).

    Shapes: (x [B, *event], given) -> a distribution over [latent] for each event; `rsample()` is [B, latent] and has a
    gradient, as z = mu + sigma e with e ~ N(0, 1) has.

    Args:
        body: (x, given) -> features [B, F].
        features: F.
        latent: numbers in z.
        deterministic: whether sigma is zero.

    Source: Dumoulin et al. (2017), arXiv 1606.00704; deterministic: Donahue et al. (2017), arXiv 1605.09782.
    """

    def __init__(self, body: nn.Module, features: int, latent: int, deterministic: bool = False) -> None:
        super().__init__()
        self.body = body
        self.numbers = nn.Linear(features, latent if deterministic else 2 * latent)
        self.deterministic = deterministic

    def forward(self, x: Tensor, given: Given = {}) -> Distribution:
        numbers = self.numbers(self.body(x, given))
        if self.deterministic:
            return PointMass(numbers)
        mean, width = numbers.chunk(2, 1)
        return Independent(Normal(mean, softplus(width) + 1e-4, validate_args=False), 1, validate_args=False)


class PairBody(nn.Module):
    """What a critic of pairs looks at: x through a body, z = `given["z"]` through a layer, then both together.

    Shapes: (x [B, *event], given with z [B, latent]) -> features [B, width].

    Args:
        body: (x, given) -> features [B, F].
        features: F.
        latent: numbers in z.
        width: of the layer of z and of the two common ones.
        dropout: share of numbers that are left out before each common layer, in training.

    Source: Dumoulin et al. (2017), arXiv 1606.00704.
    """

    def __init__(self, body: nn.Module, features: int, latent: int, width: int = 256, dropout: float = 0.0) -> None:
        super().__init__()
        self.body, self.features = body, width
        self.code = nn.Sequential(nn.Linear(latent, width), nn.LeakyReLU(0.2))
        layers: list[nn.Module] = []
        for inputs in (features + width, width):
            layers += [nn.Dropout(dropout), nn.Linear(inputs, width), nn.LeakyReLU(0.2)]
        self.both = nn.Sequential(*layers)

    def forward(self, x: Tensor, given: Given) -> Tensor:
        return self.both(torch.cat([self.body(x, given), self.code(given["z"])], 1))
