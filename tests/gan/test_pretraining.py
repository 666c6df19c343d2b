"""A discriminator that is pre-trained knows fakes from data before the generator moves."""

from __future__ import annotations

import pytest
import torch

from simulacra import recipes
from simulacra.domains import open_data
from simulacra.random import draws
from simulacra.testing import Rows, streams_for
from simulacra.training.game import Clock
from simulacra.training.loop import train

WAIT = 60


def right(experiment, real):
    """The share of events that the discriminator calls what they are."""
    game = experiment.learners["game"]
    with torch.no_grad(), draws(1):
        real = experiment.codec.encode(real)
        fake = game.sample(len(real), real.given)
        return torch.cat([game.judge(real).score > 0, game.judge(fake).score < 0]).float().mean().item()


@pytest.mark.parametrize(("recipe", "options"), [("gan", {}), ("minimax_gan", {}), ("minimax_gan", {"steps": 3})])
def test_the_generator_waits_until_the_discriminator_is_right(recipe, options):
    dataset = open_data("toys:ring8", rows=4000)
    seen, held_out = dataset[slice(0, 3000)], dataset[slice(3000, None)]
    torch.manual_seed(0)
    experiment = recipes.find(recipe).build(dataset.spec, {"pretrain": WAIT, **options})
    generator = experiment.learners["game"].generator
    first = [p.clone() for p in generator.parameters()]
    experiment.clock = Clock(0, WAIT + 1)
    shares: dict[int, float] = {}
    for step in train(experiment, streams_for(experiment, Rows(dataset.spec, seen)), seed=1):
        still = all(map(torch.equal, first, generator.parameters()))
        assert still == (step.clock.round <= WAIT)
        assert any(name.startswith("generator/") for name in step.losses) != still
        if step.clock.round in (1, WAIT):
            shares[step.clock.round] = right(experiment, held_out)
    assert shares[1] < 0.9 < shares[WAIT]
