"""What dividing weights by their spectral norm does to the gradients of the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.linalg import matrix_norm
from torch.optim import Adam

from simulacra.claims.claim import Claim, Result
from simulacra.claims.fitting import normals, score
from simulacra.claims.spectral_norms import MIYATO, PLANE, norm, redivided, settle, square
from simulacra.figures.curves import Curves, curves
from simulacra.gan import Wasserstein
from simulacra.networks import critic_for, spectrally_normalised
from simulacra.random import reseed

Array = np.ndarray
SAME, OTHERS = "difference from the gradient through the SVD", "change of other components"
ALONG = "|cosine| of gradient and weights"
FRESH, TAUGHT = (f"{when}: ln of the top component, with / without" for when in ("untrained", "trained"))


def gradients(critic: nn.Module, real: Tensor, fake: Tensor) -> list[Tensor]:
    """Those of the weights between hidden layers, before they are divided."""
    scores: Any = critic
    loss = Wasserstein().critic(score(scores, real), score(scores, fake)).mean()
    return list(torch.autograd.grad(loss, [layer.parametrizations.weight.original for layer in square(critic)]))


def components(found: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """u_j^T G v_k of gradients [layers, j, k], in the bases of the singular vectors of the weights."""
    turned = []
    for gradient, weight in zip(found, weights, strict=True):
        u, _, vh = torch.linalg.svd(weight)
        turned.append(u.T @ gradient @ vh.T)
    return torch.stack(turned)


def by_frobenius(weight: Tensor) -> Tensor:
    """The Frobenius norm, times the constant by which it is the spectral norm."""
    whole = matrix_norm(weight)
    return whole * (norm(weight) / whole).detach()


def pulled(critic: nn.Module, pair: Sequence[Tensor]) -> tuple[dict[str, float], dict[str, float], Mapping[str, Array]]:
    """What normalisation makes of gradients; the same of a Frobenius norm or a norm that is held; top components."""
    settle(critic)
    weights = [layer.parametrizations.weight.original.detach() for layer in square(critic)]
    own, through, held, other = (
        gradients(net, *pair)
        for net in (critic, *(redivided(critic, by) for by in (norm, lambda w: norm(w).detach(), by_frobenius)))
    )
    before, true = components(held, weights), components(through, weights)

    def measure(one: Sequence[Tensor], two: Sequence[Tensor]) -> dict[str, float]:
        first, second = components(one, weights), components(two, weights)
        moved = first - before
        moved[:, 0, 0] = 0
        cosines = [float((g * w).sum() / g.norm() / w.norm()) for g, w in zip(two, weights, strict=True)]
        return {
            SAME: float((first - true).norm() / true.norm()),
            OTHERS: float(moved.norm() / before.norm()),
            ALONG: max(map(abs, cosines)),
            TAUGHT: math.log(second[:, 0, 0].abs().sum() / before[:, 0, 0].abs().sum()),
        }

    diagonals = {
        name: x[0].diagonal().abs().numpy() for name, x in (("with", components(own, weights)), ("without", before))
    }
    return measure(own, own), measure(other, held), diagonals


def pulling(seed: int, steps: int = 150, fresh: int = 10) -> Result:
    """Critics of two normals; controls: divided by the Frobenius norm, and by a spectral norm that is held."""
    reseed(seed, "claims", "gradients under spectral norms")
    draw = normals(2.0, size=2)

    def start() -> nn.Module:
        return spectrally_normalised(critic_for(PLANE, hidden=(64,) * 3, offset=False).double())

    def pair() -> list[Tensor]:
        return [x.double() for x in draw(256)]

    begun = [pulled(start(), pair()) for _ in range(fresh)]
    critic: Any = start()
    optimizer = Adam(critic.parameters(), 1e-3)
    for _ in range(steps):
        real, fake = pair()
        optimizer.zero_grad()
        Wasserstein().critic(score(critic, real), score(critic, fake)).mean().backward()
        optimizer.step()
    values, control, diagonals = pulled(critic, pair())
    values[FRESH] = float(np.mean([own[TAUGHT] for own, _, _ in begun]))
    control[FRESH] = float(np.mean([other[TAUGHT] for _, other, _ in begun]))
    return Result(values, control, diagonals)


def draw_pulling(results: Sequence[Result]) -> Figure:
    panels = []
    for seed, r in enumerate(results[:2]):
        lines = {name: (np.arange(1, 11), held[:10].clip(1e-12)) for name, held in r.arrays.items()}
        panels.append(Curves(f"seed {seed}, trained", "k", "|u_k^T G v_k|", lines, log="y"))
    return curves(panels)


NONE, SMALLER = (-math.inf, 1e-9), (-math.inf, -0.1)
CLAIMS = (
    Claim(
        name="spectral-norm-holds-back-the-top-direction",
        statement="Under spectral normalisation the gradient penalises updates in the direction of the highest "
        "singular value, in each layer.",
        lecture="B:473",
        paper=MIYATO,
        experiment=pulling,
        bounds={SAME: NONE, OTHERS: NONE, ALONG: NONE, FRESH: SMALLER, TAUGHT: SMALLER},
        control="weights divided by their Frobenius norm; for cosine and top component, by a norm that is held.",
        budget="150 critic steps on 256 + 256 events, float64",
        figure=draw_pulling,
        seeds=8,
        fast=True,
        note="The gradient is (G - <G, W> u v^T) / sigma, with G that of the divided weights W: of its components "
        "u_j^T G v_k the first alone changes, by what leaves no component along W. That takes away the top component "
        "where it carries the loss, as in trained critics. In untrained ones, where it does not, it adds one.",
    ),
)  # fmt: skip
