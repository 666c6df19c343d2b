"""Gradients through the layers of clipped critics, and maps through adaptive instance normalisation."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from simulacra.batch import DataSpec, Field
from simulacra.claims import clipped_layers, instance_styles
from simulacra.claims.claim import outcome
from simulacra.claims.clipped_layers import growth, norms
from simulacra.claims.instance_styles import batch_normed, change, run, spread, untrained
from simulacra.networks import critic_for

ALL = {c.name: c for m in (clipped_layers, instance_styles) for c in m.CLAIMS}
TINY = {
    "clipping-limit-sets-gradients-of-layers": partial(clipped_layers.clipping, steps=3, depth=3),
    "styles-rescale-maps": partial(instance_styles.passing, events=4),
}


@pytest.mark.parametrize("name", ALL)
def test_every_claim_runs_and_repeats_itself(name):
    claim, experiment = ALL[name], TINY[name]
    first, again = experiment(1), experiment(1)
    assert set(first.values) == set(first.control) == set(claim.bounds)
    assert dict(first.values) == dict(again.values)
    assert all(np.isfinite(list(first.values.values())))
    assert isinstance(claim.figure([first, again]), Figure)


@pytest.mark.parametrize(("limit", "width"), [(0.01, 8), (0.5, 8), (0.125, 8)])
def test_a_layer_of_equal_weights_multiplies_the_gradient_by_their_sum(limit, width):
    critic = critic_for(DataSpec("points", "vector", Field((2,))), hidden=(width,) * 4, offset=False).double()
    for parameter in critic.parameters():
        nn.init.constant_(parameter, limit)
    found = norms(critic, torch.rand(10, 2).double())
    assert found.shape == (4,)
    assert found[-1] == pytest.approx(limit * math.sqrt(width))
    assert growth(found) == pytest.approx(3 * math.log(limit * width), abs=1e-9)


def test_weights_of_random_signs_multiply_it_by_the_root_of_half_their_number():
    torch.manual_seed(0)
    width, limit = 400, 0.05
    critic = critic_for(DataSpec("points", "vector", Field((2,))), hidden=(width,) * 4, offset=False).double()
    for parameter in critic.parameters():
        signs = torch.randn_like(parameter).sign()
        parameter.data.copy_(limit * signs if parameter.dim() > 1 else 0 * signs)
    found = norms(critic, torch.randn(100, 2).double())
    assert growth(found) == pytest.approx(3 * math.log(limit * math.sqrt(width / 2)), abs=0.3)


def test_styles_hold_and_batch_norm_does_not():
    claim = ALL["styles-rescale-maps"]
    assert outcome(claim, [claim.experiment(seed) for seed in range(4)]).verdict == "TRUE"


def test_of_a_single_event_both_norms_are_the_same():
    torch.manual_seed(0)
    generator = untrained()
    noise = {name: torch.randn(1, n).double() for name, n in {"z": instance_styles.LATENT, **generator.noises}.items()}
    torch.testing.assert_close(run(generator, noise, False)[0], run(batch_normed(generator), noise, False)[0])
    wide = {name: value.repeat(2, 1) + torch.randn(2, 1) for name, value in noise.items()}
    assert change(run(generator, wide, False)[0], run(batch_normed(generator), wide, False)[0]) > 0.1


def test_the_measures_of_maps():
    maps = torch.randn(3, 2, 16, 16).double()
    assert change(maps, maps) == 0
    assert change(maps, maps + 2 * maps.std()) == pytest.approx(2)
    torch.testing.assert_close(spread(3 * maps + 1), 3 * spread(maps))
