"""Machines whose probability is known up to a constant: what Markov chains do in its place, against enumeration."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.figures.curves import Curves, curves
from simulacra.markov.annealing import annealed
from simulacra.markov.boltzmann import BoltzmannMachine, ising, ising_energy
from simulacra.markov.rbm import RBM, states
from simulacra.random import draws, reseed
from simulacra.recipes.boltzmann import boltzmann
from simulacra.recipes.rbm import rbm

Array = np.ndarray
SIDE = 4
"""Of all pictures: 65,536 states can be summed over."""
SPEC = DataSpec("pictures", "image", Field((1, SIDE, SIDE), range=(0.0, 1.0)))
TEMPERATURE = 2.5
"""Of the Ising model, in units of its coupling."""
STEPS = (1, 3, 10, 30, 100, 300)
TEMPERATURES = (1, 3, 10, 30, 100, 300)
BIAS, ANNEALED = (
    "gradient from chains of 300 steps: distance from the exact one / its length",
    "log Z from 300 temperatures: distance from the exact one / nats",
)


def every() -> Tensor:
    return states(SIDE * SIDE)


def gradient(model: Any, value: Tensor) -> Tensor:
    """Of a number, in all parameters."""
    return torch.cat([g.flatten() for g in torch.autograd.grad(value, list(model.parameters()))])


def contrasted(model: RBM, data: Tensor, steps: Sequence[int], chains: int) -> list[float]:
    """How far the mean gradient of CD-k lies from the exact one, in units of its length, for every k."""
    exact = gradient(model, model.free_energy(data).mean() + model.log_tempered(every(), 1.0).logsumexp(0))
    v, out = data[torch.randint(len(data), (chains,))], []
    for k in range(1, max(steps) + 1):
        v = model.move(v)
        if k in steps:
            found = gradient(model, model.free_energy(data).mean() - model.free_energy(v).mean())
            out.append(float((found - exact).norm() / exact.norm()))
    return out


def configurations(truth: BoltzmannMachine, rows: int) -> Tensor:
    """Flat states of a machine, drawn from all of them by their probabilities."""
    return every()[torch.multinomial(torch.from_numpy(observed(truth)["P"]), rows, replacement=True)]


def chaining(seed: int, rounds: int = 1500, chains: int = 20_000) -> Result:
    """Gradient and log Z of a restricted machine of the Ising model, from chains and by enumeration."""
    reseed(seed, "claims", "chaining")
    data = configurations(ising(SIDE, TEMPERATURE), 20_000)

    def learnt(rounds: int) -> RBM:
        build = partial(rbm, hidden=16, lr=0.2, rounds=rounds)
        model = learn(build, SPEC, Batch(data.view(-1, 1, SIDE, SIDE)), seed, "energies").model
        assert isinstance(model, RBM)
        return model

    early, late = learnt(rounds // 30), learnt(rounds)
    with draws(seed):
        bias = contrasted(early, data, STEPS, chains)
        exact = float(late.log_partition())
        missed = [np.mean([abs(annealed(late, 100, k).log_partition - exact) for _ in range(10)]) for k in TEMPERATURES]
    values, control = ({BIAS: bias[at], ANNEALED: float(missed[at])} for at in (-1, 0))
    return Result(values, control, {"bias": np.array(bias), "missed": np.array(missed)})


def draw_chaining(results: Sequence[Result]) -> Figure:
    def lines(name: str, x: Sequence[int]) -> dict[str, tuple[Any, Any]]:
        return {f"seed {k}": (x, r.arrays[name]) for k, r in enumerate(results)}

    return curves(
        [
            Curves("CD-k against the gradient", "k", "distance / length", lines=lines("bias", STEPS), log="xy"),
            Curves("log Z", "temperatures", "error / nats", lines=lines("missed", TEMPERATURES), log="xy"),
        ]
    )


COUPLING, OTHERS, MAGNET, ENERGY, APART = (
    "couplings of neighbours, learnt / true",
    "couplings of others, their size / that of neighbours",
    "mean |magnetisation|, learnt / true",
    "mean energy, learnt / true",
    "KL divergence of the truth from what is learnt / nats",
)


def observed(model: BoltzmannMachine) -> Mapping[str, Array]:
    """Exact distributions of a machine: log P of every state, and P of the magnetisation and of the energy."""
    with torch.no_grad():
        log = -model.energy(Batch(every())).double()
    p = (log - log.logsumexp(0)).exp().numpy()
    up, energy = every().sum(1).long().numpy(), ising_energy(every().view(-1, 1, SIDE, SIDE)).numpy()
    return {
        "P": p,
        "magnetisation": np.bincount(up, p, SIDE * SIDE + 1),
        "energy": np.bincount(((energy + 32) / 4).astype(int), p, 17),
    }


def coupled(model: BoltzmannMachine, truth: BoltzmannMachine) -> Mapping[str, float]:
    """A machine against the one that made its data."""
    own, true = observed(model), observed(truth)
    here, there = model.weight.detach(), truth.weight.detach()
    near, far = there > 0, (there == 0) & ~torch.eye(SIDE * SIDE, dtype=torch.bool)
    size = np.abs(np.arange(SIDE * SIDE + 1) - SIDE * SIDE / 2)
    levels = 4.0 * np.arange(17) - 32
    return {
        COUPLING: float(here[near].mean() / there[near].mean()),
        OTHERS: float(here[far].square().mean().sqrt() / there[near].mean()),
        MAGNET: float(own["magnetisation"] @ size / (true["magnetisation"] @ size)),
        ENERGY: float(own["energy"] @ levels / (true["energy"] @ levels)),
        APART: float((true["P"] * np.log(true["P"] / own["P"])).sum()),
    }


def magnetising(seed: int, rows: int = 20_000, rounds: int = 6000) -> Result:
    """Configurations of the Ising model and the machine that learns from them; the control's spins are shuffled."""
    reseed(seed, "claims", "ising")
    truth = ising(SIDE, TEMPERATURE)
    v = configurations(truth, rows)
    alone = v.gather(0, torch.rand_like(v).argsort(0))
    found: dict[str, Mapping[str, float]] = {}
    arrays = {f"{name}, true": value for name, value in observed(truth).items() if name != "P"}
    for name, x in (("learnt", v), ("shuffled", alone)):
        pictures = Batch(x.view(-1, 1, SIDE, SIDE))
        build = partial(boltzmann, lr=0.2, batch=256, rounds=rounds)
        model: Any = learn(build, SPEC, pictures, seed, "energies").model
        found[name] = coupled(model, truth)
        arrays |= {f"{what}, {name}": value for what, value in observed(model).items() if what != "P"}
    control = {name: value for name, value in found["shuffled"].items() if name != OTHERS}
    return Result(found["learnt"], control, arrays)


