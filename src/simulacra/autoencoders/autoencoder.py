"""The plain autoencoder, and the density of its codes from which it is sampled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from simulacra.autoencoders.noise import Corruption
from simulacra.batch import Batch, Given, Noise
from simulacra.training.game import Loss


class CodeDensity(nn.Module):
    """The density of codes: a Gaussian or a mixture of them, fitted by stepwise expectation maximisation.

    The sums of every batch (events, codes, their products, by component) join a running average with the step
    `max(t^-0.6, forget)`, from which weights, means and covariances follow; the first batch is shared out by the
    nearest of K of its own codes, far from each other. Until then the density is N(0, 1).

    Args:
        size: numbers in a code.
        components: 1 for a Gaussian.
        full: whether codes may be correlated, else their covariance is diagonal.
        forget: smallest step.

    Source: Cappé and Moulines (2009), arXiv:0712.4273.
    """

    events: Tensor
    mean: Tensor
    root: Tensor
    turns: Tensor
    first: Tensor
    second: Tensor

    def __init__(self, size: int, components: int = 1, full: bool = True, forget: float = 0.02) -> None:
        super().__init__()
        self.size, self.full, self.forget = size, full, forget
        eye = torch.eye(size).repeat(components, 1, 1)
        self.register_buffer("turns", torch.zeros(()))
        self.register_buffer("events", torch.full((components,), 1 / components))
        self.register_buffer("first", torch.zeros(components, size))
        self.register_buffer("second", torch.zeros(components, size, size))
        self.register_buffer("mean", torch.zeros(components, size))
        self.register_buffer("root", eye)

    def shares(self, z: Tensor) -> Tensor:
        """How far each code belongs to each component, [B, K]."""
        if self.turns == 0:
            centres = z[torch.randint(len(z), (1,))]
            while len(centres) < len(self.mean):
                farthest = torch.cdist(z, centres).amin(1).argmax()
                centres = torch.cat([centres, z[farthest][None]])
            return nn.functional.one_hot(torch.cdist(z, centres).argmin(1), len(self.mean)).to(z)
        away = torch.linalg.solve_triangular(self.root, (z[:, None] - self.mean)[..., None], upper=False)[..., 0]
        scale = self.root.diagonal(dim1=1, dim2=2).log().sum(1)
        return (self.events.clamp(min=1e-12).log() - scale - 0.5 * away.square().sum(2)).softmax(1)

    def sums(self, z: Tensor, weight: Tensor) -> dict[str, Tensor]:
        """Events, codes and their products by component, of one batch."""
        share = self.shares(z) * weight[:, None]
        return {"events": share.sum(0), "first": share.T @ z, "second": torch.einsum("bk,bi,bj->kij", share, z, z)}

    def solve(self, sums: Mapping[str, Tensor]) -> Loss:
        """Joins the sums to the running average and sets the density."""
        self.turns += 1
        step = max(float(self.turns) ** -0.6, self.forget)
        total = sums["events"].sum().clamp(min=1e-12)
        for name, value in sums.items():
            own = getattr(self, name)
            own.lerp_((value / total).to(own), step)
        heavy = self.events.clamp(min=1e-6)
        self.mean.copy_(self.first / heavy[:, None])
        spread = self.second / heavy[:, None, None] - self.mean[:, :, None] * self.mean[:, None]
        if not self.full:
            spread = torch.diag_embed(spread.diagonal(dim1=1, dim2=2))
        values, vectors = torch.linalg.eigh(spread.double())
        floor = 1e-4 * values.amax().clamp(min=1e-6)
        square = (vectors * values.clamp(min=floor)[:, None]) @ vectors.mT
        self.root.copy_(torch.linalg.cholesky(square))
        return Loss({}, {"deviation": spread.diagonal(dim1=1, dim2=2).mean().clamp(min=0).sqrt()})

    def forward(self, component: Tensor, normal: Tensor) -> Tensor:
        """Codes of uniform numbers [n] that choose a component, and of standard normals [n, size]."""
        edges = (self.events / self.events.sum()).cumsum(0)
        k = torch.searchsorted(edges, component.clamp(max=1 - 1e-6)).clamp(max=len(edges) - 1)
        return self.mean[k] + (self.root[k] @ normal[..., None])[..., 0]


class Autoencoder(nn.Module):
    """An autoencoder: an encoder f and a decoder g with `g(f(x)) ~ x`, trained by `sum_v (x_v - g(f(x))_v)^2`.

    It is not a generative model by itself: codes of new events come from a density fitted to the codes of the data, of
    which nothing says that it is simple. With a corruption it is a denoising autoencoder, `g(f(noisy x)) ~ x`, which
    under the squared error learns the mean `E[x | noisy x]` (the un-squared norm of some lectures: the geometric
    median).

    Args:
        encoder: (x, given) -> a point mass over z [B, latent], or another distribution, of which a code is drawn.
        decoder: ({"z": z}, given) -> x [B, *event].
        density: of the codes: (uniform numbers [n], normal ones [n, latent]) -> codes.
        corruption: what is done to events before they are encoded, in training only.
        divergence: of the codes of a batch from the density, added to the loss.
        pieces: name and number of the classes that have a piece of the density each: class k of K is where the uniform
            number lies between k / K and (k + 1) / K.

    Source: Hinton and Salakhutdinov (2006); Vincent et al. (2008).
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        density: nn.Module,
        corruption: Corruption | None = None,
        divergence: Callable[[Batch, Tensor], Tensor] | None = None,
        pieces: tuple[str, int] | None = None,
    ) -> None:
        super().__init__()
        self.nets = nn.ModuleDict({"encoder": encoder, "decoder": decoder})
        self.density: Any = density
        self.corruption, self.divergence, self.pieces = corruption, divergence, pieces

    def encode(self, batch: Batch) -> Distribution:
        """The codes of encoded events."""
        return self.nets["encoder"](batch.x, batch.given)

    def decode(self, z: Tensor, given: Given = {}) -> Tensor:
        return self.nets["decoder"]({"z": z}, given)

    def seen(self, batch: Batch) -> Batch:
        """What the encoder is shown in training."""
        return batch if self.corruption is None else batch.with_x(self.corruption(batch.x))

    def loss(self, batch: Batch) -> Loss:
        """The squared error summed over the numbers of an event; watches its mean over numbers."""
        z = self.encode(self.seen(batch)).rsample()
        error = (self.decode(z, batch.given) - batch.x).flatten(1).square()
        parts = {"error": batch.mean(error.sum(1))}
        if self.divergence is not None:
            parts["divergence"] = self.divergence(batch, z)
        return Loss(parts, {"mse": batch.mean(error.mean(1)).detach()})

    def collect(self, batch: Batch) -> Mapping[str, Tensor]:
        """What the density of codes needs of a batch."""
        z = self.encode(batch).rsample()
        return self.density.sums(z, torch.ones_like(z[:, 0]) if batch.weight is None else batch.weight.to(z))

    @torch.no_grad()
    def reconstruct(self, batch: Batch) -> Batch:
        """g(f(x)), in the mode in which the networks are: denoises what is noisy."""
        return batch.with_x(self.decode(self.encode(batch).mean, batch.given))

    def noise(self, n: int) -> Noise:
        """`z` [n, latent] standard normal, and `component` [n] uniform."""
        z = torch.randn(n, self.density.size, device=next(self.nets.parameters()).device)
        return {"z": z, "component": torch.rand(n, device=z.device)}

    def codes(self, noise: Noise, given: Given = {}) -> Tensor:
        """What the density makes of noise, [n, latent]; of the class's piece of it where there are pieces."""
        component = noise["component"]
        if self.pieces is not None and self.pieces[0] in given:
            component = (given[self.pieces[0]].flatten() + component) / self.pieces[1]
        return self.density(component, noise["z"])

    def push(self, noise: Noise, given: Given = {}) -> Batch:
        """The event at the code that the density makes of noise."""
        return Batch(self.decode(self.codes(noise, given), given), given)

    @torch.no_grad()
    def sample(self, n: int, given: Given = {}) -> Batch:
        """n new events in evaluation mode; `given` is encoded and has n rows."""
        training = self.training
        self.eval()
        try:
            return self.push(self.noise(n), given)
        finally:
            self.train(training)
