"""A Gaussian on principal components, whose mean follows the conditions."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from simulacra.batch import Batch, DataSpec, Given
from simulacra.networks.conditioning import Conditions
from simulacra.networks.shower import Layers
from simulacra.training.game import Loss

REAL = torch.float64


class PCAGaussian(nn.Module):
    """`x = m + B z + s n` with `z ~ N(W phi(given), S)` on K principal components B and `n ~ N(0, 1)` on every number.

    phi holds 1, the conditions (classes one-hot) and, for degree 2, their squares; W is fitted by least squares and S
    is the covariance of what it leaves. s_v^2 is the variance that the components leave in number v, so that each
    number keeps its variance. With K = V it is the Gaussian of the data's mean and covariance. Showers have their
    negative shares cut and each layer's shares made to sum to one: only there is it no Gaussian.

    Args:
        spec: encoded.
        components: K, at most.
        degree: of the mean in the conditions, 1 or 2.

    Source: Tipping & Bishop 1999 (probabilistic principal components), with noise of its own for each number.
    """

    mean: Tensor
    basis: Tensor
    slope: Tensor
    root: Tensor
    noise: Tensor

    def __init__(self, spec: DataSpec, components: int = 64, degree: int = 2) -> None:
        super().__init__()
        self.shape, self.degree = spec.x.shape, degree
        self.conditions = Conditions(spec.given)
        self.layers = Layers(spec.parts) if spec.layout == "layers" else None
        numbers, k = spec.x.size, min(components, spec.x.size)
        features = 1 + degree * self.conditions.size
        for name, shape in {
            "mean": (numbers,),
            "basis": (numbers, k),
            "slope": (features, k),
            "root": (k, k),
            "noise": (numbers,),
        }.items():
            self.register_buffer(name, torch.zeros(shape))

    def begin(self, batch: Batch) -> None:
        """Finds mean and principal components of a first batch (Halko et al. 2011, arXiv 0909.4061)."""
        x = batch.x.flatten(1)
        self.mean.copy_(batch.mean(x.to(REAL)))
        weight = torch.ones_like(x[:, 0]) if batch.weight is None else batch.weight
        k = min(self.basis.shape[1], len(x))
        _, _, found = torch.svd_lowrank((x - self.mean) * weight.clamp(min=0).sqrt()[:, None], k, niter=4)
        self.basis.zero_()
        self.basis[:, :k] = found

    def _features(self, n: int, given: Given) -> Tensor:
        one = torch.ones(n, 1, device=self.mean.device)
        if not self.conditions.size:
            return one
        told = self.conditions(given).to(one)
        return torch.cat([one, *(told**power for power in range(1, self.degree + 1))], 1)

    def collect(self, batch: Batch) -> dict[str, Tensor]:
        """Sums over events of the products that least squares and the covariance need."""
        x = batch.x.flatten(1) - self.mean
        z, phi = x @ self.basis, self._features(len(x), batch.given).to(REAL)
        left = (x - z @ self.basis.T).square().to(REAL)
        z = z.to(REAL)
        weight = (torch.ones(len(x), device=x.device) if batch.weight is None else batch.weight).to(REAL)
        heavy = weight[:, None]
        return {
            "events": weight.sum(),
            "features": phi.T @ (heavy * phi),
            "mixed": phi.T @ (heavy * z),
            "components": z.T @ (heavy * z),
            "left": (heavy * left).sum(0),
        }

    def solve(self, sums: Mapping[str, Tensor]) -> Loss:
        """Least squares for the mean; the covariance of what is left."""
        slope = torch.linalg.pinv(sums["features"], hermitian=True) @ sums["mixed"]
        covariance = (sums["components"] - slope.T @ sums["features"] @ slope) / sums["events"]
        values, vectors = torch.linalg.eigh(covariance)
        noise = sums["left"] / sums["events"]
        self.slope.copy_(slope)
        self.root.copy_((vectors * values.clamp(min=0).sqrt()) @ vectors.T)
        self.noise.copy_(noise.sqrt())
        total = noise.sum() + sums["components"].diagonal().sum() / sums["events"]
        return Loss({"unexplained": noise.sum() / total.clamp(min=1e-30)}, {"events": sums["events"]})

    @torch.no_grad()
    def sample(self, n: int, given: Given = {}) -> Batch:
        """n events."""
        place = self.mean.device
        z = self._features(n, given) @ self.slope + torch.randn(n, len(self.root), device=place) @ self.root
        x = self.mean + z @ self.basis.T + self.noise * torch.randn(n, len(self.mean), device=place)
        if self.layers is not None:
            codes, cells = x[:, : self.layers.codes], x[:, self.layers.codes :]
            x = torch.cat([codes, self.layers.shares(cells.clamp(min=0))], 1)
        return Batch(x.view(n, *self.shape), given)
