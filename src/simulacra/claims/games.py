"""Two players who follow their gradients: V = xy, and a discriminator that should keep up."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure

from simulacra.claims.claim import Claim, Result
from simulacra.figures.curves import Curves, curves
from simulacra.figures.games import phase_portraits
from simulacra.gan.objectives import Minimax
from simulacra.networks.mlp import MLP
from simulacra.random import reseed

Array = np.ndarray


def play(rule: str, start: Array, rate: float, steps: int) -> Array:
    """Positions [steps + 1, 2] of x, who wants V = xy small, and y, who wants it large.

    Rules: `simultaneous`; `alternating`, where y answers the new x; `extragradient`, with the gradients found one step
    ahead; `historical`, where each player is pulled to the average of its past; `together`, where both want V small.

    Source: Korpelevich 1976 for extragradient, Salimans et al. 2016 (arXiv 1606.03498) for historical averaging.
    """
    x, y = start
    mean_x, mean_y = x, y
    out = [(x, y)]
    for step in range(1, steps + 1):
        if rule == "simultaneous":
            x, y = x - rate * y, y + rate * x
        elif rule == "alternating":
            x = x - rate * y
            y = y + rate * x
        elif rule == "extragradient":
            x, y = x - rate * (y + rate * x), y + rate * (x - rate * y)
        elif rule == "historical":
            x, y = x - rate * (y + x - mean_x), y + rate * (x - y + mean_y)
        else:
            x, y = x - rate * y, y - rate * x
        mean_x, mean_y = mean_x + (x - mean_x) / (step + 1), mean_y + (y - mean_y) / (step + 1)
        out.append((x, y))
    return np.array(out)


def radius(points: Array) -> Array:
    return np.hypot(points[..., 0], points[..., 1])


def begin(seed: int) -> Array:
    """A start on the unit circle."""
    angle = np.random.default_rng(seed).uniform(0, 2 * math.pi)
    return np.array([math.cos(angle), math.sin(angle)])


def diverging(seed: int, rate: float = 0.1, steps: int = 1000) -> Result:
    """Simultaneous and alternating play; the control is extragradient."""
    start = begin(seed)
    paths = {rule: play(rule, start, rate, steps) for rule in ("simultaneous", "alternating", "extragradient")}
    last = {rule: float(radius(path[-100:]).min()) for rule, path in paths.items()}
    grown = {rule: float(radius(path[-1])) / (1 + rate**2) ** (steps / 2) for rule, path in paths.items()}
    names = [
        "simultaneous, distance / (1 + rate²)^(n/2)",
        "simultaneous, distance at the end",
        "alternating, distance at the end",
    ]
    return Result(
        dict(zip(names, (grown["simultaneous"], last["simultaneous"], last["alternating"]), strict=True)),
        dict(zip(names, (grown["extragradient"], last["extragradient"], last["extragradient"]), strict=True)),
        {rule: path[:400] for rule, path in paths.items()},
    )


def averaging(seed: int, rate: float = 0.1, steps: int = 5000) -> Result:
    """Averages of iterates, and averages in the loss; the control looks at the last iterate instead."""
    start = begin(seed)
    paths = {rule: play(rule, start, rate, steps) for rule in ("simultaneous", "alternating", "historical")}
    last = {rule: float(radius(path[-1])) for rule, path in paths.items()}
    mean = {rule: float(radius(path.mean(0))) for rule, path in paths.items()}
    names = ["average of alternating play", "average of simultaneous play", "historical averaging, last position"]
    return Result(
        dict(zip(names, (mean["alternating"], mean["simultaneous"], last["historical"]), strict=True)),
        dict(zip(names, (last["alternating"], last["simultaneous"], last["simultaneous"]), strict=True)),
        {rule: path[:1500] for rule, path in paths.items()},
    )


def draw_paths(results: Sequence[Result]) -> Figure:
    return phase_portraits(results[0].arrays)


TABLE = np.array([[1, 1, -1, 1], [-1, 1, -1, -1], [-1, -1, 1, -1], [1, -1, 1, 1]])
"""The lecture's states 1 to 4: signs of x, y, of the change of x, and of the change of y."""


