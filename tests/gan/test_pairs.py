"""Critics of pairs, coupled games and pyramids of games."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from simulacra.batch import Batch, DataSpec, Field
from simulacra.errors import UserError
from simulacra.gan import ALI, LAPGAN, Bidirectional, Coupled, Hinge, NonSaturating, StandardNormal, Wasserstein
from simulacra.gan.coupled import edges, negative, unpaired
from simulacra.networks import Critic, LatentEncoder, LinearHead, PointMass, ProjectionHead
from simulacra.networks.dcgan import DCGenerator
from simulacra.networks.dense import DenseGenerator
from simulacra.networks.pyramid import DetailGenerator
from simulacra.protocols import Encoder, NoiseMap
from simulacra.recipes.ali import ali
from simulacra.recipes.cogan import cogan
from simulacra.recipes.lapgan import lapgan
from simulacra.testing import Rows, Unchanged, streams_for
from simulacra.training.loop import train
from simulacra.training.stream import DataStream

POINTS = DataSpec("points", "vector", Field((2,)), rows=512)
PICTURES = DataSpec("dots", "image", Field((1, 8, 8)), {"label": Field((), "class", 3)}, rows=64)


def pictures(n=64):
    torch.manual_seed(0)
    return Rows(PICTURES, Batch(torch.rand(n, 1, 8, 8), {"label": torch.arange(n) % 3}))


class First(nn.Module):
    """x, or the numbers of z where it is asked for z."""

    def forward(self, x, given=None):
        return x["z"] if isinstance(x, dict) else x.flatten(1)


class Sees(nn.Module):
    """A critic's body that shows the pair itself."""

    def forward(self, x, given):
        return torch.cat([x, given["z"]], 1)


class Product(nn.Module):
    """The score x . z, whose mean says how the two halves of a pair go together."""

    def forward(self, features, given):
        return (features[:, :2] * features[:, 2:]).sum(1)


@pytest.mark.parametrize("objective", [NonSaturating(), Wasserstein()])
def test_generator_and_encoder_have_the_critics_loss_with_its_labels_swapped(objective):
    torch.manual_seed(0)
    encoder = LatentEncoder(First(), 2, 2, deterministic=True)
    game = ALI(Bidirectional(First(), encoder, StandardNormal(2)), Critic(Sees(), LinearHead(4)), objective)
    game.pair.noise = lambda n: {"z": torch.ones(n, 2)}
    batch = Batch(torch.randn(16, 2))
    real, fake = game.scores(batch)
    assert torch.allclose(game.critic_loss(batch).parts["critic"], objective.critic(real, fake).mean())
    assert torch.allclose(game.swapped_loss(batch).parts["pair"], objective.critic(fake, real).mean())
    with torch.no_grad():
        for p in game.critic.parameters():
            p.zero_()
    want = 0.0 if isinstance(objective, Wasserstein) else 2 * math.log(2)
    for loss in (game.critic_loss(batch), game.swapped_loss(batch)):
        assert sum(loss.parts.values()).item() == pytest.approx(want, abs=1e-6)


def test_inverse_maps_are_the_fixed_point_of_the_game():
    """Data N(m, A A'), g(z) = A z + m and its inverse: both kinds of pair are the same, no critic can tell."""
    torch.manual_seed(0)
    a, m = torch.tensor([[2.0, 0.0], [1.0, 0.5]]), torch.tensor([3.0, -1.0])
    generator, encoder = nn.Linear(2, 2), LatentEncoder(First(), 2, 2, deterministic=True)
    with torch.no_grad():
        generator.weight.copy_(a), generator.bias.copy_(m)
        encoder.numbers.weight.copy_(a.inverse()), encoder.numbers.bias.copy_(-a.inverse() @ m)

    class Push(nn.Module):
        def __init__(self):
            super().__init__()
            self.map = generator

        def forward(self, noise, given):
            return self.map(noise["z"])

    pair = Bidirectional(Push(), encoder, StandardNormal(2))
    game = ALI(pair, Critic(Sees(), Product()), Wasserstein())
    batch = Batch(torch.randn(40_000, 2) @ a.T + m)
    assert (pair.reconstruct(batch).x - batch.x).abs().max() < 1e-4
    real, fake = game.scores(batch)
    error = math.sqrt((real.var() + fake.var()).item() / 40_000)
    assert abs((real.mean() - fake.mean()).item()) < 4 * error
    with torch.no_grad():
        encoder.numbers.bias += 0.5
    real, fake = game.scores(batch)
    assert abs((real.mean() - fake.mean()).item()) > 8 * error