def draw_magnetising(results: Sequence[Result]) -> Figure:
    shown = results[0].arrays

    def of(what: str, x: Array) -> dict[str, tuple[Any, Any]]:
        return {name: (x, np.maximum(shown[f"{what}, {name}"], 1e-9)) for name in ("true", "learnt", "shuffled")}

    spins = (np.arange(SIDE * SIDE + 1) - SIDE * SIDE / 2) / (SIDE * SIDE / 2)
    levels = 4.0 * np.arange(17) - 32
    filled = shown["energy, true"] > 0
    energy = {name: (levels[filled], y[filled]) for name, (_, y) in of("energy", levels).items()}
    return curves(
        [
            Curves("magnetisation", "m per spin", "P(m)", lines=of("magnetisation", spins), log="y", limits=(1e-4, 1)),
            Curves("energy", "E / J", "P(E)", lines=energy, log="y", limits=(1e-5, 1)),
        ]
    )


CLAIMS = (
    Claim(
        name="chains-replace-the-partition-function",
        statement="Where a density is known up to a constant, Markov chains give its gradient and the constant.",
        lecture="D:102-104",
        paper="Hinton 2002; Tieleman 2008; Salakhutdinov and Murray 2008",
        experiment=chaining,
        bounds={BIAS: (-math.inf, 0.1), ANNEALED: (-math.inf, 0.1)},
        control="chains of one step (CD-1), and importance sampling in one step from independent bits.",
        budget="1,500 rounds on 100 of 20,000 configurations of 4 x 4 spins, a machine of 16 and 16 units",
        figure=draw_chaining,
        note="Chains start at the data; the gradient is asked after a fifth of the training, where a long one is left. "
        "100 chains anneal, ten times over, and the mean distance is given.",
    ),
    Claim(
        name="a-boltzmann-machine-learns-the-ising-model",
        statement="A Boltzmann machine learns a distribution from its configurations alone.",
        lecture="D:102-104",
        paper="Ackley, Hinton and Sejnowski 1985",
        experiment=magnetising,
        bounds={
            COUPLING: (0.95, 1.05),
            OTHERS: (-math.inf, 0.1),
            MAGNET: (0.97, 1.03),
            ENERGY: (0.97, 1.03),
            APART: (-math.inf, 0.05),
        },
        control="every spin's values dealt out anew among the configurations.",
        budget="6,000 rounds on 256 of 20,000 configurations, two machines",
        figure=draw_magnetising,
        note="4 x 4 spins on a torus at T = 2.5 J, all couplings free, all states enumerated.",
    ),
)
