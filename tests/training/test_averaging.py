"""The averaged weights are what the formula says."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from simulacra.testing import tiny_game
from simulacra.training.averaging import EMA, averaged_copy
from simulacra.training.game import Clock


def live_net() -> nn.Module:
    net = nn.BatchNorm1d(3)
    nn.init.zeros_(net.weight)
    return net


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.9, 0.999])
def test_the_average_forgets_the_past_by_the_decay_of_each_round(decay):
    live = live_net()
    average = averaged_copy(live)
    hook = EMA(live, average, decay)
    hook.start(tiny_game()[0])
    nn.init.ones_(live.weight)
    kept = 1.0
    for t in range(1, 30):
        hook.after(Clock(t, 100))
        kept *= min(decay, (1 + t) / (10 + t))
        assert torch.allclose(average.weight, torch.full((3,), 1 - kept), atol=1e-6)


def test_it_starts_at_the_live_weights_and_copies_buffers():
    live = live_net()
    average = averaged_copy(live)
    nn.init.constant_(live.weight, math.pi)
    live.running_mean.fill_(2.0)
    hook = EMA(live, average, 0.99)
    hook.start(tiny_game()[0])
    assert torch.equal(average.weight, live.weight)
    live.running_mean.fill_(7.0)
    hook.after(Clock(1, 10))
    assert torch.equal(average.running_mean, live.running_mean)
    assert not any(parameter.requires_grad for parameter in average.parameters())


def test_every_few_rounds_only():
    live = live_net()
    average = averaged_copy(live)
    hook = EMA(live, average, 0.5, every=4)
    hook.start(tiny_game()[0])
    nn.init.ones_(live.weight)
    hook.after(Clock(3, 10))
    assert torch.equal(average.weight, torch.zeros(3))
    hook.after(Clock(4, 10))
    assert torch.allclose(average.weight, torch.full((3,), 1 - 0.5**4))
