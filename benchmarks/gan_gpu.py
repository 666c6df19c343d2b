"""StyleGAN2 on a GPU: pictures a second of the whole training step, and its share of what the device can multiply.

The recipe `stylegan2` in bf16 on emoji of 64 x 64 (or `--synthetic` random pictures), played by `train` in cycles of 16
rounds: 16 turns of critic and generator each, R1 once, path length twice, the average of the weights. One side as it
is, one with `torch.compile` of generator and critic; the two lazy penalties need second derivatives, which compiled
networks do not have, and play as they are on both. Cycles alternate, the order drawn anew each time, with the device's
limit in between: a product of two bf16 matrices of 8192 x 8192. Operations of a cycle are counted by
`torch.utils.flop_counter`, the share is operations / time / limit. Printed are medians with 95 % bootstrap intervals;
pictures are those of the rounds, batch times rounds, whoever sees them how often.

    python benchmarks/gan_gpu.py --write docs/gan_gpu.md
    python benchmarks/gan_gpu.py --synthetic --side 16 --batch 4 --rounds 2 --device cpu
"""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from loop import hardware
from torch.utils.flop_counter import FlopCounterMode

from simulacra.batch import Batch, DataSpec, Field
from simulacra.domains import open_data
from simulacra.domains.dataset import in_memory, parts_of
from simulacra.errors import UserError
from simulacra.protocols import Dataset
from simulacra.recipes.stylegan2 import stylegan2
from simulacra.training.engine import Engine
from simulacra.training.game import Experiment, Loss, Player
from simulacra.training.loop import train
from simulacra.training.stream import DataStream
from simulacra.workflow import training_spec

WARM, EVENTS, MATRIX = 2, 2048, {"cuda": 8192, "cpu": 512}


class Setting(NamedTuple):
    """What is played: width of the networks, pictures of a batch, rounds of a cycle."""

    width: int
    batch: int
    rounds: int


def pictures(side: int, synthetic: bool) -> Dataset:
    """Emoji, or random pictures in three colours."""
    if not synthetic:
        return open_data(f"emoji:{side}")
    x = torch.rand(EVENTS, 3, side, side, generator=torch.Generator().manual_seed(0))
    return in_memory(DataSpec("random pictures", "image", Field((3, side, side), range=(0.0, 1.0))), Batch(x))


