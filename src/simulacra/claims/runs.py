"""Games of a generator and a critic on the ring of eight Gaussians, watched while they are played."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import ot
import torch
from torch import Tensor, nn
from torch.optim import Adam, RMSprop

from simulacra.batch import Batch, DataSpec, Field
from simulacra.domains.toys import TOYS
from simulacra.gan import GAN, GradientPenalty, NonSaturating, StandardNormal, Wasserstein, WeightClipping
from simulacra.networks import critic_for, generator_for
from simulacra.random import draws, reseed
from simulacra.training.game import Loss

Array = np.ndarray
PLANE = DataSpec("plane", "vector", Field((2,)))


@dataclass(frozen=True)
class Setting:
    """Who plays, and for how long; both players have three hidden layers.

    Attributes:
        kind: `gan` (non-saturating), `wgan` (clipped) or `wgan_gp`.
        steps: of both players together, so that all games cost the same; a round has `turns` steps of the critic and
            one of the generator.
        looks: how often the generator is looked at, at equal distances.
        generator, critic: widths of the hidden layers.
        turns: steps of the critic in a round; 0 for 1 with `gan`, 2 with `wgan_gp` and 5 with `wgan`.
        slow: the critic's rate in units of the generator's.
        rate: the generator's learning rate; of Adam (0.5, 0.9), and half of it of RMSprop where weights are clipped.
        penalty: weight of the gradient penalty.
        batch: real events in a step.
    """

    kind: str = "gan"
    steps: int = 3600
    looks: int = 40
    generator: int = 64
    critic: int = 64
    turns: int = 0
    rate: float = 1e-3
    slow: float = 1.0
    penalty: float = 0.1
    batch: int = 128


class Run(NamedTuple):
    """What was seen of a game.

    Attributes:
        rounds: at which the generator was looked at [T].
        samples: in the ring's own units, of radius 2, at each [T, 500, 2].
        critic: the mean of the critic's loss, without penalties, since the look before [T]; generator: likewise.
        distance: exact W1 between the samples and the same number of real points, in units of `scale` [T].
        scale: the standard deviation of the data, by which players see them divided.
    """

    rounds: Array
    samples: Array
    critic: Array
    generator: Array
    distance: Array
    scale: float


def w1(x: Array, y: Array) -> float:
    """Exact Wasserstein-1 distance of two clouds of equal weights."""
    return float(np.asarray(ot.emd2([], [], np.linalg.norm(x[:, None] - y[None], axis=2))))


@cache
def play(setting: Setting, seed: int, game: int = 0) -> Run:
    """Plays one game; the same setting, seed and number give the same run."""
    reseed(seed, "claims", setting.kind, game)
    ring = TOYS["ring8"]
    data = ring.sample(20_000, seed=seed)
    scale = float(data.std(0).mean())
    encoded = data / scale
    model, turns = _model(setting)
    rates = {"critic": setting.rate * setting.slow, "generator": setting.rate}
    optimizers = {
        name: RMSprop(net.parameters(), rates[name] / 2)
        if setting.kind == "wgan"
        else Adam(net.parameters(), rates[name], betas=(0.5, 0.9))
        for name, net in (("critic", model.critic), ("generator", model.generator))
    }
    clip = WeightClipping(model.critic, 0.1)
    rounds = setting.steps // (turns + 1)
    every = max(rounds // setting.looks, 1)
    real = ring.sample(500, seed=seed + 1).numpy() / scale
    seen: dict[str, list[float]] = {"critic": [], "generator": [], "distance": []}
    samples, sums = [], {"critic": 0.0, "generator": 0.0}

    def step(name: str, module: nn.Module, loss: Loss) -> None:
        optimizers[name].zero_grad()
        torch.stack(list(loss.parts.values())).sum().backward(inputs=list(module.parameters()))
        optimizers[name].step()
        sums[name] += loss.parts[name].item()

    def batch() -> Batch:
        return Batch(encoded[torch.randint(len(encoded), (setting.batch,))])

    for k in range(rounds):
        for _ in range(turns):
            step("critic", model.critic, model.critic_loss(batch()))
            if setting.kind == "wgan":
                clip(Batch(encoded[:1]), {})
        step("generator", model.generator, model.generator_loss(batch()))
        if (k + 1) % every == 0:
            with draws(k):
                made: Tensor = model.sample(500).x
            samples.append(made.numpy() * scale)
            seen["distance"].append(w1(made.numpy(), real))
            seen["critic"].append(sums["critic"] / (every * turns))
            seen["generator"].append(sums["generator"] / every)
            sums.update(critic=0.0, generator=0.0)
    held = {name: np.array(v) for name, v in seen.items()}
    return Run(every * (1 + np.arange(len(samples))), np.array(samples), scale=scale, **held)


def _model(setting: Setting) -> tuple[GAN, int]:
    own, other = (setting.generator,) * 3, (setting.critic,) * 3
    generator, noise = generator_for(PLANE, 2, hidden=own), StandardNormal(2)
    if setting.kind == "gan":
        return GAN(generator, critic_for(PLANE, hidden=other), NonSaturating(), noise), setting.turns or 1
    critic = critic_for(PLANE, offset=False, hidden=other)
    if setting.kind == "wgan":
        return GAN(generator, critic, Wasserstein(), noise), setting.turns or 5
    return GAN(generator, critic, Wasserstein(), noise, [GradientPenalty(setting.penalty)]), setting.turns or 2
