"""Shapes, conditions, and the guidelines of DCGAN."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from simulacra.batch import DataSpec, Field
from simulacra.errors import UserError
from simulacra.networks import (
    MLP,
    Conditions,
    LinearHead,
    ProjectionHead,
    critic_for,
    generator_for,
    spectrally_normalised,
)
from simulacra.networks.dcgan import DCBody, DCGenerator
from simulacra.networks.denoisers import Context
from simulacra.networks.joint import JointHead
from simulacra.networks.shower import Layers, ShowerView

BOTH = {"energy": Field((2,)), "label": Field((), "class", 4)}


def told(n):
    return {"energy": torch.randn(n, 2), "label": torch.arange(n) % 4}


def shower_spec():
    parts = {"codes": (2,), "layer0": (3, 4), "layer1": (1, 5)}
    return DataSpec("box", "layers", Field((19,)), {"energy": Field((2,))}, parts)


def feels(net, out):
    slopes = torch.autograd.grad(out, list(net.parameters()))
    return all(torch.isfinite(s).all() and s.abs().max() > 0 for s in slopes)


def test_an_mlp_without_hidden_layers_is_linear():
    net = MLP(3, 2, hidden=())
    x, y = torch.randn(4, 3), torch.randn(4, 3)
    assert torch.allclose(net(x + y) + net(torch.zeros(4, 3)), net(x) + net(y), atol=1e-6)


def test_conditions_stand_in_the_order_of_the_fields():
    rows = Conditions(BOTH)({"label": torch.tensor([3, 0]), "energy": torch.tensor([[1.0, 2.0], [3.0, 4.0]])})
    assert rows.tolist() == [[1, 2, 0, 0, 0, 1], [3, 4, 1, 0, 0, 0]]


def test_a_denoiser_is_told_classes_as_large_as_numbers():
    context, heard = Context(BOTH, 8), []
    context.told.register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0]))
    given = {"energy": torch.tensor([[1.0, 2.0]]), "label": torch.tensor([3])}
    context(torch.zeros(1), given)
    context(torch.zeros(1), given, torch.zeros(1))
    assert [row.tolist() for row in heard] == [[[1, 2, 0, 0, 0, 2, 1]], [[0, 0, 0, 0, 0, 0, 0]]]


def test_no_condition_adds_nothing():
    x = torch.randn(3, 2)
    assert Conditions({}).size == 0
    assert Conditions({}).beside(x, {}) is x


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"label": torch.tensor([0])}, "expected the condition 'energy', came label"),
        ({}, "came no condition"),
        ({"energy": torch.zeros(1, 2), "label": torch.tensor([4])}, "expected label among 0 to 3, came 4"),
        ({"energy": torch.zeros(1, 2), "label": torch.tensor([-1])}, "expected label among 0 to 3, came -1"),
    ],
)
def test_conditions_speak_when_they_do_not_fit(given, words):
    with pytest.raises(UserError, match=words) as caught:
        Conditions(BOTH)(given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", [{}, BOTH])
@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("size", [8, 16, 32, 64])
def test_pictures_of_every_power_of_two(size, channels, given):
    spec = DataSpec("p", "image", Field((channels, size, size)), given)
    generator, critic = generator_for(spec, 7, base=4), critic_for(spec, base=4)
    given = told(4) if given else {}
    x = generator({"z": torch.randn(4, 7)}, given)
    assert x.shape == (4, channels, size, size)
    assert x.abs().max() <= 1
    score = critic(x, given).score
    assert score.shape == (4,)
    assert feels(generator, score.square().sum())
    assert feels(critic, critic(x.detach(), given).score.square().sum())


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 32, 16), (1, 4, 4), (32, 32)])
def test_other_pictures_are_refused(shape):
    with pytest.raises(UserError, match="expected square pictures with a side of 8, 16, 32"):
        generator_for(DataSpec("p", "image", Field(shape)), 7)


@pytest.mark.parametrize("layout", ["vector", "image"])
@pytest.mark.parametrize("projection", [False, True])
def test_every_condition_reaches_both_networks(layout, projection):
    spec = DataSpec("p", layout, Field((2,) if layout == "vector" else (1, 8, 8)), BOTH)
    generator, critic = generator_for(spec, 3), critic_for(spec, projection=projection)
    generator.eval(), critic.eval()
    z, here = {"z": torch.randn(4, 3)}, told(4)
    x = generator(z, here)
    for name in BOTH:
        other = {**here, name: here[name].roll(1, 0)}
        assert not torch.allclose(generator(z, other), x, rtol=0, atol=1e-7), name
        assert not torch.allclose(critic(x, other).score, critic(x, here).score, rtol=0, atol=1e-9), name


def test_projection_is_an_inner_product_with_what_is_told():
    head = ProjectionHead(5, {"label": Field((), "class", 3)})
    features, label = torch.randn(4, 5), torch.tensor([0, 1, 2, 1])
    want = head.score(features)[:, 0] + (features * head.embedding.weight.T[label]).sum(1)
    assert torch.allclose(head(features, {"label": label}), want)


def test_projection_needs_a_condition():
    with pytest.raises(ValueError, match="use LinearHead"):
        ProjectionHead(5, {})


def kinds(net):
    return [type(m) for m in net.modules()]


def test_the_five_guidelines_hold():
    """Radford, Metz and Chintala 2016, section 3."""
    generator, body = DCGenerator((3, 32, 32), 10, base=8), DCBody((3, 32, 32), base=8)
    pools = (nn.AvgPool2d, nn.MaxPool2d, nn.Upsample)
    assert not any(k in pools for k in kinds(generator) + kinds(body)), "1: strided convolutions, no pooling"
    strides = [
        m.stride for m in [*generator.modules(), *body.modules()] if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)
    ]
    assert strides.count((2, 2)) == 6
    made, seen = list(generator.layers), list(body.layers)
    assert kinds(generator).count(nn.BatchNorm2d) == 3, "2: batch norm, but not at the output"
    assert kinds(body).count(nn.BatchNorm2d) == 2, "2: batch norm, but not at the input"
    assert isinstance(made[-2], nn.ConvTranspose2d)
    assert isinstance(seen[1], nn.LeakyReLU)
    assert nn.Linear not in kinds(generator) + kinds(body), "3: no hidden fully connected layer"
    assert isinstance(made[-1], nn.Tanh), "4: tanh at the output, ReLU elsewhere"
    assert kinds(generator).count(nn.ReLU) == 3
    assert {m.negative_slope for m in seen if isinstance(m, nn.LeakyReLU)} == {0.2}, "5: LeakyReLU in the critic"
    assert nn.ReLU not in kinds(body)
    weights = torch.cat([m.weight.flatten() for m in made if isinstance(m, nn.ConvTranspose2d)])
    assert weights.std().item() == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize(
    "change", [{"strided": False}, {"norm": "layer"}, {"norm": "none"}, {"dense": 6}], ids=lambda c: next(iter(c))
)
def test_each_guideline_can_be_left(change):
    generator, body = DCGenerator((1, 16, 16), 5, base=4, **change), DCBody((1, 16, 16), base=4, **change)
    x = generator({"z": torch.randn(3, 5)}, {})
    assert x.shape == (3, 1, 16, 16)
    assert body(x, {}).shape == (3, body.features)
    plain = DCGenerator((1, 16, 16), 5, base=4)
    assert kinds(generator) != kinds(plain)


def test_a_linear_head_on_the_last_maps_is_the_last_convolution():
    body, head = DCBody((1, 16, 16), base=4).eval(), LinearHead(4 * 2 * 16)
    x = torch.randn(3, 1, 16, 16)
    maps = body.layers[:-1](x)
    last = nn.functional.conv2d(maps, head.score.weight.view(1, 8, 4, 4), head.score.bias)
    assert torch.allclose(head(body(x, {}), {}), last.flatten(), atol=1e-6)


def test_the_spectral_norm_is_the_largest_singular_value():
    torch.manual_seed(0)
    for layer in (nn.Linear(30, 20), nn.Conv2d(3, 8, 3)):
        raw = layer.weight.detach().clone()
        spectrally_normalised(layer)
        for _ in range(300):
            layer(torch.zeros(1, 30) if isinstance(layer, nn.Linear) else torch.zeros(1, 3, 5, 5))
        layer.eval()
        norm = torch.linalg.svdvals(raw.flatten(1))[0]
        assert torch.allclose(layer.weight, raw / norm, rtol=1e-3)


def test_a_chain_of_normalised_dense_layers_has_slope_at_most_one():
    torch.manual_seed(0)
    net = spectrally_normalised(MLP(4, 1, (32, 32), nn.ReLU), iterations=50)
    for _ in range(5):
        net(torch.zeros(1, 4))
    net.eval()
    x, y = torch.randn(500, 4), torch.randn(500, 4)
    slope = (net(x) - net(y)).abs()[:, 0] / (x - y).norm(dim=1)
    assert slope.max() <= 1 + 1e-3


def test_shower_shares_are_not_negative_and_sum_to_one_in_each_layer():
    spec = shower_spec()
    generator = generator_for(spec, 6, hidden=(24, 24))
    noise = {"z": torch.randn(50, 6), "cells": torch.randn(50, 17)}
    x = generator(noise, {"energy": torch.randn(50, 2)})
    assert x.shape == (50, 19)
    cells = x[:, 2:]
    assert cells.min() == 0, "some cells are exactly empty"
    for part in cells.split([12, 5], 1):
        sums = part.sum(1)
        assert torch.allclose(sums[sums > 0], torch.ones_like(sums[sums > 0]))


def test_every_parameter_of_the_shower_networks_feels_the_score():
    spec = shower_spec()
    generator, critic = generator_for(spec, 6, hidden=(24, 24)), critic_for(spec, hidden=(24, 24))
    given = {"energy": torch.randn(32, 2)}
    x = generator({"z": torch.randn(32, 6), "cells": torch.randn(32, 17)}, given)
    score = critic(x, given).score
    assert feels(generator, score.square().sum())
    assert feels(critic, critic(x.detach(), given).score.square().sum())


def test_the_start_of_a_shower_generator_is_the_data():
    spec = shower_spec()
    generator = generator_for(spec, 6, hidden=(24, 24))
    want = torch.linspace(0.5, 6, 17)
    generator.start_at(want + 0.1 * torch.randn(200, 17))
    last = generator.second.layers[-1].bias[:17]
    assert torch.allclose(last, want, atol=0.1)


def test_the_view_of_a_shower_knows_sums_centroids_and_empty_layers():
    spec = shower_spec()
    view = ShowerView(spec.parts, lambda x, given: torch.tensor([[8.0, 0.0]]).expand(len(x), 2))
    x = torch.zeros(1, 19)
    x[0, 2 + 3], x[0, 2 + 11] = 0.25, 0.75  # rows 0 and 2 of the last column
    seen = view(x)
    assert seen.shape == (1, view.size)
    assert view.cells(x, {}).sum().item() == pytest.approx(8)
    first = seen[0, 19:30]
    assert first[0].item() == pytest.approx(0.5 * torch.log1p(torch.tensor(80.0)).item())
    assert first[1].item() == pytest.approx((-1 * 2 + 1 * 6) / 8.1, abs=1e-5)
    assert first[3].item() == pytest.approx(1.5 * 8 / 8.1, abs=1e-5)
    assert first[8].item() == pytest.approx(3 * 6 / 8.1, abs=1e-5)
    assert torch.isfinite(seen).all()


def test_an_empty_layer_has_no_shares():
    layers = Layers(shower_spec().parts)
    assert layers.shares(torch.zeros(2, 17)).abs().max() == 0


@pytest.mark.parametrize("build", [lambda s: generator_for(s, 3), critic_for])
def test_layouts_without_a_network_are_refused(build):
    with pytest.raises(UserError, match="expected the layout vector, image or layers"):
        build(DataSpec("text", "sequence", Field((5,))))


def test_a_joint_head_hears_every_class_in_units_of_its_own():
    torch.manual_seed(0)
    head, phi = JointHead(5, BOTH, 7), torch.randn(8, 5)
    given = told(8)
    score = head(phi, given)
    y = torch.cat([given["energy"], nn.functional.one_hot(given["label"], 4)], 1)
    hidden = phi @ head.seen.weight.T + head.seen.bias + y @ head.told.weight.T
    want = (torch.maximum(hidden, 0.2 * hidden) @ head.score.weight.T + head.score.bias)[:, 0]
    assert torch.allclose(score, want, atol=1e-6)
    other = head(phi, {**given, "label": (given["label"] + 1) % 4})
    # how much a step in phi counts depends on the class: no sum of a term of phi and one of the class
    gap = (head(phi + 1, given) - score) - (head(phi + 1, {**given, "label": (given["label"] + 1) % 4}) - other)
    assert gap.abs().max() > 1e-3
    assert feels(head, score.sum())
    with pytest.raises(ValueError, match="expected at least one condition for JointHead"):
        JointHead(5, {}, 7)
