"""Equalised learning rate and pixel norm."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from simulacra.networks.equalised import EqualisedConv2d, EqualisedLinear, PixelNorm


@pytest.mark.parametrize("rate", [1.0, 0.01])
@pytest.mark.parametrize("inputs", [16, 500])
def test_numbers_of_variance_one_keep_it(inputs, rate):
    torch.manual_seed(0)
    out = EqualisedLinear(inputs, 2000, gain=1, rate=rate)(torch.randn(500, inputs))
    assert out.var().item() == pytest.approx(1, abs=0.05)
    maps = EqualisedConv2d(inputs, 300, gain=1, rate=rate)(torch.randn(8, inputs, 12, 12))
    assert maps[:, :, 1:-1, 1:-1].var().item() == pytest.approx(1, abs=0.05)


def test_the_he_gain_keeps_the_mean_square_through_a_rectifier():
    torch.manual_seed(0)
    x = torch.randn(500, 600)
    for _ in range(4):
        x = EqualisedLinear(600, 600)(x).relu()
    assert 0.7 < x.square().mean().item() < 1.4  # with a gain of 1 it would be 1/16


def test_a_layer_is_a_plain_one_whose_weight_is_scaled():
    torch.manual_seed(0)
    layer, x = EqualisedConv2d(5, 7, 3, offset=0.3), torch.randn(2, 5, 6, 6)
    want = functional.conv2d(x, layer.weight * math.sqrt(2 / 45), torch.full((7,), 0.3), padding=1)
    assert torch.allclose(layer(x), want, atol=1e-6)
    assert torch.allclose(EqualisedLinear(5, 7, bias=False)(torch.zeros(1, 5)), torch.zeros(1, 7))


def moved(layer: nn.Module, x: torch.Tensor) -> float:
    """How far an Adam step of 1e-3 carries the output, relative to its size."""
    before = layer(x)
    optimiser = torch.optim.Adam(layer.parameters(), 1e-3)
    (before * torch.randn_like(before)).sum().backward()
    optimiser.step()
    return ((layer(x) - before).norm() / before.norm()).item()


def test_the_rate_multiplies_the_step_and_leaves_the_start_alone():
    torch.manual_seed(1)
    x, changes, starts = torch.randn(1, 64), [], []
    for rate in (1.0, 0.1):
        torch.manual_seed(0)
        layer = EqualisedLinear(64, 64, rate=rate, offset=1.0)
        starts.append(layer(x))
        changes.append(moved(layer, x))
    assert torch.allclose(*starts, atol=1e-5)
    assert changes[0] / changes[1] == pytest.approx(10, rel=0.05)


def test_adam_moves_weights_equally_far_whatever_the_fan_in():
    """Relative to their root mean square as they act; a plain layer's move by sqrt(fan_in) more the wider it is."""

    def relative(layer: nn.Module, act) -> float:
        before = act(layer).detach().clone()
        layer.zero_grad()
        layer(torch.randn(8, before.shape[1])).square().sum().backward()
        torch.optim.Adam(layer.parameters(), 1e-2).step()
        return ((act(layer) - before).square().mean().sqrt() / before.square().mean().sqrt()).item()

    torch.manual_seed(0)
    equal = [relative(EqualisedLinear(n, 32, bias=False), lambda layer: layer.scaled()[0]) for n in (16, 1024)]
    plain = [relative(nn.Linear(n, 32, bias=False), lambda layer: layer.weight) for n in (16, 1024)]
    assert equal[1] / equal[0] == pytest.approx(1, abs=0.05)
    assert plain[1] / plain[0] == pytest.approx(8, rel=0.1)


@pytest.mark.parametrize("shape", [(6, 5), (3, 5, 4, 4)])
def test_pixel_norm_has_mean_square_one_and_forgets_the_size(shape):
    torch.manual_seed(0)
    x, norm = torch.randn(shape), PixelNorm()
    assert torch.allclose(norm(x).square().mean(1), torch.ones(1), atol=1e-5)
    assert torch.allclose(norm(7 * x), norm(x), atol=1e-5)
    assert torch.equal(norm(torch.zeros(shape)), torch.zeros(shape))
    assert not PixelNorm()(torch.zeros(shape, requires_grad=True)).sum().isnan()


def test_an_even_kernel_is_refused():
    with pytest.raises(ValueError, match="odd kernel"):
        EqualisedConv2d(3, 3, 4)
