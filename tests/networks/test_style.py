"""Styles: where they act, what mixing and truncation leave alone, and what demodulation keeps."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from simulacra.batch import Batch, DataSpec, Field
from simulacra.errors import UserError
from simulacra.evaluation.latent import truncation_curve
from simulacra.gan import R1, Duel, Pushforward, StandardNormal
from simulacra.networks.modulation import AdaIN
from simulacra.networks.style import MappingNetwork, StyleGenerator, Synthesis, doubled, mix, truncate
from simulacra.networks.style2 import ModulatedConv2d, SkipSynthesis
from simulacra.networks.style_critic import HalvingBlock, ResidualBlock, halved, style_critic
from simulacra.recipes.stylegan import stylegan
from simulacra.recipes.stylegan2 import stylegan2
from simulacra.testing import Unchanged
from simulacra.training.averaging import EMA, averaged_copy

KINDS = [Synthesis, SkipSynthesis]
LABEL = {"label": Field((), "class", 10)}


def built(kind=Synthesis, shape=(1, 16, 16), latent=8, given=None, **options) -> StyleGenerator:
    torch.manual_seed(0)
    return StyleGenerator(MappingNetwork(latent, given, depth=2), kind(shape, latent, base=4), **options)


def drawn(generator: StyleGenerator, n: int, latent: int = 8) -> dict[str, torch.Tensor]:
    return {name: torch.randn(n, size) for name, size in {"z": latent, **generator.noises}.items()}


def test_adain_prescribes_mean_and_deviation_of_every_map():
    torch.manual_seed(0)
    layer, x, w = AdaIN(5, 3).double(), 4 + 7 * torch.randn(6, 3, 8, 8).double(), torch.randn(6, 5).double()
    scale, shift = layer.style(w).chunk(2, 1)
    out = layer(x, w)
    assert torch.allclose(out.mean((2, 3)), shift, atol=1e-9)
    assert torch.allclose(out.std((2, 3), correction=0), (1 + scale).abs(), rtol=1e-5)
    assert torch.allclose(layer(3 * x - 1, w), out, atol=1e-5)  # whatever they were


def test_doubling_is_repetition_and_a_blur():
    x = torch.randn(2, 3, 8, 8)
    wide = functional.pad(x.repeat_interleave(2, 2).repeat_interleave(2, 3), (1, 1, 1, 1), mode="replicate")
    line = torch.tensor([1.0, 2.0, 1.0]) / 4
    kernel = (line[:, None] * line).expand(3, 1, 3, 3)
    assert torch.allclose(doubled(x), functional.conv2d(wide, kernel, groups=3), atol=1e-6)
    blurred = functional.conv2d(x, kernel, padding=1, groups=3)
    assert torch.allclose(halved(x), functional.avg_pool2d(blurred, 2), atol=1e-6)


def test_scaling_maps_before_and_after_is_a_kernel_for_each_event():
    torch.manual_seed(0)
    layer = ModulatedConv2d(4, 6, 3, size=5).double()
    x, w = torch.randn(3, 4, 8, 8).double(), torch.randn(3, 5).double()
    weight = layer.conv.weight * layer.conv.constant * layer.style(w)[:, None, :, None, None]  # [B, O, I, 3, 3]
    weight = weight / (weight.square().sum((2, 3, 4), keepdim=True) + layer.eps).sqrt()
    grouped = functional.conv2d(x.reshape(1, 12, 8, 8), weight.flatten(0, 1), padding=1, groups=3).view(3, 6, 8, 8)
    assert torch.allclose(layer(x, w), grouped, atol=1e-12)


@pytest.mark.parametrize("demodulate", [True, False])
def test_demodulated_numbers_keep_variance_one_whatever_the_style(demodulate):
    torch.manual_seed(0)
    layer = ModulatedConv2d(32, 40, 3, size=5, demodulate=demodulate)
    out = layer(torch.randn(30, 32, 24, 24), 10 * torch.randn(30, 5))[:, :, 1:-1, 1:-1]
    each = out.var((1, 2, 3))
    assert demodulate == bool(((each - 1).abs() < 0.1).all())


@pytest.mark.parametrize("kind", KINDS)
def test_mixing_leaves_the_layers_before_it_alone(kind):
    generator = built(kind).eval()
    seen: list[torch.Tensor] = []
    for layer in generator.synthesis.layers:
        layer.register_forward_hook(lambda module, args, out: seen.append(out))
    noise = drawn(generator, 2)
    first, second = generator.styles(noise), generator.styles(drawn(generator, 2))
    generator.synthesis(first, noise)
    plain, count = list(seen), len(seen)
    for cut in range(1, count):
        seen.clear()
        generator.synthesis(mix(first, second, cut), noise)
        same = [torch.equal(a, b) for a, b in zip(plain, seen, strict=True)]
        assert same == [True] * cut + [False] * (count - cut)
    assert torch.equal(mix(first, second, generator.count), first)
    assert torch.equal(mix(first, second, torch.tensor([0, generator.count])), torch.stack([second[0], first[1]]))


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_reach_black_and_white_and_nothing_beyond(kind):
    generator = built(kind).eval()
    last = generator.synthesis.picture if kind is Synthesis else generator.synthesis.pictures[-1]
    with torch.no_grad():
        for value in (-30.0, 30.0):
            last.bias.fill_(value)
            assert torch.equal(generator(drawn(generator, 2)), torch.full((2, 1, 16, 16), value).sign())


def test_truncation_in_w_goes_from_one_picture_to_all():
    generator = built().train()
    generator(drawn(generator, 64))
    generator.eval()
    noise = drawn(generator, 50)
    styles, centre = generator.styles(noise), generator.mapping.average
    assert torch.equal(truncate(styles, centre, 1.0), styles)
    assert torch.allclose(truncate(styles, centre, 0.0), centre.expand_as(styles))
    assert torch.allclose(truncate(styles, centre, -1.0) + styles, 2 * centre.expand_as(styles), atol=1e-6)
    part = truncate(styles, centre, 0.5, cutoff=2)
    assert torch.equal(part[:, 2:], styles[:, 2:])
    assert torch.allclose(part[:, :2], (styles[:, :2] + centre) / 2, atol=1e-6)

    model = Pushforward(generator, {name: StandardNormal(z.shape[1]) for name, z in noise.items()})
    curve = truncation_curve(
        model,
        Unchanged(),
        lambda batch: batch.x.flatten(1),
        torch.randn(50, 256),
        lambda seen: {},
        (0.0, 0.3, 0.6, 1.0),
        at=lambda psi: Pushforward(generator.truncated(psi), model.latent),
        n=60,
    )
    spread = [found["spread"].value for found in curve.values()]
    assert spread == sorted(spread)
    assert spread[0] < 1e-5 < 0.1 < spread[-1]  # strengths of noise are still 0
    assert torch.equal(generator.truncated(1.0)(noise), generator(noise))


def test_truncating_leaves_the_modes_of_the_networks():
    generator = built().train()
    generator.truncated(0.5)
    assert all(module.training for module in generator.modules())


@pytest.mark.parametrize("kind", KINDS)
def test_events_follow_from_the_noise_in_evaluation_and_are_mixed_in_training(kind):
    generator = built(kind, mixing=0.9).eval()
    noise = drawn(generator, 400)
    assert torch.equal(generator(noise), generator(noise))
    one = generator.styles(noise)
    assert torch.equal(one, one[:, :1].expand_as(one))
    generator.train()
    styles = generator.styles(noise)
    assert torch.equal(styles[:, 0], one[:, 0])  # the first latent has the first layer
    mixed = (styles != one).any(2)
    assert mixed.any(1).float().mean().item() == pytest.approx(0.9, abs=0.05)
    assert torch.equal(mixed.float().cummax(1).values, mixed.float())  # the second, once it came, stays
    cuts = (~mixed[mixed.any(1)]).sum(1)
    assert set(cuts.tolist()) == set(range(1, generator.count))
    generator.mixing = 0.0
    assert torch.equal(generator.styles(noise), one)


@pytest.mark.parametrize("kind", KINDS)
def test_noise_waits_for_its_strength(kind):
    generator = built(kind).eval()
    noise = drawn(generator, 3)
    other = {**drawn(generator, 3), "z": noise["z"]}
    first = generator(noise)
    assert torch.equal(first, generator(other))
    first.square().sum().backward()
    strengths = [p for name, p in generator.named_parameters() if name.endswith("strength")]
    assert len(strengths) == len(generator.noises)
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in strengths)
    for k in range(len(strengths)):
        with torch.no_grad():
            strengths[k].fill_(0.5)
        moved = generator({**noise, f"noise{k}": other[f"noise{k}"]}) - generator(noise)
        assert moved.abs().max() > 1e-3, f"noise{k}"


def test_the_mean_style_is_kept_in_training_and_goes_with_the_average():
    generator = built().train()
    generator.mixing = 0.0
    noise = drawn(generator, 500)
    average = averaged_copy(generator)
    for _ in range(1500):
        generator.mapping(noise["z"])
    mean = generator.eval().mapping(noise["z"]).mean(0)
    assert torch.allclose(generator.mapping.average, mean, atol=1e-3)
    before = generator.mapping.average.clone()
    generator(noise)
    assert torch.equal(generator.mapping.average, before)  # looking does not move it
    EMA(generator, average).start(None)  # type: ignore[arg-type]
    assert torch.equal(average.mapping.average, before)
    assert "mapping.average" in generator.state_dict()


def test_the_mapping_sees_directions_and_conditions():
    torch.manual_seed(0)
    mapping, z = MappingNetwork(16, LABEL, depth=3).eval(), torch.randn(300, 16)
    label = torch.arange(300) % 10
    w = mapping(z, {"label": label})
    assert torch.allclose(mapping(5 * z, {"label": label}), w, atol=1e-4)
    told = mapping(z, {"label": (label + 1) % 10}) - w
    drew = mapping(z.roll(10, 0), {"label": label}) - w
    assert 0.5 < told.square().mean() / drew.square().mean() < 2  # as strong as z
    with pytest.raises(UserError, match="label"):
        mapping(z, {})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("channels", "side"), [(1, 8), (3, 16), (5, 32), (1, 64)])
def test_pictures_of_all_sizes(kind, channels, side):
    generator = built(kind, (channels, side, side), given=LABEL)
    given = {"label": torch.tensor([1, 2])}
    made = generator(drawn(generator, 2), given)
    assert made.shape == (2, channels, side, side)
    assert generator.count == 2 * (side.bit_length() - 2)
    block = ResidualBlock if kind is SkipSynthesis else HalvingBlock
    critic = style_critic(DataSpec("p", "image", Field((channels, side, side)), LABEL), base=4, block=block)
    score = critic(made, given).score
    assert score.shape == (2,)
    assert not torch.equal(score, critic(made, {"label": torch.tensor([2, 1])}).score)
    with pytest.raises(UserError, match="side"):
        built(kind, (1, 12, 12))


@pytest.mark.parametrize("block", [HalvingBlock, ResidualBlock])
def test_r1_goes_twice_through_blur_and_minibatch_deviation(block):
    torch.manual_seed(0)
    critic = style_critic(DataSpec("p", "image", Field((1, 8, 8))), base=2, block=block).double()
    real = torch.randn(4, 1, 8, 8).double()

    def penalty() -> torch.Tensor:
        duel = Duel(Batch(real), {}, lambda noise, given: Batch(real), critic)
        return R1()(duel).mean()

    for weight in [p for p in critic.parameters() if p.dim() > 1][:3]:
        (gradient,) = torch.autograd.grad(penalty(), weight)
        place, step = (0,) * weight.dim(), 1e-6
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                weight[place] += sign * step
            values.append(penalty().item())
            with torch.no_grad():
                weight[place] -= sign * step
        assert gradient[place].item() == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-4, abs=1e-9)


def test_all_weights_of_the_critic_are_equalised():
    critic = style_critic(DataSpec("p", "image", Field((1, 8, 8)), LABEL), base=16)
    plain = [m for m in critic.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert not plain
    assert all(0.7 < p.std().item() < 1.3 for p in critic.parameters() if p.numel() > 200)


@pytest.mark.parametrize("recipe", [stylegan, stylegan2])
def test_the_rates_of_all_players_fall_over_the_second_half(recipe):
    players = recipe(DataSpec("dots", "image", Field((1, 8, 8)), rows=64), width=4, latent=4).players
    assert {(player.schedule(0.5), player.schedule(0.75), player.schedule(1.0)) for player in players} == {(1, 0.5, 0)}


@pytest.mark.parametrize(
    ("side", "told", "residual", "path"),
    [
        (32, {}, False, False),
        (64, {}, True, True),
        (8, {"residual": True}, True, False),
        (8, {"path": 2.0}, False, True),
        (64, {"residual": False, "path": 0.0}, False, False),
    ],
)
def test_small_pictures_have_neither_a_residual_critic_nor_a_path_unless_told(side, told, residual, path):
    experiment = stylegan2(DataSpec("dots", "image", Field((1, side, side)), rows=64), width=4, latent=4, **told)
    critic, players = experiment.learners["game"].critic, {player.name: player for player in experiment.players}
    assert any(isinstance(module, ResidualBlock) for module in critic.modules()) == residual
    assert ("path" in players) == path
    assert players["generator"].optimizer.param_groups[0]["lr"] == pytest.approx(4e-3 * (8 / 9 if path else 1))
