"""Small games of points in the plane."""

from __future__ import annotations

import torch
from torch import nn

from simulacra.batch import Batch, DataSpec, Field
from simulacra.gan import Duel
from simulacra.networks import Critic, LinearHead
from simulacra.testing import Rows, state_of, streams_for
from simulacra.training.game import Clock
from simulacra.training.loop import train

SPEC = DataSpec("plane", "vector", Field((2,)))


def played(recipe, rounds=4, **options):
    """A recipe after some rounds on points, and all that it has become."""
    torch.manual_seed(3)
    data = Rows(SPEC, Batch(torch.randn(64, 2)))
    experiment = recipe(data.spec, batch=16, **options)
    experiment.clock = Clock(0, rounds)
    streams = streams_for(experiment, data)
    for _ in train(experiment, streams, seed=1):
        pass
    return experiment, state_of(experiment, streams)


def duel(critic, real, fake, weight=None):
    """An encounter of these events, whatever the noise."""
    return Duel(Batch(real, weight=weight), {}, lambda noise, given: Batch(fake), critic)


class Plain(Critic):
    """Its features are the numbers themselves."""

    def __init__(self, view=None):
        super().__init__(nn.Flatten(), LinearHead(2), view=view)
        self.body.forward = lambda view, given: view.flatten(1)  # type: ignore[method-assign]
