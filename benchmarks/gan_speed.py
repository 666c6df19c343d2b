"""Adversarial training against loops written by hand from the papers, and against torchgan's trainer.

The same networks on the same pictures (Fashion-MNIST on a frame of 32 x 32, batch 64), round against round in one
process, the order of sides drawn anew for every round. DCGAN: one turn each, Adam(2e-4, 0.5), an average of the
weights, which torchgan does not keep. WGAN-GP: five critic turns with the penalty, then one of the generator, without
labels; torchgan takes a step for the critic's loss and another for the penalty. Printed are medians of the ratios of a
round with the lower end of their one-sided 95 % bootstrap interval: above 1, `train` is the faster. torchgan needs
torchvision only to lay pictures out at the end of an epoch, which is not timed: a stand-in module is put in its place.

    python -m venv other && other/bin/pip install torch==2.13.0 -e . && other/bin/pip install --no-deps torchgan wget
    other/bin/python benchmarks/gan_speed.py --write docs/gan_speed.md
"""

from __future__ import annotations

import argparse
import copy
import datetime
import os
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from loop import hardware
from torch import Tensor, nn
from torch.nn.functional import softplus

from simulacra import recipes
from simulacra.batch import Batch
from simulacra.domains import open_data
from simulacra.domains.dataset import parts_of
from simulacra.training.game import Experiment
from simulacra.training.loop import train
from simulacra.training.stream import DataStream
from simulacra.workflow import training_spec

EVENTS, WARM, BATCH = 4096, 5, 64
ROUNDS = {"dcgan": 200, "wgan_gp": 60}
TOLD: dict[str, dict[str, Any]] = {"dcgan": {"lr": 2e-4}, "wgan_gp": {"n_critic": 5, "lr": 2e-4}}
"""What a recipe is told beside its defaults."""


class Pictures:
    """The data and a game of a recipe, built anew for each side, so that all start from the same weights."""

    def __init__(self, recipe: str) -> None:
        self.recipe = recipe
        self.dataset = open_data("fashion-mnist", ignore="label")
        self.rows = parts_of(self.dataset)["train"][:EVENTS]
        codec: Any = self.build().codec
        self.encoded: Batch = codec.encode(self.dataset[self.rows])

    def build(self) -> Experiment:
        torch.manual_seed(0)
        chosen = recipes.find(self.recipe)
        return chosen.build(
            training_spec(self.dataset, self.rows), chosen.resolve({"batch": BATCH, **TOLD[self.recipe]})
        )

    def batches(self) -> Iterator[Batch]:
        while True:
            for rows in torch.randperm(len(self.encoded)).split(BATCH):
                if len(rows) == BATCH:
                    yield self.encoded[rows]


def by_the_loop(data: Pictures) -> Iterator[None]:
    experiment = data.build()
    stream = DataStream(data.dataset, data.rows, experiment.codec)
    for _ in train(experiment, {"data": stream}):
        yield


def averaged(mean: nn.Module, live: nn.Module, decay: float = 0.999) -> None:
    with torch.no_grad():
        for own, other in zip(mean.parameters(), live.parameters(), strict=True):
            own.lerp_(other, 1 - decay)
        for own, other in zip(mean.buffers(), live.buffers(), strict=True):
            own.copy_(other)


def dcgan_by_hand(data: Pictures) -> Iterator[None]:
    game: Any = dict(data.build().learners.named_children())["game"]
    generator, critic, average = game.generator, game.critic, copy.deepcopy(game.generator)
    for_critic = torch.optim.Adam(critic.parameters(), 2e-4, betas=(0.5, 0.999))
    for_generator = torch.optim.Adam(generator.parameters(), 2e-4, betas=(0.5, 0.999))
    for real in (batch.x for batch in data.batches()):
        fake = generator({"z": 2 * torch.rand(BATCH, 100) - 1}, {})
        loss = softplus(-critic(real, {}).score).mean() + softplus(critic(fake.detach(), {}).score).mean()
        for_critic.zero_grad()
        loss.backward()
        for_critic.step()
        fake = generator({"z": 2 * torch.rand(BATCH, 100) - 1}, {})
        loss = softplus(-critic(fake, {}).score).mean()
        for_generator.zero_grad()
        loss.backward()
        for_generator.step()
        averaged(average, generator)
        yield


def wgan_gp_by_hand(data: Pictures) -> Iterator[None]:
    experiment = data.build()
    game: Any = dict(experiment.learners.named_children())["game"]
    generator, critic, average = game.generator, game.critic, copy.deepcopy(game.generator)
    optimizers = [torch.optim.Adam(n.parameters(), 2e-4, betas=(0.5, 0.9)) for n in (critic, generator)]
    falling = [torch.optim.lr_scheduler.LambdaLR(o, lambda k: 1 - k / experiment.rounds) for o in optimizers]
    batches = data.batches()
    while True:
        for _ in range(5):
            real = next(batches).x
            fake = generator({"z": torch.randn(BATCH, 128)}, {}).detach()
            x = torch.lerp(fake, real, torch.rand(BATCH, 1, 1, 1)).requires_grad_()
            (slope,) = torch.autograd.grad(critic(x, {}).score.sum(), x, create_graph=True)
            penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
            loss = critic(fake, {}).score.mean() - critic(real, {}).score.mean() + 10 * penalty
            optimizers[0].zero_grad()
            loss.backward()
            optimizers[0].step()
        loss = -critic(generator({"z": torch.randn(BATCH, 128)}, {}), {}).score.mean()
        optimizers[1].zero_grad()
        loss.backward()
        optimizers[1].step()
        for schedule in falling:
            schedule.step()
        averaged(average, generator)
        yield