def states(seed: int, rate: float = 0.01, turns: int = 10) -> Result:
    """Signs and turns of alternating play against the lecture's table; in the control both players want V small."""
    draw = np.random.default_rng(seed)
    corners = TABLE[np.repeat(np.arange(4), 50), :2] * draw.uniform(0.1, 2, (200, 2))
    steps = round(turns * 2 * math.pi / rate)
    found, paths = {}, {}
    for rule in ("alternating", "together"):
        change = np.array([play(rule, corner, 1e-6, 1)[1] - corner for corner in corners])
        path = play(rule, begin(seed), rate, steps)
        angle = np.unwrap(np.arctan2(path[:, 1], path[:, 0]))
        found[rule] = {
            "share of right signs": float(np.mean(np.sign(change) == np.repeat(TABLE[:, 2:], 50, axis=0))),
            "turns in 20 π / rate steps": float((angle[-1] - angle[0]) / (2 * math.pi)),
        }
        paths[rule] = path[: steps // turns]
    return Result(found["alternating"], found["together"], paths)


def chase(k: int, late: int = 0, rounds: int = 100, rows: int = 64) -> tuple[Array, float]:
    """A discriminator that takes k steps while the generator N(m, 1) takes one; the data are N(0, 1).

    Args:
        late: rounds by which the fakes that it sees are out of date.

    Returns:
        E |D - p/(p + q)| after each round's steps, and its mean without the first 20 rounds.
    """
    network = MLP(1, 1, hidden=(32, 32))
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    errors = []
    for step in range(rounds):
        seen, mean = (2 * math.cos(2 * math.pi * when / 60) for when in (step - late, step))
        for _ in range(k):
            optimizer.zero_grad()
            Minimax().critic(network(torch.randn(rows, 1)), network(seen + torch.randn(rows, 1))).mean().backward()
            optimizer.step()
        with torch.no_grad():
            x = torch.cat([torch.randn(2000, 1), mean + torch.randn(2000, 1)])
            best = torch.sigmoid(mean**2 / 2 - mean * x)  # log p/q
            errors.append((torch.sigmoid(network(x)) - best).abs().mean().item())
    return np.array(errors), float(np.mean(errors[20:]))


def keeping_up(seed: int) -> Result:
    """1, 4 and 16 discriminator steps for each generator step; the control sees old fakes."""
    reseed(seed, "k-steps")
    found = {k: chase(k) for k in (1, 4, 16)}
    late = chase(16, late=15)
    name = ["error at k = 4 / at k = 1", "error at k = 16 / at k = 1"]
    one = found[1][1]
    return Result(
        {name[0]: found[4][1] / one, name[1]: found[16][1] / one},
        {name[1]: late[1] / one},
        {**{f"k = {k}": v[0] for k, v in found.items()}, "k = 16, old fakes": late[0]},
    )


def draw_keeping_up(results: Sequence[Result]) -> Figure:
    held = results[0].arrays
    lines = {name: (np.arange(len(v)), v) for name, v in held.items()}
    return curves([Curves("", "round", "E |D - D*|", lines, log="y", limits=(2e-3, 5))], width=4.6, height=3.0)


PAPER = "Salimans et al. 2016, arXiv 1606.03498"
CLAIMS = (
    Claim(
        name="gradient-play-does-not-converge",
        statement="Gradient descent was not made to find the Nash equilibrium, and might not converge to it at all.",
        lecture="D:431-443, C:712",
        paper=f"{PAPER}; Goodfellow 2016, arXiv 1701.00160",
        experiment=diverging,
        bounds={
            "simultaneous, distance / (1 + rate²)^(n/2)": (1 - 1e-9, 1 + 1e-9),
            "simultaneous, distance at the end": (2.0, math.inf),
            "alternating, distance at the end": (0.5, math.inf),
        },
        control="extragradient, which reaches the equilibrium of V = xy.",
        budget="1,000 steps of each rule, rate 0.1, from distance 1",
        figure=draw_paths,
        fast=True,
        note="Simultaneous steps spiral outwards, alternating ones circle for ever.",
    ),
    Claim(
        name="averaging-finds-the-equilibrium",
        statement="Players who circle the equilibrium of V = xy find it by averaging.",
        lecture="D:415-443",
        paper=PAPER,
        experiment=averaging,
        bounds={
            "average of alternating play": (-math.inf, 0.1),
            "average of simultaneous play": (-math.inf, 0.1),
            "historical averaging, last position": (-math.inf, 0.1),
        },
        control="the last position of the same play, without averaging.",
        budget="5,000 steps of each rule, rate 0.1, from distance 1",
        figure=draw_paths,
        fast=True,
        note="The average of alternating iterates converges, and so does historical averaging, a penalty in the "
        "loss; the average of simultaneous iterates runs away with them.",
    ),
    Claim(
        name="five-states",
        statement="Players of V = xy run through four states and come back to the first.",
        lecture="D:436-443",
        paper="Goodfellow 2016, arXiv 1701.00160",
        experiment=states,
        bounds={"share of right signs": (1.0, 1.0), "turns in 20 π / rate steps": (9.9, 10.1)},
        control="both players want V small.",
        budget="6,283 steps, rate 0.01",
        figure=draw_paths,
        fast=True,
    ),
    Claim(
        name="k-steps",
        statement="For each step of the generator, k steps keep the discriminator near its optimum.",
        lecture="C:664",
        paper="Goodfellow et al. 2014, arXiv 1406.2661",
        experiment=keeping_up,
        bounds={"error at k = 4 / at k = 1": (-math.inf, 0.75), "error at k = 16 / at k = 1": (-math.inf, 0.5)},
        control="16 steps on fakes of 15 rounds before.",
        budget="100 rounds of 1, 4 and 16 steps on 64 + 64 events",
        figure=draw_keeping_up,
        fast=True,
    ),
)  # fmt: skip