def test_an_encoder_is_a_gaussian_or_a_point():
    x = torch.randn(5, 2)
    q = LatentEncoder(First(), 2, 3)(x)
    assert (q.batch_shape, q.event_shape) == ((5,), (3,))
    assert not torch.equal(q.rsample(), q.rsample())
    assert q.rsample().requires_grad
    sure = LatentEncoder(First(), 2, 3, deterministic=True)(x)
    assert isinstance(sure, PointMass)
    assert torch.equal(sure.rsample(), sure.mean)
    assert sure.sample((4,)).shape == (4, 5, 3)


def test_the_model_of_ali_samples_and_encodes_and_learns_to_come_back():
    torch.manual_seed(0)
    dataset = Rows(POINTS, Batch(torch.randn(512, 2) * torch.tensor([3.0, 0.5]) + 1))
    experiment = ali(POINTS, width=32, rounds=400, batch=128, ema=0.95)
    model = experiment.model
    assert isinstance(model, NoiseMap)
    assert isinstance(model, Encoder)
    streams = streams_for(experiment, dataset)
    experiment.codec.fit([dataset.batch])
    events = experiment.codec.encode(dataset.batch)

    def missed():
        return (model.reconstruct(events).x - events.x).square().mean().sqrt().item()

    before = missed()
    for _ in train(experiment, streams):
        pass
    assert missed() < 0.6 * before


def test_the_domains_share_no_row_and_one_is_changed():
    spec = DataSpec("numbers", "vector", Field((1,)))
    dataset = Rows(spec, Batch(torch.arange(1.0, 22.0)[:, None]))
    stream = unpaired(DataStream(dataset, torch.arange(21), Unchanged()), negative)
    batch = stream.peek(10)
    assert torch.equal(batch.x, stream.next(10).x)
    assert set((batch.x % 2).flatten().tolist()) == {1.0}
    assert set((batch.given["source"] % 2).flatten().tolist()) == {0.0}
    assert (batch.given["source"] < 0).all()
    state = stream.state_dict()
    want = stream.next(7)
    stream.load_state_dict(state)
    have = stream.next(7)
    assert torch.equal(want.x, have.x)
    assert torch.equal(want.given["source"], have.given["source"])


def test_edges_are_where_neighbours_differ():
    x = -torch.ones(1, 1, 8, 8)
    x[..., 2:6, 2:6] = 1
    found = edges(x)
    assert found.min() == -1
    assert found.max() == 1
    assert (found[..., 3:5, 3:5] == -1).all()
    assert (found[..., 2, 2:6] == 1).all()
    assert torch.equal(edges(negative(x)), found)


@pytest.mark.parametrize("layers", [0, 1])
def test_generators_are_tied_in_the_average_too_and_live_apart_from_it(layers):
    experiment = cogan(PICTURES, width=4, latent=4, tied_generator=layers, tied_critic=layers)
    live, model = experiment.players[1].trains, experiment.model
    for one, other in (live.children(), model.children()):
        tied = [a is b for a, b in zip(one.layers, other.layers, strict=True)]
        assert tied[1] == bool(layers)
        assert not tied[-2]
    assert not {id(p) for p in live.parameters()} & {id(p) for p in model.parameters()}
    one, other = experiment.players[0].trains.children()
    assert (one.head is other.head) == bool(layers)


def test_partners_come_from_the_same_noise():
    experiment = cogan(PICTURES, width=4, latent=4)
    model = experiment.model
    assert isinstance(model, Coupled)
    made = model.sample(6)
    assert made.given["partner"].shape == made.x.shape
    with torch.no_grad():
        for own, other in zip(model.generator.parameters(), model.partner.parameters(), strict=True):
            other.copy_(own)
    made = model.sample(6)
    assert torch.equal(made.x, made.given["partner"])


@pytest.mark.parametrize(
    ("options", "message"),
    [({"second": "edgs"}, "expected --second"), ({"tied_generator": 9}, "expected at most 2 tied layers, came 9")],
)
def test_what_cannot_be_coupled_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        cogan(PICTURES, width=4, **options)


