"""The bound of variational autoencoders and the gap that it leaves, where both are known exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.fft import dct
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, kl_divergence

from simulacra.autoencoders import VAE
from simulacra.batch import Batch, DataSpec, Field, Given
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.claims.shortcuts import digits
from simulacra.classical.pca import PCA
from simulacra.distributions import Gaussian, StandardNormalPrior, kl
from simulacra.distributions.priors import diagonal
from simulacra.figures.curves import Curves, curves
from simulacra.networks import LatentEncoder
from simulacra.networks.dense import DenseGenerator
from simulacra.recipes._autoencoders import by_bound
from simulacra.testing import Unchanged
from simulacra.training.game import Experiment

Array = np.ndarray
PIXELS = 64
ROWS = DataSpec("pixels", "vector", Field((PIXELS,)))


class Flat(nn.Module):
    """Events as rows of numbers: the body of a linear encoder."""

    def forward(self, x: Tensor, given: Given = {}) -> Tensor:
        return x.flatten(1)


def linear(x: Tensor, latent: int, rounds: int, seed: int, sigma: float | None = None, lr: float = 1e-2) -> VAE:
    """A VAE with a linear encoder and decoder after so many rounds on rows x [N, 64], in double precision."""

    def build(spec: DataSpec) -> Experiment:
        encoder, decoder = LatentEncoder(Flat(), PIXELS, latent), DenseGenerator((PIXELS,), latent, hidden=())
        model = VAE(encoder, decoder, Gaussian(sigma), StandardNormalPrior(latent))
        return by_bound(model, Unchanged(), lr=lr, batch=256, rounds=rounds)  # pyright: ignore[reportArgumentType]

    model = learn(build, ROWS, Batch(x), seed, "linear").model
    assert isinstance(model, VAE)
    return model.double()


def pixels() -> Tensor:
    """The digits' pixels about their means, [1797, 64], in units in which they vary by 1 each on average."""
    x = digits().flatten(1)
    return (x - x.mean(0)) / (x - x.mean(0)).square().mean().sqrt()


class Pieces(NamedTuple):
    """The two sides of `log p(x) = ELBO + KL(q | posterior)` of each event, [N] nats; `turned` is KL(posterior | q)."""

    evidence: Tensor
    bound: Tensor
    gap: Tensor
    turned: Tensor


@torch.no_grad()
def pieces(model: VAE, x: Tensor, encoded: Any = None) -> Pieces:
    """Of a linear VAE, in closed form but for the bound.

    That is the model's own, at the points mu +- sqrt(d) sigma_j e_j, which give the mean of any quadratic exactly.
    """
    decoder: Any = model.decoder
    weight, offset = decoder.net.layers[0].weight, decoder.net.layers[0].bias
    variance, d = model.likelihood.sigma.square(), weight.shape[1]
    inner = weight.T @ weight + variance * torch.eye(d, dtype=weight.dtype)
    exact = MultivariateNormal((x - offset) @ weight @ inner.inverse(), variance * inner.inverse())
    spread = weight @ weight.T + variance * torch.eye(len(weight), dtype=weight.dtype)
    q = encoded or model.encode(Batch(x))
    points = [q.mean + sign * math.sqrt(d) * q.stddev * unit for unit in torch.eye(d).to(x) for sign in (1, -1)]
    seen = torch.stack([model.decode(z).log_prob(x) for z in points]).mean(0)
    wide = MultivariateNormal(q.mean, torch.diag_embed(q.variance))
    return Pieces(
        MultivariateNormal(offset, spread).log_prob(x),
        seen - kl(q, model.prior(), q.mean),
        kl_divergence(wide, exact),
        kl_divergence(exact, wide),
    )


IDENTITY, GAP = "|log p - ELBO - KL(q, posterior)|, nats", "log p - ELBO at the end, nats"
BEHIND, PLANE = "log p behind that of PPCA, nats", "smallest cosine with the principal plane"