def game(setting: Setting, data: Dataset, cycles: int) -> Experiment:
    """R1 once in a cycle and path length twice: for 16 rounds the recipe's own 16 and 8."""
    torch.manual_seed(0)
    often = {"slope_every": setting.rounds, "path_every": max(1, setting.rounds // 2)}
    spec = training_spec(data, parts_of(data)["train"])
    return stylegan2(spec, width=setting.width, batch=setting.batch, rounds=cycles * setting.rounds, **often)


def compiled(experiment: Experiment, backend: str) -> None:
    """Compiles the forwards of both networks; the lazy players go past them, for they differentiate twice."""
    learners: Any = experiment.learners
    networks = learners["game"]
    networks.generator.compile(backend=backend)
    networks.critic.body.compile(backend=backend)

    def past(loss: Callable[[Batch], Loss]) -> Callable[[Batch], Loss]:
        def eager(batch: Batch) -> Loss:
            with torch.compiler.set_stance("force_eager"):
                return loss(batch)

        return eager

    experiment.players = [
        replace(player, loss=past(player.loss)) if player.name in ("slope", "path") else player
        for player in experiment.players
        if isinstance(player, Player)
    ]


def cycles(setting: Setting, data: Dataset, engine: Engine, count: int, backend: str | None) -> Iterator[None]:
    """Plays a cycle of rounds for each `next`; networks are compiled where a backend is named."""
    experiment = game(setting, data, count)
    codec: Any = experiment.codec
    experiment.learners.to(engine.device)
    codec.to(engine.device)
    if backend is not None:
        compiled(experiment, backend)
    stream = DataStream(data, parts_of(data)["train"], codec, engine=engine)
    for step in train(experiment, {"data": stream}, engine=engine):
        if step.clock.round % setting.rounds == 0:
            yield


def seconds(device: torch.device, act: Callable[[], Any]) -> float:
    """Wall-clock time of an act, to its end on the device."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    wait()
    start = time.perf_counter()
    act()
    wait()
    return time.perf_counter() - start


def limit(device: torch.device, size: int, products: int = 10) -> float:
    """Operations a second of the product of two bf16 matrices."""
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))

    def multiply() -> None:
        for _ in range(products):
            torch.mm(a, b)

    multiply()
    return 2 * size**3 * products / seconds(device, multiply)


class Untracked(AbstractContextManager[None]):
    """All operations are of the whole."""

    parents = frozenset({"Global"})

    def __exit__(self, *_: object) -> None:
        pass


def operations(setting: Setting, data: Dataset, engine: Engine) -> int:
    """Of one cycle as it is played, not compiled; nobody asks which module they are of.

    The counter's own tracker of modules puts hooks on gradients, which `torch.autograd.grad` of a penalty refuses.
    """
    counter: Any = FlopCounterMode(display=False)
    counter.mod_tracker = Untracked()
    with counter:
        next(cycles(setting, data, engine, 1, None))
    return counter.get_total_flops()


def measure(setting: Setting, data: Dataset, engine: Engine, repeats: int, backend: str) -> dict[str, np.ndarray]:
    """Seconds of a cycle of either side, and the limit beside it, [repeats] each."""
    draw, size = np.random.default_rng(0), MATRIX[engine.device.type]
    count = WARM + repeats
    plays = {name: cycles(setting, data, engine, count, by) for name, by in (("eager", None), ("compiled", backend))}
    found: dict[str, list[float]] = {"eager": [], "compiled": [], "limit": []}
    for k in range(count):
        for name in draw.permutation(list(found)):
            if name == "limit":
                value = limit(engine.device, size)
            else:
                value = seconds(engine.device, lambda play=plays[name]: next(play))
            if k >= WARM:
                found[name].append(value)
    return {name: np.array(values) for name, values in found.items()}


def median(values: np.ndarray, digits: int = 3, draws: int = 4000) -> str:
    """The median with its 95 % bootstrap interval."""
    rows = np.random.default_rng(0).integers(0, len(values), (draws, len(values)))
    low, high = np.quantile(np.median(values[rows], axis=1), (0.025, 0.975))
    return f"{np.median(values):.{digits}g} ({low:.{digits}g} to {high:.{digits}g})"


def device_words(device: torch.device) -> str:
    if device.type == "cpu":
        return hardware()
    return f"{torch.cuda.get_device_name(device)}, CUDA {torch.version.cuda}, torch {torch.__version__}"


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--side", type=int, default=64)
    words.add_argument("--batch", type=int, default=64)
    words.add_argument("--width", type=int, nargs="+", default=[16, 64], help="of the recipe's own 16, and more")
    words.add_argument("--rounds", type=int, default=16, help="of a cycle")
    words.add_argument("--repeats", type=int, default=20, help="cycles of each side, after two that do not count")
    words.add_argument("--device", default="cuda")
    words.add_argument("--backend", default="inductor", help="of torch.compile; aot_eager to try it without waiting")
    words.add_argument("--synthetic", action="store_true", help="random pictures in place of emoji")
    words.add_argument("--write", type=Path)
    chosen = words.parse_args()
    if chosen.device.startswith("cuda") and not torch.cuda.is_available():
        sys.exit("expected a GPU, found none; say --device cpu to try it, with a small --side, --batch and --rounds")
    try:
        engine = Engine.start(chosen.device, "bf16")
        data = pictures(chosen.side, chosen.synthetic)
    except UserError as error:
        sys.exit(str(error))
    rows = []
    for width in chosen.width:
        setting = Setting(width, chosen.batch, chosen.rounds)
        work = operations(setting, data, engine)
        found = measure(setting, data, engine, chosen.repeats, chosen.backend)
        for name in ("eager", "compiled"):
            shown = setting.batch * setting.rounds / found[name]
            share = 100 * work / found[name] / found["limit"]
            each = 1e3 * np.median(found[name]) / setting.rounds
            top = median(found["limit"] / 1e12)
            count = work / setting.batch / setting.rounds / 1e9
            rows.append(
                f"| {width} | {name} | {median(shown)} | {each:.3g} | {count:.3g} | {median(share)} | {top} |"
                f" {len(shown)} |"
            )
            print(rows[-1], flush=True)
    if chosen.write:
        about = " ".join((__doc__ or "").split("    python")[0].split())
        head = [
            "| width | networks | pictures a second | ms a round | GFLOP a picture | % of the limit | limit, TFLOP/s"
            " | cycles |",
            "|---|---|---|---|---|---|---|---|",
        ]
        command = " ".join(["python benchmarks/gan_gpu.py", *sys.argv[1:]])
        made = f"`{command}`, {datetime.date.today()}, {device_words(engine.device)}."
        seen = f"{data.spec.name} of side {chosen.side}, batch {chosen.batch}, cycles of {chosen.rounds} rounds."
        page = ["# StyleGAN2 on a GPU", "", about, "", seen, "", *head, *rows, "", f"Command: {made}", ""]
        chosen.write.write_text("\n".join(page))


if __name__ == "__main__":
    main()
