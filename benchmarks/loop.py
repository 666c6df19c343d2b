"""What the training loop costs: `train` against a loop written by hand for the same WGAN-GP.

Both play the same networks (MLP, three hidden layers of 512), batch 256, two critic turns and one generator turn per
round, Adam, falling rates and an average of the weights. Rounds alternate, and so does who goes first; printed are the
median of the ratios of a pair and the upper end of its one-sided 95 % bootstrap interval.

    python benchmarks/loop.py --pairs 220 --write docs/loop.md
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from simulacra.batch import Batch, DataSpec, Field
from simulacra.recipes.wgan_gp import wgan_gp
from simulacra.testing import Rows, streams_for
from simulacra.training.loop import train

WIDTH, BATCH, LATENT, TURNS, GP, LR, EVENTS, BOUND = 512, 256, 2, 2, 0.1, 1e-3, 20000, 1.05


def events() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(EVENTS, 2, generator=generator) + 4 * torch.randint(0, 5, (EVENTS, 2), generator=generator)


def by_the_loop(data: torch.Tensor, rounds: int) -> Iterator[None]:
    spec = DataSpec("grid", "vector", Field((2,)), rows=len(data))
    torch.manual_seed(0)
    experiment = wgan_gp(spec, width=WIDTH, batch=BATCH, latent=LATENT, n_critic=TURNS, gp=GP, lr=LR, rounds=rounds)
    for step in train(experiment, streams_for(experiment, Rows(spec, Batch(data)))):
        assert len(step.losses) == 5
        yield


def dense(inputs: int, outputs: int, bias: bool) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, WIDTH),
        nn.ReLU(),
        nn.Linear(WIDTH, WIDTH),
        nn.ReLU(),
        nn.Linear(WIDTH, WIDTH),
        nn.ReLU(),
        nn.Linear(WIDTH, outputs, bias=bias),
    )


def by_hand(data: torch.Tensor, rounds: int) -> Iterator[None]:
    torch.manual_seed(0)
    data = (data - data.mean(0)) / data.std(0)
    generator, critic, average = dense(LATENT, 2, True), dense(2, 1, False), dense(LATENT, 2, True)
    for_critic, for_generator = (
        torch.optim.Adam(net.parameters(), LR, betas=(0.5, 0.9)) for net in (critic, generator)
    )
    schedules = [torch.optim.lr_scheduler.LambdaLR(o, lambda k: 1 - k / rounds) for o in (for_critic, for_generator)]
    order, at = torch.randperm(len(data)), 0
    for k in range(rounds):
        for _ in range(TURNS):
            if at + BATCH > len(data):
                order, at = torch.randperm(len(data)), 0
            real = data[order[at : at + BATCH]]
            at += BATCH
            fake = generator(torch.randn(BATCH, LATENT)).detach()
            x = torch.lerp(fake, real, torch.rand(BATCH, 1)).requires_grad_()
            (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
            loss = critic(fake).mean() - critic(real).mean() + GP * (slope.norm(dim=1) - 1).square().mean()
            for_critic.zero_grad()
            loss.backward()
            for_critic.step()
        loss = -critic(generator(torch.randn(BATCH, LATENT))).mean()
        for_generator.zero_grad()
        loss.backward()
        for_generator.step()
        for schedule in schedules:
            schedule.step()
        with torch.no_grad():
            for mean, live in zip(average.parameters(), generator.parameters(), strict=True):
                mean.lerp_(live, 1 - min(0.995, (2 + k) / (11 + k)))
        yield


def compare(pairs: int, warm: int = 10) -> np.ndarray:
    """Seconds of each round, [pairs, 2 (loop, hand), 2 (wall clock, processor)]."""
    data, total = events(), pairs + warm
    sides: list[Iterator[None]] = [by_the_loop(data, total), by_hand(data, total)]
    seconds = np.zeros((total, 2, 2))
    for k in range(total):
        for side in (0, 1) if k % 2 else (1, 0):
            start = np.array([time.perf_counter(), time.process_time()])
            next(sides[side])
            seconds[k, side] = np.array([time.perf_counter(), time.process_time()]) - start
    return seconds[warm:]


def upper(values: np.ndarray, of: Callable[..., np.ndarray], draws: int = 4000) -> float:
    """The 95 % quantile of a statistic over bootstrap samples."""
    rows = np.random.default_rng(0).integers(0, len(values), (draws, len(values)))
    return float(np.quantile(of(values[rows], axis=1), 0.95))


def hardware() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    name, load = names[0] if names else platform.processor(), os.getloadavg()[0]
    return f"{name}, {os.cpu_count()} cores under load {load:.1f}, one thread, torch {torch.__version__}"


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--pairs", type=int, default=220)
    words.add_argument("--write", type=Path)
    chosen = words.parse_args()
    torch.set_num_threads(1)
    seconds = compare(chosen.pairs)
    ratio, hand = seconds[:, 0] / seconds[:, 1], np.median(seconds[:, 1], axis=0) * 1e3
    rows = [("pairs of rounds", f"{len(ratio)}"), ("target of the median ratio, loop / by hand", f"at most {BOUND}")]
    for k, clock in enumerate(("wall clock", "processor time")):
        rows += [
            (f"median ratio, {clock}", f"{np.median(ratio[:, k]):.4f}"),
            (f"its upper 95 % bound, {clock}", f"{upper(ratio[:, k], np.median):.4f}"),
            (f"a round by hand, {clock}", f"{hand[k]:.1f} ms"),
            (f"a turn by hand, {clock}", f"{hand[k] / (TURNS + 1):.1f} ms"),
        ]
    for name, value in rows:
        print(f"{name:45s} {value}")
    if chosen.write:
        table = "\n".join(f"| {name} | {value} |" for name, value in rows)
        chosen.write.parent.mkdir(exist_ok=True)
        chosen.write.write_text(
            "# What the loop costs\n\n"
            "`train` keeps foreign buffers, checks every loss and gradient norm, reseeds every round and knows nothing "
            "of GANs. Against a loop written by hand for the same WGAN-GP (MLP 3 x 512, batch 256), round "
            "against round; processor time is the one to read where other programs run beside it:\n\n"
            f"| | |\n|---|---|\n{table}\n\n"
            f"Command: `python benchmarks/loop.py --pairs {chosen.pairs} --write docs/loop.md`, "
            f"{datetime.date.today()}, {hardware()}.\n"
        )


if __name__ == "__main__":
    main()
