"""Strided convolutions are the resizing and the full convolution that they stand for, slopes and all."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from simulacra.networks.equalised import EqualisedDoublingConv2d
from simulacra.networks.layout import channels_last
from simulacra.networks.resampled import DoublingConv2d, HalvingConv2d, blurred, doubled_conv2d, halved_conv2d
from simulacra.networks.residual import DownBlock
from simulacra.networks.spectral import spectrally_normalised
from simulacra.networks.style2 import ModulatedConv2d


def repeated(x):
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


@pytest.mark.parametrize(
    ("fast", "slow"),
    [
        (doubled_conv2d, lambda x, w, b: functional.conv2d(repeated(x), w, b, padding=1)),
        (halved_conv2d, lambda x, w, b: functional.avg_pool2d(functional.conv2d(x, w, b, padding=1), 2)),
    ],
)
def test_values_and_slopes_of_both_orders_are_those_of_resizing(fast, slow):
    torch.manual_seed(0)
    args = [torch.randn(*s, dtype=torch.float64, requires_grad=True) for s in ((2, 3, 8, 8), (5, 3, 3, 3), (5,))]
    values, firsts, seconds = [], [], []
    for make in (fast, slow):
        y = make(*args)
        first = torch.autograd.grad(y.square().sum(), args, create_graph=True)
        values.append(y)
        firsts.append(first)
        seconds.append(torch.autograd.grad(first[0].square().sum(), args[:2]))
    assert torch.allclose(*values)
    for found in (firsts, seconds):
        assert all(torch.allclose(a, b) for a, b in zip(*found, strict=True))


def test_a_blur_after_doubling_is_linear_interpolation_inside():
    torch.manual_seed(0)
    x, w, b = torch.randn(2, 3, 8, 8), torch.randn(4, 3, 3, 3), torch.randn(4)
    wide = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    found = blurred(doubled_conv2d(x, w), b)
    inside = (..., slice(2, -2), slice(2, -2))
    assert torch.allclose(found[inside], functional.conv2d(wide, w, b, padding=1)[inside], atol=1e-4)
    assert not torch.allclose(found, functional.conv2d(wide, w, b, padding=1), atol=1e-2)  # the border is another


def test_a_style_acts_before_and_its_norm_after_doubling():
    torch.manual_seed(0)
    layer = ModulatedConv2d(4, 6, 3, size=5, doubling=True).double()
    x, w = torch.randn(3, 4, 8, 8).double(), torch.randn(3, 5).double()
    weight = layer.conv.weight * layer.conv.constant * layer.style(w)[:, None, :, None, None]  # [B, O, I, 3, 3]
    weight = weight / (weight.square().sum((2, 3, 4), keepdim=True) + layer.eps).sqrt()
    each = [functional.conv2d(repeated(x[k : k + 1]), weight[k], padding=1) for k in range(3)]
    assert torch.allclose(layer(x, w), blurred(torch.cat(each)))


def test_equalised_layers_blur_where_they_are_smooth():
    torch.manual_seed(0)
    layer, x = EqualisedDoublingConv2d(3, 5, smooth=True), torch.randn(2, 3, 8, 8)
    nn.init.normal_(layer.bias)
    weight, bias = layer.scaled()
    assert torch.allclose(layer(x), blurred(functional.conv2d(repeated(x), weight, padding=1), bias), atol=1e-5)
    layer.smooth = False
    assert torch.allclose(layer(x), functional.conv2d(repeated(x), weight, bias, padding=1), atol=1e-5)


@pytest.mark.parametrize("bare", [True, False])
def test_a_residual_block_is_a_shortcut_and_a_branch_then_pooled(bare):
    torch.manual_seed(0)
    block, x = DownBlock(3, 4, bare=bare).double(), torch.randn(2, 3, 8, 8).double()
    branch = functional.relu(block.first(x if bare else functional.relu(x)))
    whole = block.shortcut(x) + functional.conv2d(branch, block.second.weight, block.second.bias, padding=1)
    assert torch.allclose(block(x), functional.avg_pool2d(whole, 2))


def test_the_kernel_of_three_is_what_is_learnt_and_normalised():
    layer = DoublingConv2d(3, 5)
    assert {name: tuple(p.shape) for name, p in layer.named_parameters()} == {"weight": (5, 3, 3, 3), "bias": (5,)}
    assert EqualisedDoublingConv2d(3, 5).weight.shape == (5, 3, 3, 3)
    spectrally_normalised(layer, iterations=30)
    assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, rel=1e-4)


def test_channels_last_changes_no_number():
    torch.manual_seed(0)
    net = nn.Sequential(HalvingConv2d(3, 8), nn.ReLU(), DoublingConv2d(8, 3)).double()
    x = torch.randn(2, 3, 8, 8).double()
    before = net(x)
    assert torch.allclose(channels_last(net)(x), before)
    assert net(x).is_contiguous(memory_format=torch.channels_last)
