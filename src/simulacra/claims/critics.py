"""The critic of the Wasserstein distance: what bounds it, and what it shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.integrate import trapezoid
from scipy.stats import norm
from torch import Tensor

from simulacra.batch import Batch
from simulacra.claims.claim import Claim, Result
from simulacra.claims.fitting import fit, normals, score, slope
from simulacra.claims.runs import w1
from simulacra.domains.toys import TOYS
from simulacra.figures.critics import responses, surfaces, values
from simulacra.gan import GradientPenalty, NonSaturating, WeightClipping
from simulacra.networks import Critic
from simulacra.random import reseed

Array = np.ndarray


def soft(shift: float, weight: float) -> float:
    """What a penalty of this weight allows the critic of N(0, 1) and N(shift, 1): more than W1, the shift.

    On the line the critic wants the integral of f' (F - G) - weight r (f' - 1)^2 large, where r is the density of
    points on lines between real and fake events. Its best slope is f' = 1 + (F - G) / (2 weight r), and the value
    W1 + (1 / (2 weight)) times the integral of (F - G)^2 / r.

    >>> round(soft(2.0, 10.0), 3), round(soft(2.0, 1000.0), 3)
    (2.21, 2.002)
    """
    x = np.linspace(-8, shift + 8, 1601)
    share = (np.arange(200) + 0.5) / 200
    r = norm.pdf(x, shift * share[:, None], np.hypot(share, 1 - share)[:, None]).mean(0)
    excess = (norm.cdf(x) - norm.cdf(x, shift)) ** 2 / r
    return shift + float(trapezoid(excess, x)) / (2 * weight)


def unconstrained(seed: int, steps: int = 1500, shift: float = 2.0) -> Result:
    """Critics of two normals of the plane; the controls are clipped weights and a penalty that asks for slope 3."""
    reseed(seed, "critic-without-a-constraint")
    runs = {
        "without": fit(normals(shift, size=2), steps),
        "penalty": fit(normals(shift, size=2), steps, penalty=GradientPenalty(10.0)),
        "clipped": fit(normals(shift, size=2), steps, clip=0.1),
        "penalty for slope 3": fit(normals(shift, size=2), steps, penalty=GradientPenalty(10.0, target=3.0)),
    }
    half = steps // 2

    def measure(free: str, bound: str) -> dict[str, float]:
        growth = {k: runs[k].value / float(runs[k].values[half - steps // 10 : half].mean()) for k in (free, bound)}
        return {
            "without: value / W1": runs[free].value / shift,
            "without: value at the end / halfway": growth[free],
            "penalty: value / W1": runs[bound].value / shift,
            "penalty: value / what a soft penalty allows": runs[bound].value / soft(shift, 10.0),
            "penalty: value at the end / halfway": growth[bound],
        }

    control = measure("clipped", "penalty for slope 3")
    control.pop("penalty: value at the end / halfway")
    return Result(measure("without", "penalty"), control, {k: run.values / shift for k, run in runs.items()})


def draw_unconstrained(results: Sequence[Result]) -> Figure:
    return values([r.arrays for r in results])


def saturating(seed: int, steps: int = 1500, shift: float = 6.0) -> Result:
    """Discriminator and critic of two normals; the controls are normals that overlap, and a critic without a bound."""
    reseed(seed, "critic-is-linear")
    x = torch.linspace(-3, shift + 3, 241)[:, None]
    between = (x[:, 0] >= 0) & (x[:, 0] <= shift)
    fakes = shift + torch.randn(2000, 1)
    discriminator = fit(normals(shift), steps, objective=NonSaturating()).critic
    overlapping = fit(normals(1.0), steps, objective=NonSaturating()).critic
    critic = fit(normals(shift), steps, penalty=GradientPenalty(50.0, one_sided=True)).critic
    free = fit(normals(shift), steps).critic

    def of_critic(one: Critic) -> dict[str, float]:
        gap = slope(one, x[between]).abs()
        return {
            "critic: median slope on the fakes": float(slope(one, fakes).abs().median()),
            "critic: mean slope between the means": float(gap.mean()),
            "critic: spread of slopes between the means": float(gap.std() / gap.mean()),
        }

    name = "discriminator: median slope on the fakes"
    flat = float(slope(discriminator, fakes, torch.sigmoid).abs().median())
    steep = float(slope(overlapping, 1 + fakes - shift, torch.sigmoid).abs().median())
    control = {k: v for k, v in of_critic(free).items() if "spread" not in k}
    with torch.no_grad():
        arrays = {
            "x": x[:, 0].numpy(),
            "discriminator": torch.sigmoid(score(discriminator, x)).numpy(),
            "critic": (score(critic, x) - score(critic, x[between]).mean()).numpy(),
            "means": np.array([0.0, shift]),
        }
    return Result({name: flat, **of_critic(critic)}, {name: steep, **control}, arrays)


def draw_saturating(results: Sequence[Result]) -> Figure:
    return responses([r.arrays for r in results])


@cache
def bounded(seed: int, steps: int, width: int = 64) -> dict[str, Array]:
    """Critics of the swiss roll against itself with noise, clipped and with a penalty.

    Returns:
        By name of the critic: `weights` (those of matrices), `start` (before training, clipped), `slopes` on a grid
        and on events, `value`, `surface` on the grid; and `W1`, exact on 1,000 events.
    """
    reseed(seed, "clipping")
    roll, hidden = TOYS["swissroll"].sample(20_000, seed=seed), (width,) * 3

    def draw(n: int) -> tuple[Tensor, Tensor]:
        real = roll[torch.randint(len(roll), (n,))]
        return real, roll[torch.randint(len(roll), (n,))] + torch.randn(n, 2)

    real, fake = draw(1000)
    line = torch.linspace(-3, 3, 61)
    grid = torch.cartesian_prod(line, line)
    out = {"W1": np.array(w1(real.numpy(), fake.numpy())), "real": real.numpy()[:400], "line": line.numpy()}
    penalty = GradientPenalty(10.0)
    runs = {
        "clipped": fit(draw, steps, hidden=hidden, clip=0.1),
        "clipped at 0.01": fit(draw, steps, hidden=hidden, clip=0.01),
        "penalty": fit(draw, steps, hidden=hidden, penalty=penalty),
        "nothing to tell": fit(lambda n: (draw(n)[0], draw(n)[0]), steps // 5, hidden=hidden, penalty=penalty),
    }
    for name, (critic, _) in runs.items():
        near = torch.cat([grid, real, fake])
        with torch.no_grad():
            out[f"{name} value"] = (score(critic, real).mean() - score(critic, fake).mean()).numpy()
            out[f"{name} surface"] = score(critic, grid).reshape(len(line), -1).T.numpy()
        out[f"{name} slopes"] = slope(critic, near).norm(dim=1).numpy()
        out[f"{name} weights"] = _weights(critic)
    fresh = fit(draw, 0, hidden=hidden).critic
    WeightClipping(fresh, 0.1)(Batch(real), {})
    out["start weights"] = _weights(fresh)
    return out


def _weights(critic: Critic) -> Array:
    return torch.cat([p.detach().flatten() for p in critic.parameters() if p.dim() > 1]).numpy()


def piled(weights: Array) -> float:
    """The share of weights within 1 % of the largest."""
    return float(np.mean(np.abs(weights) >= 0.99 * np.abs(weights).max()))


def piling(seed: int, steps: int = 1500) -> Result:
    """Weights of both critics after training; the control is the clipped critic before it."""
    held = bounded(seed, steps)
    names = "clipping: share of weights at the limit", "penalty: share of weights at the largest"
    found = {k: piled(held[f"{k} weights"]) for k in ("clipped", "penalty", "start")}
    return Result(
        {names[0]: found["clipped"], names[1]: found["penalty"]},
        {names[0]: found["start"], names[1]: found["clipped"]},
        held,
    )


def constraining(seed: int, steps: int = 1500) -> Result:
    """By duality value / steepest slope <= W1: how much of W1 the critics reach; in the control both sides are real."""
    held = bounded(seed, steps)

    def reached(name: str) -> float:
        return float(held[f"{name} value"] / np.quantile(held[f"{name} slopes"], 0.99) / held["W1"])

    kinds = {"penalty": "penalty", "clipping at 0.1": "clipped", "clipping at 0.01": "clipped at 0.01"}
    values = {f"{name}: value / slope / W1": reached(kind) for name, kind in kinds.items()}
    return Result(values, {"penalty: value / slope / W1": reached("nothing to tell")}, held)


def draw_surfaces(results: Sequence[Result]) -> Figure:
    return surfaces(results[0].arrays)


WGAN = "Arjovsky, Chintala and Bottou 2017, arXiv 1701.07875"
WGAN_GP = "Gulrajani et al. 2017, arXiv 1704.00028"
CLAIMS = (
    Claim(
        name="critic-needs-a-lipschitz-constraint",
        statement="Without a Lipschitz constraint the critic does not converge; with a gradient penalty it gives W1.",
        lecture="B:258-264",
        paper=WGAN_GP,
        experiment=unconstrained,
        bounds={
            "without: value / W1": (10.0, math.inf),
            "without: value at the end / halfway": (1.5, math.inf),
            "penalty: value / W1": (0.8, 1.2),
            "penalty: value / what a soft penalty allows": (0.97, 1.03),
            "penalty: value at the end / halfway": (0.9, 1.1),
        },
        control="weights that are clipped do not let the value diverge, and a penalty for slope 3 does not give W1.",
        budget="1,500 critic steps on 256 + 256 events, four times",
        figure=draw_unconstrained,
        fast=True,
        note="A penalty is no constraint: the slope exceeds 1 by (F - G) / (2 λ r), where r is the density of points "
        "on the lines, and the value exceeds W1, here by 10 %, by as much as that predicts.",
    ),
    Claim(
        name="critic-is-linear-where-the-discriminator-saturates",
        statement="Between two Gaussians the discriminator saturates; the critic gives a clean gradient everywhere.",
        lecture="C:727",
        paper=WGAN,
        experiment=saturating,
        bounds={
            "discriminator: median slope on the fakes": (-math.inf, 1e-3),
            "critic: median slope on the fakes": (0.9, 1.1),
            "critic: mean slope between the means": (0.9, 1.1),
            "critic: spread of slopes between the means": (-math.inf, 0.1),
        },
        control="a discriminator of Gaussians that overlap, and a critic without a constraint.",
        budget="1,500 steps on 256 + 256 events, four times",
        figure=draw_saturating,
        fast=True,
        note="The penalty is one-sided here. On the line a two-sided one sometimes leaves the critic with slope -1 in "
        "places, which it would have to pass 0 to mend. A slope of 1 + shift / (2 λ) = 1.06 is expected.",
    ),
    Claim(
        name="clipping-drives-weights-to-the-limit",
        statement="Clipping drives the critic's weights to the limits, a gradient penalty does not.",
        lecture="B:773-815",
        paper=WGAN_GP,
        experiment=piling,
        bounds={
            "clipping: share of weights at the limit": (0.5, math.inf),
            "penalty: share of weights at the largest": (-math.inf, 0.05),
        },
        control="the clipped critic before training; for the penalty, the clipped critic.",
        budget="1,500 critic steps on 256 + 256 events each",
        figure=draw_surfaces,
        fast=True,
        note="A weight is at the limit within 1 % of the largest.",
    ),
    Claim(
        name="clipping-constrains-the-critic",
        statement="Weight clipping heavily constrains the critic; a gradient penalty allows a much more complex one.",
        lecture="B:764-770",
        paper=WGAN_GP,
        experiment=constraining,
        bounds={
            "penalty: value / slope / W1": (0.7, math.inf),
            "clipping at 0.1: value / slope / W1": (-math.inf, 0.5),
            "clipping at 0.01: value / slope / W1": (-math.inf, 0.5),
        },
        control="a critic with penalty to whom both sides are real.",
        budget="1,500 critic steps on 256 + 256 events each",
        figure=draw_surfaces,
        fast=True,
        note="By duality no function exceeds W1 once it is divided by its slope, here by the 99 % quantile on events "
        "and on a grid. The swiss roll against itself with noise: what clipping costs is clear, but not half of W1.",
    ),
)  # fmt: skip
