"""The imagined steps of an unrolled game are those that the critic will take, at the rate of the round."""

from __future__ import annotations

import pytest
import torch

from simulacra.batch import Batch, DataSpec, Field
from simulacra.gan import GAN, NonSaturating, StandardNormal, Unrolled
from simulacra.gan import unrolled as module
from simulacra.networks import critic_for, generator_for
from simulacra.recipes.unrolled_gan import unrolled_gan
from simulacra.testing import Rows, streams_for
from simulacra.training.game import Clock
from simulacra.training.loop import train

DOTS = Rows(DataSpec("dots", "image", Field((1, 8, 8)), rows=64), Batch(torch.rand(64, 1, 8, 8)))
POINTS = Rows(DataSpec("plane", "vector", Field((2,)), rows=64), Batch(torch.randn(64, 2)))


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
def test_a_factor_is_a_smaller_rate(kind, monkeypatch):
    spec = DataSpec("plane", "vector", Field((2,)))
    game = GAN(generator_for(spec, 2), critic_for(spec), NonSaturating(), StandardNormal(2)).double()
    z, batch = torch.randn(12, 2).double(), Batch(torch.randn(12, 2).double())
    monkeypatch.setattr(game, "noise", lambda _: {"z": z})
    weights = list(game.critic.parameters())
    looks = [
        Unrolled(game, kind(weights, rate), 3, lambda factor=factor: factor).generator_loss(batch).parts["generator"]
        for rate, factor in ((0.04, 0.25), (0.01, 1.0), (0.04, 1.0))
    ]
    assert looks[0].item() == pytest.approx(looks[1].item(), rel=1e-12)
    assert looks[0].item() != pytest.approx(looks[2].item(), rel=1e-6)


@pytest.mark.parametrize(
    ("data", "falls"), [(DOTS, [1, 1, 1, 1, 1, 0.75, 0.5, 0.25]), (POINTS, [1] * 8)], ids=["pictures", "points"]
)
def test_the_critic_is_imagined_at_the_rate_at_which_it_steps(data, falls, monkeypatch):
    """What the recipe's two players really use, spied upon round for round."""
    experiment = unrolled_gan(data.spec, width=4, latent=2, unroll=2, critic_lr=5e-4, batch=16)
    experiment.clock = Clock(0, len(falls))
    real: list[float] = []
    imagined: list[set[float]] = []
    adam = module._adam  # pyright: ignore[reportPrivateUsage]

    def spied(group, state, parameter, rate):
        imagined[-1].add(rate)
        return adam(group, state, parameter, rate)

    def note(optimizer, *_):
        real.append(optimizer.param_groups[0]["lr"])
        imagined.append(set())

    monkeypatch.setattr(module, "_adam", spied)
    experiment.optimizers()[0].register_step_pre_hook(note)
    for _ in train(experiment, streams_for(experiment, data)):
        pass
    assert real == pytest.approx([5e-4 * factor for factor in falls])
    assert imagined == [{rate} for rate in real]