def test_levels_are_judged_on_details_of_the_same_real_picture():
    dataset = pictures()
    experiment = lapgan(PICTURES, width=4, latent=4)
    game = experiment.learners["game"]
    assert isinstance(game, LAPGAN)
    assert [player.name for player in experiment.players] == ["critic0", "generator0", "critic1", "generator1"]
    batch = experiment.codec.encode(dataset.batch)
    details = game.level(0, batch)
    assert torch.allclose(details.x + details.given["low_pass"], batch.x, atol=1e-6)
    assert game.level(1, batch).x.shape == (64, 1, 4, 4)
    duel = game.levels[0].duel(details)
    assert torch.equal(duel.fake.given["low_pass"], details.given["low_pass"])
    assert not torch.equal(duel.fake.x, details.x)


def test_the_finest_noise_moves_only_the_finest_level():
    experiment = lapgan(PICTURES, width=4, latent=4)
    model = experiment.model.eval()
    noise, told = model.noise(5), {"label": torch.zeros(5, dtype=torch.long)}
    assert {name: tuple(z.shape) for name, z in noise.items()} == {"level0": (5, 64), "level1": (5, 4)}
    coarse = model.generator.levels[1]({"z": noise["level1"]}, told)
    first, other = (model.push({**noise, "level0": z}, told).x for z in (noise["level0"], noise["level0"] + 1))
    assert not torch.equal(first, other)

    class Nothing(nn.Module):
        def forward(self, noise, given):
            return torch.zeros_like(given["low_pass"])

    model.generator.levels[0] = Nothing()
    plain = model.push(noise, told).x
    assert torch.allclose(plain, torch.nn.functional.interpolate(coarse, scale_factor=2, mode="bilinear"), atol=1e-6)


def test_the_smallest_pictures_are_convolved_from_8_on_and_rates_fall():
    large = replace(PICTURES, x=replace(PICTURES.x, shape=(1, 16, 16)))
    for spec, kind in ((PICTURES, DenseGenerator), (large, DCGenerator)):
        experiment = lapgan(spec, width=4, latent=4)
        assert isinstance(experiment.learners["game"].levels[-1].generator, kind)
        assert {player.schedule(0.75) for player in experiment.players} == {0.5}


def test_a_pyramid_has_a_smallest_size():
    with pytest.raises(UserError, match="expected --coarsest of at least 4, came 2"):
        lapgan(PICTURES, coarsest=2)
    with pytest.raises(UserError, match="expected no condition low_pass"):
        lapgan(replace(PICTURES, given={"low_pass": Field(())}))


def test_details_complete_a_picture_within_bounds_and_begin_with_the_blurred_one():
    torch.manual_seed(0)
    layer = DetailGenerator((1, 8, 8), width=8)
    low, z = 2.5 * torch.rand(6, 1, 8, 8) - 1.25, torch.randn(6, 64)
    with torch.no_grad():
        layer.layers[-1].weight.zero_()
        assert torch.allclose(low + layer({"z": z}, {"low_pass": low}), 0.95 * low.clamp(-1, 1), atol=1e-5)
        layer.layers[-1].bias.fill_(-30.0)
        assert torch.allclose(low + layer({"z": z}, {"low_pass": low}), -torch.ones_like(low), atol=1e-6)


def test_every_critic_of_a_pyramid_is_normalised_and_told_conditions_by_a_projection():
    large, larger = (replace(PICTURES, x=replace(PICTURES.x, shape=(1, side, side))) for side in (16, 32))
    for spec, coarsest in ((PICTURES, 8), (large, 8), (replace(large, given={}), 8), (larger, 16)):
        experiment = lapgan(spec, width=4, latent=4, coarsest=coarsest)
        assert {g["betas"] for p in experiment.players for g in p.optimizer.param_groups} == {(0.0, 0.9)}
        for level in experiment.learners["game"].levels:
            assert isinstance(level.objective, Hinge)
            assert not any(isinstance(m, nn.BatchNorm2d | nn.GroupNorm) for m in level.critic.modules())
            layers = [m for m in level.critic.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
            assert all(parametrize.is_parametrized(m, "weight") for m in layers)
            assert type(level.critic.head) is (ProjectionHead if spec.given else LinearHead)


def test_sampling_pairs_leaves_both_generators_as_they_are():
    torch.manual_seed(0)
    nets = [nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4)) for _ in range(2)]

    class Noisy(nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, noise, given):
            return self.net(noise["z"])

    model = Coupled(*map(Noisy, nets), StandardNormal(2)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    batch = model.sample(16)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert batch.given["partner"].shape == (16, 4)
