"""The laws of the duel."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from simulacra.batch import Batch, DataSpec, Field
from simulacra.gan import (
    GAN,
    R1,
    Constrainer,
    Duel,
    GradientPenalty,
    Hinge,
    NonSaturating,
    Relativistic,
    SameError,
    StandardNormal,
    UniformCube,
    Wasserstein,
)
from simulacra.networks import MLP, critic_for, generator_for, spectrally_normalised
from simulacra.protocols import NoiseMap
from simulacra.random import draws

GIVEN = {"energy": Field((1,)), "label": Field((), "class", 3)}
SPEC = DataSpec("plane", "vector", Field((2,)), GIVEN)


def batch(n=16, weight=None):
    given = {"energy": torch.randn(n, 1), "label": torch.arange(n) % 3}
    return Batch(torch.randn(n, 2), given, weight=weight)


def game(objective=None, terms=(), spec=SPEC):
    sizes = {"hidden": (16, 16)}
    return GAN(
        generator_for(spec, 4, **sizes), critic_for(spec, **sizes), objective or Wasserstein(), StandardNormal(4), terms
    )


def test_a_gan_is_a_noise_map():
    gan = game()
    assert isinstance(gan, NoiseMap)
    assert isinstance(gan.averaged(), NoiseMap)
    given = batch(5).given
    noise = gan.noise(5)
    assert torch.equal(gan.push(noise, given).x, gan.push(noise, given).x)
    assert gan.push(noise, given).x.requires_grad
    assert not gan.sample(5, given).x.requires_grad


def test_sampling_is_in_evaluation_mode_and_leaves_the_modes_alone():
    gan = game()
    gan.generator.add_module("extra", nn.BatchNorm1d(2))
    gan.generator.train()
    gan.generator.extra.eval()
    gan.sample(3, batch(3).given)
    assert gan.generator.training
    assert not gan.generator.extra.training


def test_the_averaged_half_is_a_frozen_copy():
    gan = game()
    average = gan.averaged()
    given = batch(5).given
    noise = gan.noise(5)
    assert torch.equal(average.push(noise, given).x, gan.push(noise, given).x)
    assert not any(p.requires_grad for p in average.parameters())
    with torch.no_grad():
        next(iter(gan.generator.parameters())).add_(1.0)
    assert not torch.equal(average.push(noise, given).x, gan.push(noise, given).x)


def test_latents_are_what_they_say():
    with draws(1):
        normal, cube = StandardNormal(50).draw(2000), UniformCube(50).draw(2000)
    assert normal.std().item() == pytest.approx(1, abs=0.02)
    assert cube.std().item() == pytest.approx(3**-0.5, abs=0.02)
    assert cube.abs().max() <= 1


def test_nothing_is_computed_before_it_is_asked_for():
    calls = []

    def push(noise, given):
        calls.append("push")
        return Batch(torch.zeros(4, 2))

    spec = DataSpec("plane", "vector", Field((2,)))
    critic = critic_for(spec, hidden=(8,))
    critic.register_forward_pre_hook(lambda *_: calls.append("critic"))
    duel = Duel(Batch(torch.zeros(4, 2)), {}, push, critic)
    assert calls == []
    duel.on_real  # noqa: B018
    assert calls == []
    duel.on_fake, duel.on_fake, duel.fake  # noqa: B018
    assert calls == ["push"]


def test_fakes_weigh_and_are_told_what_their_partners_are():
    gan, real = game(), batch(6, torch.rand(6))
    duel = gan.duel(real)
    assert duel.fake.weight is real.weight
    assert duel.fake.given is real.given


@pytest.mark.parametrize("player", ["critic_loss", "generator_loss"])
@pytest.mark.parametrize("objective", [Wasserstein(), NonSaturating(), Hinge(), Relativistic()])
def test_a_weight_is_as_good_as_a_copy(player, objective, monkeypatch):
    """Event i with weight 3 counts as three events i: of the losses, all of their terms and the gradients."""
    torch.manual_seed(0)
    gan = game(objective, [GradientPenalty(), R1()]).double()
    gan.generator_terms = (SameError(Constrainer(_reader()).double(), weight=0.7),)
    counts = torch.tensor([1, 3, 2, 0, 1])
    rows = torch.repeat_interleave(torch.arange(5), counts)
    base = batch(5)
    weighted = Batch(base.x.double(), {"energy": base.given["energy"].double(), "label": base.given["label"]})
    weighted = Batch(weighted.x, weighted.given, weight=counts.double())
    copies = Batch(weighted.x[rows], {k: v[rows] for k, v in weighted.given.items()})
    noise, share = torch.randn(5, 4).double(), torch.rand(5, 1).double()

    def losses(events, pick):
        monkeypatch.setattr(gan, "noise", lambda n: {"z": noise[pick]})
        monkeypatch.setattr(torch, "rand", lambda *_, **__: share[pick])
        loss = getattr(gan, player)(events)
        net = gan.critic if player == "critic_loss" else gan.generator
        return loss.parts, torch.autograd.grad(sum(loss.parts.values()), list(net.parameters()), allow_unused=True)

    one, slope_one = losses(weighted, torch.arange(5))
    many, slope_many = losses(copies, rows)
    assert set(one) == set(many)
    for name in one:
        assert one[name].item() == pytest.approx(many[name].item(), rel=1e-9), name
    for a, b in zip(slope_one, slope_many, strict=True):
        assert (a is None and b is None) or torch.allclose(a, b, rtol=1e-9, atol=1e-12)


class _reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = MLP(2, 1, (8,))

    def forward(self, x, given):
        return self.net(x)


def test_terms_are_weighed_once():
    gan, events = game(terms=[GradientPenalty(weight=7.0)]), batch(8)
    torch.manual_seed(3)
    part = gan.critic_loss(events).parts["gradient_penalty"]
    torch.manual_seed(3)
    assert part.item() == pytest.approx(7 * GradientPenalty()(gan.duel(events)).mean().item())


def test_the_constrainer_reads_the_condition_and_the_term_compares_errors():
    reader = Constrainer(_reader())
    events = batch(8)
    assert reader.loss(events).parts["constrainer"].item() == pytest.approx(reader.errors(events).mean().item())
    gan = game()
    duel = gan.duel(events)
    want = (reader.errors(events).mean() - reader.errors(duel.fake).mean()).abs()
    assert SameError(reader)(duel).item() == pytest.approx(want.item())
    same = Duel(events, {}, lambda noise, given: events, gan.critic)
    assert SameError(reader)(same).item() == 0


def test_the_critics_loss_leaves_a_graph_to_the_generator():
    gan = game(terms=[GradientPenalty()])
    loss = sum(gan.critic_loss(batch()).parts.values())
    slopes = torch.autograd.grad(loss, list(gan.generator.parameters()))
    assert all(torch.isfinite(s).all() for s in slopes)
    assert any(s.abs().max() > 0 for s in slopes)


def test_a_spectrally_normalised_critic_plays():
    gan = game(Hinge())
    gan.critic = spectrally_normalised(gan.critic)  # type: ignore[assignment]
    assert torch.isfinite(gan.critic_loss(batch()).parts["critic"])