def by_torchgan(data: Pictures, folder: str) -> Iterator[None]:
    """torchgan's own `Trainer.train_iter` with its own losses, as its `train` calls it for every batch."""
    os.environ |= {"CONSOLE_LOGGING": "0", "TENSORBOARD_LOGGING": "0", "VISDOM_LOGGING": "0"}
    sys.modules.setdefault("torchvision", types.ModuleType("torchvision"))
    from torchgan import losses as of  # pyright: ignore[reportMissingImports]
    from torchgan.models import Discriminator, Generator  # pyright: ignore[reportMissingImports]
    from torchgan.trainer import Trainer  # pyright: ignore[reportMissingImports]

    game: Any = dict(data.build().learners.named_children())["game"]
    if data.recipe == "dcgan":
        latent, turns, decay = 100, 1, 0.999
        losses = [of.MinimaxGeneratorLoss(), of.MinimaxDiscriminatorLoss()]
    else:
        latent, turns, decay = 128, 5, 0.9
        losses = [of.WassersteinGeneratorLoss(), of.WassersteinDiscriminatorLoss(), of.WassersteinGradientPenalty()]

    class Makes(Generator):
        def __init__(self) -> None:
            super().__init__(latent)
            self.network = game.generator

        def forward(self, z: Tensor) -> Tensor:
            return self.network({"z": z}, {})

    class Judges(Discriminator):
        def __init__(self) -> None:
            super().__init__(1)
            self.network = game.critic

        def forward(self, x: Tensor) -> Tensor:
            return self.network(x, {}).score

    adam = {"name": torch.optim.Adam, "args": {"lr": 2e-4, "betas": (0.5, decay)}}
    models = {"generator": {"name": Makes, "optimizer": adam}, "discriminator": {"name": Judges, "optimizer": adam}}
    trainer = Trainer(
        models,
        losses,
        device=torch.device("cpu"),
        ncritic=turns,
        checkpoints=f"{folder}/{data.recipe}/gan",
        recon=f"{folder}/images",
    )
    trainer.batch_size = BATCH
    batches = data.batches()
    while True:
        for _ in range(turns):
            trainer.real_inputs = next(batches).x
            trainer.loss_information["generator_iters"] += 1
            trainer.loss_information["discriminator_iters"] += 1
            trainer.train_iter()
            trainer.logger.run_mid_epoch(trainer)
        yield


def compare(sides: dict[str, Iterator[None]], rounds: int) -> dict[str, np.ndarray]:
    """CPU seconds of every round of every side, the order of sides drawn for each round."""
    draw = np.random.default_rng(0)
    found: dict[str, list[float]] = {name: [] for name in sides}
    for k in range(rounds + WARM):
        for name in draw.permutation(list(sides)):
            start = time.process_time()
            next(sides[name])
            if k >= WARM:
                found[name].append(time.process_time() - start)
    return {name: np.array(values) for name, values in found.items()}


def lower(ratio: np.ndarray, draws: int = 4000) -> float:
    rows = np.random.default_rng(0).integers(0, len(ratio), (draws, len(ratio)))
    return float(np.quantile(np.median(ratio[rows], axis=1), 0.05))


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rounds", type=float, default=1.0, help="times the usual number")
    words.add_argument("--write", type=Path)
    chosen = words.parse_args()
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        hands: dict[str, Callable[[Pictures], Iterator[None]]] = {"dcgan": dcgan_by_hand, "wgan_gp": wgan_gp_by_hand}
        for recipe, by_hand in hands.items():
            data = Pictures(recipe)
            others = {"by hand": by_hand, "torchgan 0.1.0": lambda data: by_torchgan(data, folder)}
            sides = {"simulacra": by_the_loop(data)} | {name: make(data) for name, make in others.items()}
            found = compare(sides, round(ROUNDS[recipe] * chosen.rounds))
            for name in others:
                ratio = found[name] / found["simulacra"]
                rows.append(
                    f"| `{recipe}` | {name} | {np.median(ratio):.3f} | {lower(ratio):.3f} |"
                    f" {1e3 * np.median(found['simulacra']):.0f} | {len(ratio)} |"
                )
                print(rows[-1], flush=True)
    if chosen.write:
        about = " ".join((__doc__ or "").split("    python")[0].split())
        head = [
            "| recipe | against | CPU time / ours | lower 95 % | ms a round | rounds |",
            "|---|---|---|---|---|---|",
        ]
        made = f"`python benchmarks/gan_speed.py --write {chosen.write}`, {datetime.date.today()}, {hardware()}."
        page = ["# The adversarial step against others", "", about, "", *head, *rows, "", f"Command: {made}", ""]
        chosen.write.write_text("\n".join(page))


if __name__ == "__main__":
    main()