def adding(seed: int, rounds: int = 4000, latent: int = 8, looks: int = 4) -> Result:
    """A linear VAE on digits at several lengths of training; in the control its codes are turned, or it is new."""
    x = pixels()
    exact = PCA(ROWS, latent)
    exact.solve(exact.collect(Batch(x)))
    ceiling, x = float(exact.log_prob(Batch(x)).mean()), x.double()
    lengths = [round(rounds * k / (looks - 1)) for k in range(looks)]
    models = [linear(x.float(), latent, n, seed) for n in lengths]
    found = [pieces(model, x) for model in models]

    def cosine(model: VAE) -> float:
        weight = torch.linalg.qr(model.decoder.net.layers[0].weight.detach())[0]  # type: ignore[union-attr]
        return float(torch.linalg.svdvals(weight.T @ exact.basis).min())

    turned = turn(models[-1])
    both = pieces(turned, x, best(turned, x))
    values = {
        IDENTITY: max(float((p.evidence - p.bound - p.gap).abs().max()) for p in found),
        GAP: float((found[-1].evidence - found[-1].bound).mean()),
        BEHIND: ceiling - float(found[-1].evidence.mean()),
        PLANE: cosine(models[-1]),
    }
    control = {
        IDENTITY: max(float((p.evidence - p.bound - p.turned).abs().max()) for p in found),
        GAP: float((both.evidence - both.bound).mean()),
        BEHIND: ceiling - float(found[0].evidence.mean()),
        PLANE: cosine(models[0]),
    }
    arrays = {name: np.array([float(getattr(p, name).mean()) for p in found]) for name in ("evidence", "bound")}
    return Result(values, control, {**arrays, "rounds": np.array(lengths), "PPCA": np.array(ceiling)})


def turn(model: VAE) -> VAE:
    """The same density of events, with codes turned by an orthogonal matrix that mixes all of them."""
    other = deepcopy(model)
    weight: Any = other.decoder.net.layers[0].weight  # type: ignore[union-attr]
    with torch.no_grad():
        weight.copy_(weight @ torch.from_numpy(np.asarray(dct(np.eye(weight.shape[1]), norm="ortho"))).to(weight))
    return other


def best(model: VAE, x: Tensor) -> Any:
    """The best independent Gaussians for the codes of a linear VAE: the posterior's means and diagonal precisions."""
    layer: Any = model.decoder.net.layers[0]  # type: ignore[union-attr]
    variance = model.likelihood.sigma.square()
    inner = (layer.weight.T @ layer.weight + variance * torch.eye(layer.weight.shape[1]).to(x)).detach()
    mean = ((x - layer.bias) @ layer.weight @ inner.inverse()).detach()
    return diagonal(mean, (variance / inner.diagonal()).sqrt().detach().expand_as(mean))


def draw_adding(results: Sequence[Result]) -> Figure:
    rounds = results[0].arrays["rounds"][1:]
    mean = {name: np.mean([r.arrays[name][1:] for r in results], 0) for name in ("evidence", "bound")}
    lines = {"log p(x)": (rounds, mean["evidence"]), "ELBO": (rounds, mean["bound"])}
    level = {"PPCA": float(results[0].arrays["PPCA"])}
    return curves([Curves("a linear VAE of digits", "rounds", "nats per digit", lines, marks=lines, at=level)], width=5)


CLAIMS = (
    Claim(
        name="evidence-is-the-bound-and-a-gap",
        statement="The logarithm of p(x) is the evidence lower bound and KL(q(z | x), p(z | x)), never negative.",
        lecture="D:187-199",
        paper="Kingma and Welling 2014, arXiv 1312.6114; Lucas et al. 2019, arXiv 1911.02469",
        experiment=adding,
        bounds={
            IDENTITY: (-math.inf, 1e-5),
            GAP: (-math.inf, 0.05),
            BEHIND: (-math.inf, 0.05),
            PLANE: (0.99, math.inf),
        },
        control="KL(posterior, q); codes turned, with the best q; a new VAE for the last two.",
        budget="4,000 rounds of a linear VAE of 8 codes on digits of 8 x 8 pixels",
        figure=draw_adding,
        seeds=6,
        fast=True,
        note="Exact where decoder and encoder are linear: at the best decoder, that of probabilistic PCA, independent "
        "codes are the posterior, and the bound is log p. Its columns are then principal axes: the same density with "
        "codes turned has correlated posteriors, and a gap.",
    ),
)  # fmt: skip
