"""Attention, conditional norms and residual networks."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from simulacra.batch import DataSpec, Field
from simulacra.errors import UserError
from simulacra.networks import spectrally_normalised
from simulacra.networks.attention import SelfAttention
from simulacra.networks.conditional_norm import ConditionalBatchNorm
from simulacra.networks.residual import UPSAMPLING, DownBlock, ResidualBody, ResidualGenerator, UpBlock
from simulacra.training.averaging import EMA, averaged_copy
from simulacra.training.game import Clock

SEVERAL = {"energy": Field((2,)), "label": Field((), "class", 4), "angle": Field((1,))}


def told(n):
    return {"energy": torch.randn(n, 2), "label": torch.arange(n) % 4, "angle": torch.randn(n, 1)}


def attentive(channels=16, gamma=0.7):
    layer = SelfAttention(channels)
    nn.init.constant_(layer.gamma, gamma)
    return layer


def test_attention_starts_as_the_identity():
    x = torch.randn(2, 16, 4, 4)
    assert torch.equal(SelfAttention(16)(x), x)
    assert not torch.allclose(attentive()(x), x)


def test_attention_rows_are_probabilities():
    weights = attentive().weights(3 * torch.randn(2, 16, 4, 6))
    assert weights.shape == (2, 24, 24)
    assert (weights >= 0).all()
    assert torch.allclose(weights.sum(2), torch.ones(2, 24))
    assert not torch.allclose(weights.sum(1), torch.ones(2, 24), atol=1e-2), "normalised along the wrong axis"


@torch.no_grad()
def test_attention_is_its_formula_place_by_place():
    layer, x = attentive(), torch.randn(1, 16, 3, 4)
    matrix = {name: getattr(layer, name).weight[:, :, 0, 0] for name in ("query", "key", "value", "out")}
    places = [(h, w) for h in range(3) for w in range(4)]
    want = x.clone()
    for i in places:
        asked = matrix["query"] @ x[0, :, *i]
        scores = [math.exp(float(asked @ (matrix["key"] @ x[0, :, *j]))) for j in places]
        heard = sum(s / sum(scores) * (matrix["value"] @ x[0, :, *j]) for s, j in zip(scores, places, strict=True))
        want[0, :, *i] += layer.gamma * (matrix["out"] @ heard)
    assert torch.allclose(layer(x), want, atol=1e-5)


def test_attention_does_not_know_where_a_place_is():
    layer, x = attentive(), torch.randn(2, 16, 4, 4)
    order = torch.randperm(16)

    def moved(maps):
        return maps.flatten(2)[:, :, order].unflatten(2, (4, 4))

    assert torch.allclose(layer(moved(x)), moved(layer(x)), atol=1e-5)


def test_one_step_of_attention_joins_opposite_corners_and_a_convolution_does_not():
    x = torch.randn(1, 16, 8, 8, requires_grad=True)
    for layer, reaches in ((attentive(), True), (nn.Conv2d(16, 16, 3, 1, 1), False)):
        (slope,) = torch.autograd.grad(layer(x)[0, :, 0, 0].sum(), x)
        assert bool((slope[0, :, 7, 7] != 0).any()) == reaches


def test_attention_blocks_its_own_gradient_only_while_gamma_is_zero():
    x = torch.randn(2, 16, 4, 4)
    for gamma, feels in ((0.0, False), (0.1, True)):
        layer = attentive(gamma=gamma)
        slopes = torch.autograd.grad(layer(x).square().sum(), [layer.gamma, layer.query.weight, layer.out.weight])
        assert slopes[0] != 0
        assert all(bool((s != 0).any()) == feels for s in slopes[1:])


def test_a_conditional_norm_whose_embedding_is_zero_is_batch_norm():
    plain, other = nn.BatchNorm2d(5), ConditionalBatchNorm(5, told=3)
    assert not torch.allclose(plain(x := torch.randn(8, 5, 4, 4)), other(x, torch.randn(8, 3)), atol=1e-2)
    nn.init.zeros_(other.embedding)
    for _ in range(3):
        x = 2 * torch.randn(8, 5, 4, 4) + 1
        assert torch.allclose(plain(x), other(x, torch.randn(8, 3)), atol=1e-6)
    plain.eval(), other.eval()
    x = torch.randn(8, 5, 4, 4)
    assert torch.allclose(plain(x), other(x, torch.randn(8, 3)), atol=1e-6)


def test_each_class_has_its_own_scale_and_shift():
    norm, classes = ConditionalBatchNorm(2, told=3), torch.arange(300) % 3
    with torch.no_grad():
        norm.embedding.copy_(torch.tensor([[0.0, 0, 0, 0], [1, 0, 0, 5], [-1, 2, -3, 0]]))
    x = torch.randn(300, 2, 8, 8)
    y = norm(x, nn.functional.one_hot(classes, 3).float())
    for k, (scale, shift) in enumerate([((1, 1), (0, 0)), ((2, 1), (0, 5)), ((0, 3), (-3, 0))]):
        mine = y[classes == k]
        assert torch.allclose(mine.mean((0, 2, 3)), torch.tensor(shift, dtype=torch.float), atol=0.1)
        assert torch.allclose(mine.std((0, 2, 3)), torch.tensor(scale, dtype=torch.float), atol=0.1)


@pytest.mark.parametrize("upsampling", UPSAMPLING)
def test_all_upsamplings_double(upsampling):
    assert UPSAMPLING[upsampling](6, 3)(torch.randn(2, 6, 5, 5)).shape == (2, 3, 10, 10)
    assert UpBlock(6, 3, 2, upsampling)(torch.randn(2, 6, 5, 5), torch.randn(2, 2)).shape == (2, 3, 10, 10)


def test_shuffled_pixels_stand_in_their_square():
    layer = UPSAMPLING["shuffle"](1, 1)
    with torch.no_grad():
        layer[0].weight.zero_()
        layer[0].weight[:, 0, 1, 1] = torch.tensor([1.0, 2.0, 3.0, 4.0])
    made = layer(torch.tensor([[[[1.0, 10.0]]]]))[0, 0]
    assert made.tolist() == [[1, 2, 10, 20], [3, 4, 30, 40]]


def test_a_block_without_its_branch_is_its_shortcut():
    x = torch.randn(2, 4, 8, 8)
    up, down = UpBlock(4, 4), DownBlock(4, 4)
    nn.init.dirac_(up.shortcut.weight), nn.init.dirac_(down.shortcut.weight), nn.init.zeros_(down.shortcut.bias)
    for last in (up.conv.weight, down.second.weight, down.second.bias):
        nn.init.zeros_(last)
    assert torch.allclose(up(x, x[:, :0]), x.repeat_interleave(2, 2).repeat_interleave(2, 3))
    assert torch.allclose(down(x), x.unflatten(2, (4, 2)).unflatten(4, (4, 2)).mean((3, 5)))


@pytest.mark.parametrize("upsampling", UPSAMPLING)
@pytest.mark.parametrize("given", [{}, SEVERAL])
@pytest.mark.parametrize(("size", "channels", "attention"), [(8, 1, 4), (16, 5, 8), (32, 3, 0), (64, 1, 8)])
def test_residual_pictures_of_every_power_of_two(size, channels, attention, given, upsampling):
    shape, conditions = (channels, size, size), told(4) if given else {}
    options = {"base": 2, "attention": attention, "upsampling": upsampling}
    for more in ({}, {"hierarchical": True, "shared": 3}):
        x = ResidualGenerator(shape, 7, given, **options, **more)({"z": torch.randn(4, 7)}, conditions)
        assert x.shape == (4, *shape)
        assert x.abs().max() <= 1
    body = ResidualBody(shape, base=2, attention=attention)
    assert body(x).shape == (4, body.features)


def test_both_networks_attend_on_maps_of_the_same_side():
    seen = []
    networks = ResidualGenerator((1, 32, 32), 4, base=2, attention=16), ResidualBody((1, 32, 32), base=2, attention=16)
    for network in networks:
        network.attention.register_forward_hook(lambda layer, args, out: seen.append(tuple(out.shape[1:])))
    networks[1](networks[0]({"z": torch.randn(2, 4)}))
    assert seen == [(4, 16, 16), (2, 16, 16)]


@pytest.mark.parametrize("options", [{}, {"hierarchical": True}, {"shared": 3}, {"hierarchical": True, "shared": 3}])
def test_classes_and_numbers_are_listened_to_at_once(options):
    net = ResidualGenerator((1, 16, 16), 6, SEVERAL, base=2, attention=4, **options).eval()
    z, given = {"z": torch.randn(4, 6)}, told(4)
    plain = net(z, given)
    for name, value in given.items():
        assert not torch.equal(net(z, {**given, name: value.roll(1, 0)}), plain), name


def test_each_block_hears_its_own_piece_of_z():
    net = ResidualGenerator((1, 16, 16), 6, SEVERAL, base=2, attention=4, hierarchical=True).eval()
    given, z = told(4), torch.randn(4, 6)
    with torch.no_grad():
        for parameter in net.blocks[1].parameters():
            if parameter.dim() == 2:  # its embeddings
                parameter.zero_()
    plain = net({"z": z}, given)
    for piece, heard in ((slice(0, 2), True), (slice(2, 4), True), (slice(4, 6), False)):
        moved = z.clone()
        moved[:, piece] += 1
        assert torch.equal(net({"z": moved}, given), plain) != heard


def test_the_average_of_a_normalised_generator_keeps_norm_one():
    net = spectrally_normalised(ResidualGenerator((1, 16, 16), 6, SEVERAL, base=4, attention=8))
    average = averaged_copy(net)
    hook = EMA(net, average, 0.9)
    for k in range(5):
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        net({"z": torch.randn(4, 6)}, told(4))
        hook.after(Clock(k + 10, 20))
    with torch.no_grad():
        for name in ("first.0", "blocks.0.conv", "attention.value"):
            largest = torch.linalg.matrix_norm(average.get_submodule(name).weight.flatten(1), 2)
            assert abs(float(largest) - 1) < 0.05, name


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"attention": 3}, "expected attention at maps of side 4, 8, or 0 for none, came 3"),
        ({"attention": 16}, "or 0 for none, came 16"),
        ({"upsampling": "bilinear"}, "expected upsampling among resize, transposed, shuffle, came 'bilinear'"),
        ({"hierarchical": True, "latent": 2}, "expected a latent of at least 3"),
    ],
)
def test_a_residual_generator_speaks_when_it_cannot_be_built(options, words):
    with pytest.raises(UserError, match=words) as caught:
        ResidualGenerator((1, 16, 16), **{"latent": 4, **options})
    assert "\n" not in str(caught.value)


def test_a_residual_network_refuses_other_pictures():
    spec = DataSpec("p", "image", Field((1, 12, 12)))
    with pytest.raises(UserError, match="expected square pictures"):
        ResidualBody(spec.x.shape)
