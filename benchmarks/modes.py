"""How many modes of the 5 x 5 grid a GAN finds: `python benchmarks/modes.py`.

Trains `wgan_gp` at its defaults, once per seed, and `gan` twice beside it: with as many gradient evaluations, and with
as many seconds of a processor. Writes the table of `docs/modes.md`. A mode counts where it holds more than 0.4 % of
10,000 samples within three standard deviations. Two controls show that the count can fail and can pass: a generator
whose noise is held constant, and the data themselves.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import Tensor

from simulacra.batch import Batch
from simulacra.domains import open_data
from simulacra.domains.dataset import ArrayDataset
from simulacra.domains.toys import TOYS
from simulacra.random import draws, reseed
from simulacra.recipes.gan import gan
from simulacra.recipes.wgan_gp import wgan_gp
from simulacra.training.game import Experiment, Player
from simulacra.training.loop import train
from simulacra.training.stream import DataStream

SAMPLES = 10_000
COUNTS = 0.004
NEEDED_MODES, NEEDED_INSIDE = 24, 0.60


@dataclass(frozen=True)
class Found:
    """What was found in SAMPLES points."""

    modes: int
    inside: float
    seconds: float = 0.0
    turns: int = 0

    @property
    def passes(self) -> bool:
        return self.modes >= NEEDED_MODES and self.inside >= NEEDED_INSIDE


def count(x: Tensor, name: str = "grid25") -> Found:
    """The modes that hold enough of the points x [n, 2], and the share of points within three sigma of any."""
    modes = TOYS[name].modes
    assert modes is not None
    centres, sigma = modes
    distance, which = torch.cdist(x, centres).min(1)
    near = distance < 3 * sigma
    held = torch.bincount(which[near], minlength=len(centres)) / len(x)
    return Found(int((held > COUNTS).sum()), float(near.float().mean()))


def turns_of(experiment: Experiment) -> int:
    """Gradient evaluations of one round: one per turn of any player."""
    return sum(p.repeats for p in experiment.players if isinstance(p, Player) and isinstance(p.repeats, int))


def play(experiment: Experiment, data: ArrayDataset, seed: int) -> float:
    """Plays the experiment to its end; CPU seconds."""
    stream = DataStream(data, torch.arange(len(data)), experiment.codec, seed=seed)
    experiment.codec.fit(stream.physical())
    start = time.process_time()
    for _ in train(experiment, {"data": stream}, seed=seed):
        pass
    return time.process_time() - start


def sampled(experiment: Experiment, seed: int, constant: bool = False) -> Tensor:
    """SAMPLES points in physical units; all from one draw of the noise where `constant`."""
    model = experiment.model
    with draws(seed), torch.no_grad():
        noise: Mapping[str, Tensor] = model.noise(SAMPLES)  # type: ignore[operator]
        if constant:
            noise = {name: z[:1].expand_as(z) for name, z in noise.items()}
        made: Batch = model.push(noise)  # type: ignore[operator]
        return experiment.codec.decode(made).x


def trial(name: str, seed: int, data: ArrayDataset, budget: int) -> tuple[Found, Found]:
    """One trained recipe, and the same one with its noise held constant."""
    reseed(seed, name)
    experiment = {"wgan_gp": wgan_gp, "gan": gan}[name](data.spec)
    rounds = budget // turns_of(experiment)
    experiment.rounds, experiment.clock = rounds, experiment.clock._replace(rounds=rounds)
    seconds = play(experiment, data, seed)
    found = count(sampled(experiment, seed))
    turns = rounds * turns_of(experiment)
    return Found(found.modes, found.inside, seconds, turns), count(sampled(experiment, seed, constant=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=0, help="of wgan_gp; 0 for the recipe's own")
    parser.add_argument("--out", type=Path, default=Path("docs/modes.md"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    data = open_data("toys:grid25")
    assert isinstance(data, ArrayDataset)
    reference = wgan_gp(data.spec)
    budget = (asked.rounds or reference.rounds) * turns_of(reference)
    rows = [row("data", "", count(TOYS["grid25"].sample(SAMPLES, seed=1)))]
    passed: dict[str, int] = {}
    for seed in range(asked.seeds):
        critic, constant = trial("wgan_gp", seed, data, budget)
        plain, same = trial("gan", seed, data, budget)
        longer, _ = trial("gan", seed, data, round(budget * critic.seconds / plain.seconds))
        for name, found in (("wgan_gp", critic), ("gan, same evaluations", plain), ("gan, same seconds", longer)):
            rows.append(row(name, str(seed), found))
            print(rows[-1], flush=True)
            passed[name] = passed.get(name, 0) + found.passes
        if seed == 0:
            rows += [row(f"{name}, constant noise", "0", f) for name, f in (("wgan_gp", constant), ("gan", same))]
    text = page(rows, passed, asked.seeds, budget)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(text, encoding="utf-8")
    print(text)


def row(name: str, seed: str, found: Found) -> str:
    cost = f"{found.turns:,} | {found.seconds:.0f}" if found.turns else "- | -"
    return f"| {name} | {seed or '-'} | {found.modes} | {found.inside:.1%} | {cost} |"


def page(rows: list[str], passed: Mapping[str, int], seeds: int, budget: int) -> str:
    lines = [
        "# Modes of the 5 x 5 grid",
        "",
        f"25 Gaussians on {{-4, -2, 0, 2, 4}}^2 with standard deviation 0.05; {SAMPLES:,} samples. A mode counts where",
        f"it holds more than {COUNTS:.1%} of the samples within 3 sigma. One thread; wgan_gp has {budget:,} gradient",
        "evaluations (turns of a player), gan has as many, or as many seconds of a processor.",
        "",
        "| recipe | seed | modes of 25 | within 3 sigma | gradient evaluations | CPU s |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
        f"At least {NEEDED_MODES} modes and {NEEDED_INSIDE:.0%} within 3 sigma: "
        + ", ".join(f"{name} in {n} of {seeds} seeds" for name, n in passed.items())
        + ".",
        "",
        f"Command: `python {' '.join(['benchmarks/modes.py', *sys.argv[1:]])}`, {datetime.now(UTC):%Y-%m-%d}, "
        f"Python {platform.python_version()}, PyTorch {torch.__version__}, {platform.machine()} {platform.system()}.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
