"""What a critic tells the generator that it follows: its gradient beside that of the exact Wasserstein distance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity
from torch.optim import Adam

from simulacra.batch import Batch
from simulacra.claims.claim import Claim, Result
from simulacra.claims.fitting import fit, score, slope
from simulacra.claims.line import (
    HIDDEN,
    LINE,
    SPREAD,
    data,
    distance,
    fakes,
    flat,
    fresh,
    inputs,
    ordered,
    quantiles,
    step,
)
from simulacra.figures.curves import Curves, curves
from simulacra.gan import Duel, GradientPenalty, NonSaturating, Wasserstein
from simulacra.networks import Critic, critic_for
from simulacra.random import reseed

Array = np.ndarray
ROWS = 1024


class Kind(NamedTuple):
    """A critic: its steps for each step of the generator, its loss, its penalty, and whether labels are shuffled."""

    turns: int
    objective: Wasserstein | NonSaturating = Wasserstein()
    penalty: GradientPenalty | None = GradientPenalty(10.0)
    shuffled: bool = False

    def loss(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        if self.shuffled:
            real, fake = torch.cat([real, fake])[torch.randperm(len(real) + len(fake))].chunk(2)
        duel = Duel(Batch(real), {}, lambda noise, given: Batch(fake), critic)
        loss = self.objective.critic(duel.on_real.score, duel.on_fake.score).mean()
        return loss if self.penalty is None else loss + self.penalty.weight * self.penalty(duel).mean()


def cosine(made: Tensor, slopes: Tensor, real: Tensor) -> float:
    """Of what a loss and what W1 would do to events [n, 1]: slopes [n, 1] of the loss, and signs of the way to go."""
    behind = made.argsort(0).argsort(0)[:, 0]
    return cosine_similarity(slopes, (made - real.sort(0).values[behind]).sign(), 0).item()


def told(generator: nn.Module, critic: Critic, objective: Wasserstein | NonSaturating) -> tuple[float, float]:
    """The cosine of the critic's gradient by events, on 1,024 quantiles; and the norm of that by weights."""
    made = generator({"z": inputs(ROWS)})
    loss = objective.generator(None, score(critic, made)).mean()
    (slopes,) = torch.autograd.grad(loss, made, retain_graph=True)
    return cosine(made.detach(), slopes, quantiles(ROWS)), flat(loss, generator).norm().item()


def down(generator: nn.Module, steps: int, rate: float) -> Iterator[float]:
    """Steps of Adam down the exact W1, which is given before each, in standard deviations of the data."""
    optimizer = Adam(generator.parameters(), rate, betas=(0.5, 0.9))
    for _ in range(steps):
        w1 = distance(generator({"z": inputs(ROWS)}), quantiles(ROWS))
        yield w1.item() / SPREAD
        step(optimizer, generator, w1)


def follow(generator: nn.Module, kinds: Mapping[str, Kind], rounds: int, rows: int = 128) -> dict[str, Array]:
    """Critics that all follow a generator on its way down the exact W1: what would each have told it?

    Returns:
        `NAME cosine` [rounds], by events, and `NAME norm`, by weights, of each critic's gradient; and `W1`.
    """
    first = critic_for(LINE, offset=False, hidden=HIDDEN)
    critics = {name: deepcopy(first) for name in kinds}
    optimizers = {name: Adam(critic.parameters(), 2e-3, betas=(0.5, 0.9)) for name, critic in critics.items()}
    seen: dict[str, list[float]] = {"W1": []}
    for w1 in down(generator, rounds, 1e-3):
        seen["W1"].append(w1)
        for name, kind in kinds.items():
            for _ in range(kind.turns):
                step(optimizers[name], critics[name], kind.loss(critics[name], data(rows), fakes(generator, rows)))
            for key, value in zip(("cosine", "norm"), told(generator, critics[name], kind.objective), strict=True):
                seen.setdefault(f"{name} {key}", []).append(value)
    return {name: np.array(values) for name, values in seen.items()}


SIDES = {"both sides of 1": GradientPenalty(10.0), "above 1 only": GradientPenalty(10.0, one_sided=True)}
ABOVE = SIDES["above 1 only"]
FOLLOWERS = {
    "10 steps, both sides of 1": Kind(10),
    **{f"{n} steps, above 1 only": Kind(n, penalty=ABOVE) for n in (1, 5, 10, 25)},
    "5 steps, shuffled labels": Kind(5, penalty=ABOVE, shuffled=True),
}
FIRST, FIVE, LAST = (f"{n} steps, above 1 only" for n in (1, 5, 25))
SHUFFLED = "5 steps, shuffled labels"
FAR = {name: f"far from the data: cosine, {name}" for name in FOLLOWERS if name not in (FIRST, SHUFFLED)}
MORE = "far from the data: cosine, 25 steps - 1 step, above 1 only"
NEAR = {side: f"near the data: cosine, converged, slopes held on {side}" for side in SIDES}


