"""The Laplacian pyramid is exact, and tied layers are one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from simulacra.errors import UserError
from simulacra.networks import tied
from simulacra.networks.pyramid import PyramidGenerator, doubled, halved, pyramid, rebuilt


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("levels", [0, 1, 2, 3])
def test_a_pyramid_is_rebuilt_exactly(levels, channels):
    x = torch.rand(4, channels, 32, 32) * 2 - 1
    parts = pyramid(x, levels)
    assert [part.shape[-1] for part in parts] == [32 >> k for k in range(levels + 1)]
    assert (rebuilt(parts) - x).abs().max() < 1e-6


def test_a_constant_picture_has_no_details_and_its_mean_is_that_of_the_smallest():
    flat = torch.full((1, 1, 16, 16), 0.7)
    assert all(detail.abs().max() < 1e-6 for detail in pyramid(flat, 2)[:-1])
    x = torch.rand(3, 1, 16, 16)
    assert torch.allclose(pyramid(x, 2)[-1].mean((1, 2, 3)), x.mean((1, 2, 3)), atol=1e-6)


def test_smooth_pictures_have_small_details_and_noise_has_large_ones():
    wave = torch.cos(torch.linspace(0, 3, 32))
    smooth = (wave[:, None] * wave)[None, None]
    noise = smooth.flatten()[torch.randperm(1024, generator=torch.Generator().manual_seed(0))].view_as(smooth)
    of = [float(pyramid(x, 1)[0].square().mean() / x.square().mean()) for x in (smooth, noise)]
    assert of[0] < 0.01
    assert of[1] > 0.5


class Remembers(nn.Module):
    """A generator that gives back one tensor, and keeps the blurred picture that it was shown."""

    def __init__(self, x):
        super().__init__()
        self.x = x

    def forward(self, noise, given):
        self.seen = given.get("low_pass")
        return self.x


def test_details_are_added_from_coarse_to_fine():
    x = torch.rand(2, 1, 32, 32)
    levels = [Remembers(part) for part in pyramid(x, 2)]
    noise = {f"level{k}": torch.zeros(2, 1) for k in range(3)}
    assert torch.allclose(PyramidGenerator(levels)(noise, {}), x, atol=1e-6)
    assert torch.allclose(levels[0].seen, doubled(halved(x)), atol=1e-6)
    assert torch.allclose(levels[1].seen, doubled(halved(halved(x))), atol=1e-6)
    assert levels[2].seen is None


def stack():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))


@pytest.mark.parametrize(("maps", "same"), [(0, 0), (1, 3), (2, 5), (3, 6), (-1, 1), (-2, 3), (-3, 6)])
def test_layers_are_shared_with_their_norms(maps, same):
    one, two = stack(), stack()
    both = [a is b for a, b in zip(one, tied(one, two, maps), strict=True)]
    assert sum(both) == same
    assert both == sorted(both, reverse=maps > 0)


def test_a_tied_layer_feels_both_losses():
    one, two = stack(), stack()
    other = tied(one, two, 1)
    x, weight = torch.randn(8, 3), one[0].weight
    (first,), (second,) = (torch.autograd.grad(net(x).square().sum(), [weight]) for net in (one, other))
    (both,) = torch.autograd.grad(one(x).square().sum() + other(x).square().sum(), [weight])
    assert torch.allclose(both, first + second, atol=1e-5)
    assert second.abs().sum() > 0


def test_more_layers_than_there_are_cannot_be_tied():
    with pytest.raises(UserError, match="expected at most 3 tied layers, came 4"):
        tied(stack(), stack(), -4)
