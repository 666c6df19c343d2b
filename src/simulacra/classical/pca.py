"""Principal component analysis, as the linear model with Gaussian codes that it is."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from simulacra.batch import Batch, DataSpec, Given, Noise
from simulacra.classical.components import FLOOR, REAL
from simulacra.training.game import Loss


class PCA(nn.Module):
    """Principal component analysis with a density: `x = m + W z + s e`, `z ~ N(0, 1)` in K dimensions, `e ~ N(0, 1)`.

    The maximum likelihood has a closed form: with eigenvalues l_1 >= l_2 >= ... and eigenvectors v_j of the
    covariance, s^2 is the mean of the D - K smallest, and the columns of W are `sqrt(l_j - s^2) v_j`. Codes given an
    event are independent, `z_j ~ N(sqrt(l_j - s^2) / l_j v_j'(x - m), s^2 / l_j)`; as s goes to 0 they are the
    principal components, each in units of its deviation. No eigenvalue is below `FLOOR`.

    Args:
        spec: encoded; its conditions are left aside.
        components: K, at most D.

    Attributes:
        basis: v [D, K]; values: l [K]; noise_variance: s^2.

    Source: Pearson (1901); Tipping and Bishop (1999), J. R. Stat. Soc. B 61, 611.

    Example:
        >>> from simulacra.batch import Field
        >>> torch.manual_seed(0) and None
        >>> model = PCA(DataSpec("plane", "vector", Field((3,))), 2)
        >>> x = torch.randn(5000, 3) * torch.tensor([5.0, 3.0, 0.1])
        >>> _ = model.solve(model.collect(Batch(x)))
        >>> model.values.sqrt().round(decimals=1).tolist()
        [5.0, 3.0]
    """

    mean: Tensor
    basis: Tensor
    values: Tensor
    noise_variance: Tensor

    def __init__(self, spec: DataSpec, components: int = 64) -> None:
        super().__init__()
        self.shape, size = spec.x.shape, spec.x.size
        self.register_buffer("mean", torch.zeros(size, dtype=REAL))
        self.register_buffer("basis", torch.eye(size, min(components, size), dtype=REAL))
        self.register_buffer("values", torch.ones(min(components, size), dtype=REAL))
        self.register_buffer("noise_variance", torch.ones((), dtype=REAL))

    def collect(self, batch: Batch) -> dict[str, Tensor]:
        """Events, `sum x` and `sum x x'`."""
        x = batch.x.flatten(1).to(REAL)
        weight = torch.ones_like(x[:, 0]) if batch.weight is None else batch.weight.to(REAL)
        return {"events": weight.sum(), "first": weight @ x, "second": (weight[:, None] * x).T @ x}

    def solve(self, sums: Mapping[str, Tensor]) -> Loss:
        """The closed form; watches the share of the variance that the components leave."""
        mean = sums["first"] / sums["events"]
        values, vectors = torch.linalg.eigh(sums["second"] / sums["events"] - mean[:, None] * mean)
        values, vectors = values.flip(0).clamp(min=FLOOR), vectors.flip(1)
        k = len(self.values)
        self.mean.copy_(mean)
        # An eigenvector's sign is arbitrary: its largest entry is made positive.
        sign = vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()
        self.basis.copy_((vectors * sign)[:, :k])
        self.values.copy_(values[:k])
        self.noise_variance.copy_(values[k:].mean() if k < len(values) else values.new_tensor(FLOOR))
        return Loss({}, {"unexplained": values[k:].sum() / values.sum(), "events": sums["events"]})

    def _stretch(self) -> Tensor:
        """The lengths of the columns of W."""
        return (self.values - self.noise_variance).clamp(min=0).sqrt()

    def log_prob(self, batch: Batch) -> Tensor:
        """`log N(x; m, W W' + s^2)` in nats, [B]."""
        away = batch.x.flatten(1).to(REAL) - self.mean
        inside = away @ self.basis
        outside = (away.square().sum(1) - inside.square().sum(1)).clamp(min=0)
        rest = len(self.mean) - len(self.values)
        square = (inside.square() / self.values).sum(1) + outside / self.noise_variance
        scale = self.values.log().sum() + rest * self.noise_variance.log()
        return -0.5 * (square + scale + len(self.mean) * math.log(2 * math.pi))

    def encode(self, batch: Batch) -> Independent:
        """The posterior p(z | x), exact."""
        inside = (batch.x.flatten(1).to(REAL) - self.mean) @ self.basis
        width = (self.noise_variance / self.values).sqrt().expand_as(inside)
        return Independent(Normal(inside * self._stretch() / self.values, width, validate_args=False), 1)

    def decode(self, z: Tensor, given: Given = {}) -> Tensor:
        """`m + W z`; [B, K] -> [B, *event]."""
        return (self.mean + (z.to(REAL) * self._stretch()) @ self.basis.T).to(torch.float32).view(-1, *self.shape)

    def reconstruct(self, batch: Batch) -> Batch:
        """The nearest point on the principal plane, `m + V V'(x - m)`: the best of all linear autoencoders."""
        inside = (batch.x.flatten(1).to(REAL) - self.mean) @ self.basis
        return batch.with_x((self.mean + inside @ self.basis.T).to(batch.x).view(-1, *self.shape))

    def noise(self, n: int) -> Noise:
        """`z` [n, K] of the codes, and `e` [n, D] of the numbers."""
        place = self.mean.device
        return {"z": torch.randn(n, len(self.values), device=place), "e": torch.randn(n, len(self.mean), device=place)}

    def push(self, noise: Noise, given: Given = {}) -> Batch:
        """The events that noise becomes."""
        blur = self.noise_variance.sqrt().to(noise["e"]) * noise["e"]
        return Batch(self.decode(noise["z"], given) + blur.view(-1, *self.shape), given)

    @torch.no_grad()
    def sample(self, n: int, given: Given = {}) -> Batch:
        """n events."""
        return self.push(self.noise(n), given)