def converging(seed: int, rounds: int = 60, approach: int = 15, steps: int = 1000) -> Result:
    """Critics of 1 to 25 steps beside one generator; then, where it is near the data and waits, critics at the end.

    Labels are shuffled in the control.
    """
    reseed(seed, "claims", "telling", "turns")
    generator = fresh()
    held = follow(generator, FOLLOWERS, rounds)
    mean = {name: float(held[f"{name} cosine"][rounds // 3 :].mean()) for name in FOLLOWERS}
    values = {FAR[name]: mean[name] for name in FAR} | {MORE: mean[LAST] - mean[FIRST]}
    held["approach"] = np.array(list(down(generator, approach, 2e-3)))
    x = torch.linspace(-3, 3, 241)[:, None]
    held["x"] = x[:, 0].numpy()

    def draw(n: int) -> tuple[Tensor, Tensor]:
        return data(n), fakes(generator, n)

    for side, penalty in SIDES.items():
        reseed(seed, "claims", "telling", "near")
        critic = fit(draw, steps, penalty=penalty, hidden=HIDDEN, rows=128).critic
        values[NEAR[side]] = told(generator, critic, Wasserstein())[0]
        held[side] = slope(critic, x)[:, 0].numpy()
    held["exact"] = np.sign(ordered(fakes(generator, 20_000), x) - ordered(data(20_000), x))
    return Result(values, {FAR[FIVE]: mean[SHUFFLED]}, held)


def draw_converging(results: Sequence[Result]) -> Figure:
    def mean(name: str) -> Array:
        return np.mean([r.arrays[name] for r in results], 0)

    at, held = np.arange(len(mean("W1"))), results[0].arrays
    ways = {name: (at, mean(f"{name} cosine")) for name in FOLLOWERS}
    near = {name: (held["x"], held[name]) for name in ("exact", *SIDES)}
    return curves(
        [
            Curves("", "step of the generator", "cosine with the gradient of W1", ways),
            Curves("near the data", "x", "slope of the critic", near, limits=(-2, 2)),
        ]
    )


LOSSES = {
    "Wasserstein": Kind(5),
    "Wasserstein, above 1 only": Kind(5, penalty=ABOVE),
    "non-saturating": Kind(5, NonSaturating(), None),
    "no constraint": Kind(5, Wasserstein(), None),
}
STEADY = "log2 of (sd / mean of the gradient's norm), Wasserstein / non-saturating"
MEANT = {side: f"cosine with the gradient of W1, slopes held on {side}" for side in SIDES}
GAIN = "cosine, with - without the constraint"


def steadying(seed: int, rounds: int = 60) -> Result:
    """Critics of two losses beside one generator; nothing bounds the slope in the control."""
    reseed(seed, "claims", "telling", "losses")
    held = follow(fresh(), LOSSES, rounds)
    norms = {name: held[f"{name} norm"] for name in LOSSES}
    spread = {name: math.log2(norm.std() / norm.mean()) for name, norm in norms.items()}
    mean = {name: float(held[f"{name} cosine"].mean()) for name in LOSSES}
    values = {
        STEADY: spread["Wasserstein"] - spread["non-saturating"],
        MEANT["both sides of 1"]: mean["Wasserstein"],
        MEANT["above 1 only"]: mean["Wasserstein, above 1 only"],
        GAIN: mean["Wasserstein"] - mean["no constraint"],
    }
    return Result(values, {STEADY: spread["no constraint"] - spread["non-saturating"]}, held)


def draw_steadying(results: Sequence[Result]) -> Figure:
    held = results[0].arrays
    at = np.arange(len(held["W1"]))
    norms = {name: (at, held[f"{name} norm"]) for name in LOSSES}
    cosines = {name: (at, held[f"{name} cosine"]) for name in LOSSES}
    return curves(
        [
            Curves("", "step of the generator", "norm of the gradient", norms, log="y"),
            Curves("", "step of the generator", "cosine with the gradient of W1", cosines),
        ]
    )


CLAIMS = (
    Claim(
        name="training-to-convergence-ensures-good-gradients",
        statement="Training the critic to convergence, usually by 5 to 10 iterations, ensures gradients of quality.",
        lecture="B:288-299",
        paper="Arjovsky, Chintala and Bottou 2017, arXiv 1701.07875; Gulrajani et al. 2017, arXiv 1704.00028",
        experiment=converging,
        bounds={**dict.fromkeys([*FAR.values(), *NEAR.values()], (0.8, math.inf)), MORE: (0.0, math.inf)},
        control="5 steps on shuffled labels.",
        budget="60 generator steps, beside each 56 critic steps on 128 + 128 events; then 2,000 critic steps",
        figure=draw_converging,
        seeds=5,
        note="Cosines by events, with the signs of where W1 moves each. Far is the last 40 of 60 steps of a generator "
        "that goes down the exact W1; near is where it waits after 15 larger steps, for critics of 1,000. The side of "
        "the penalty matters more than steps: on both sides of 1, as in the lecture, slopes keep the sign that they "
        "began with. Above 1 only, more steps are better, and near the data it takes hundreds, not 10.",
    ),
    Claim(
        name="critic-gives-steady-gradients",
        statement="The Lipschitz constraint of the critic ensures meaningful and stable gradients.",
        lecture="B:283-284",
        paper="Arjovsky, Chintala and Bottou 2017, arXiv 1701.07875",
        experiment=steadying,
        bounds={STEADY: (-math.inf, 0.0), **dict.fromkeys(MEANT.values(), (0.8, math.inf)), GAIN: (0.0, math.inf)},
        control="a critic without a constraint.",
        budget="60 generator steps, beside each 20 critic steps on 128 + 128 events",
        figure=draw_steadying,
        seeds=8,
        note="Cosines by events, all critics beside one generator that goes down the exact W1. The gradient is "
        "steadier, since its slope is held; but held on both sides of 1 it often has the wrong sign. Without a "
        "constraint its direction is right, and its length runs away.",
    ),
)  # fmt: skip
