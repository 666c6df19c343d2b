"""Looking ahead: the steps of an unrolled game are those that the critic will take, at the rate of the round."""

from __future__ import annotations

import pytest
import torch
from plane import SPEC, played
from torch import nn

from simulacra.batch import Batch, DataSpec, Field
from simulacra.errors import UserError
from simulacra.gan import GAN, R1, HistoricalAveraging, NonSaturating, StandardNormal, Unrolled
from simulacra.gan import unrolled as module
from simulacra.networks import critic_for, generator_for
from simulacra.recipes.gan import gan
from simulacra.recipes.unrolled_gan import unrolled_gan
from simulacra.testing import Rows, streams_for
from simulacra.training.game import Clock
from simulacra.training.loop import train

DOTS = Rows(DataSpec("dots", "image", Field((1, 8, 8)), rows=64), Batch(torch.rand(64, 1, 8, 8)))
POINTS = Rows(DataSpec("plane", "vector", Field((2,)), rows=64), Batch(torch.randn(64, 2)))


def game(objective=None, terms=(), hidden=(6,), activation=nn.Tanh):
    """A small smooth game in double precision."""
    torch.manual_seed(0)
    options = {"hidden": hidden, "activation": activation}
    parts = generator_for(SPEC, 2, **options), critic_for(SPEC, **options)
    return GAN(*parts, objective or NonSaturating(), StandardNormal(2), terms).double()


def still(plain, monkeypatch, n):
    """The same noise in every encounter, so that a loss is a function of the weights."""
    z = torch.randn(n, 2).double()
    monkeypatch.setattr(plain, "noise", lambda _: {"z": z})


def turn(gan, optimizer, batch):
    """One ordinary turn of the critic."""
    optimizer.zero_grad()
    sum(gan.critic_loss(batch).parts.values()).backward(inputs=list(gan.critic.parameters()))
    optimizer.step()


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, 0.3),
    "momentum": lambda p: torch.optim.SGD(p, 0.1, momentum=0.8),
    "adam": lambda p: torch.optim.Adam(p, 0.03, betas=(0.5, 0.9)),
}


@pytest.mark.parametrize("played", [0, 3])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_looking_ahead_is_what_the_optimiser_does_next(name, played, monkeypatch):
    plain = game()
    still(plain, monkeypatch, 12)
    batch, optimizer = Batch(torch.randn(12, 2).double()), OPTIMIZERS[name](plain.critic.parameters())
    for _ in range(played):
        turn(plain, optimizer, batch)
    ahead = Unrolled(plain, optimizer, 4).generator_loss(batch).parts["generator"]
    for _ in range(4):
        turn(plain, optimizer, batch)
    assert ahead.item() == pytest.approx(plain.generator_loss(batch).parts["generator"].item(), rel=1e-9)


@pytest.mark.parametrize("terms", [(), (R1(0.3),)])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_gradient_runs_through_the_critics_steps(name, terms, monkeypatch):
    plain = game(terms=terms)
    still(plain, monkeypatch, 8)
    batch, optimizer = Batch(torch.randn(8, 2).double()), OPTIMIZERS[name](plain.critic.parameters())
    turn(plain, optimizer, batch)
    unrolled, weight = Unrolled(plain, optimizer, 3), next(plain.generator.parameters())

    def loss():
        return unrolled.generator_loss(batch).parts["generator"]

    (slope,) = torch.autograd.grad(loss(), weight)
    (blind,) = torch.autograd.grad(plain.generator_loss(batch).parts["generator"], weight)
    for row, column in [(0, 0), (3, 1)]:
        found = []
        for sign in (1, -1):
            weight.data[row, column] += sign * 1e-5
            found.append(loss().item())
            weight.data[row, column] -= sign * 1e-5
        assert slope[row, column].item() == pytest.approx((found[0] - found[1]) / 2e-5, rel=1e-4, abs=1e-9)
    assert not torch.allclose(slope, blind, rtol=0.01)


def test_looking_ahead_leaves_the_critic_and_its_optimiser_alone(monkeypatch):
    plain = game()
    still(plain, monkeypatch, 8)
    optimizer, batch = torch.optim.Adam(plain.critic.parameters(), 0.1), Batch(torch.randn(8, 2).double())
    turn(plain, optimizer, batch)
    before = [p.detach().clone() for p in plain.critic.parameters()]
    momenta = [v.clone() for s in optimizer.state.values() for v in s.values()]
    sum(Unrolled(plain, optimizer, 2).generator_loss(batch).parts.values()).backward(
        inputs=list(plain.generator.parameters())
    )
    assert all(torch.equal(a, b) for a, b in zip(before, plain.critic.parameters(), strict=True))
    after = [v for s in optimizer.state.values() for v in s.values()]
    assert all(torch.equal(a, b) for a, b in zip(momenta, after, strict=True))


def test_weights_without_a_gradient_do_not_spoil_the_others(monkeypatch):
    """A dead unit has square 0, where Adam's root has no slope."""
    plain = game(activation=nn.ReLU)
    still(plain, monkeypatch, 8)
    with torch.no_grad():
        plain.critic.body.net[0].layers[0].bias[:3] = -100
    optimizer = torch.optim.Adam(plain.critic.parameters(), 0.1)
    loss = Unrolled(plain, optimizer, 2).generator_loss(Batch(torch.randn(8, 2).double())).parts["generator"]
    assert all(torch.isfinite(s).all() for s in torch.autograd.grad(loss, list(plain.generator.parameters())))


def test_unknown_optimisers_are_refused_in_one_line():
    plain = game()
    for optimizer in (
        torch.optim.RMSprop(plain.critic.parameters()),
        torch.optim.Adam(plain.critic.parameters(), weight_decay=0.1),
    ):
        with pytest.raises(UserError, match="expected plain SGD or Adam") as caught:
            Unrolled(plain, optimizer, 1)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="expected 0 or more"):
        Unrolled(plain, torch.optim.SGD(plain.critic.parameters(), 0.1), -1)


def test_without_steps_the_unrolled_gan_is_the_gan():
    one, other = played(gan, hidden=8)[1], played(unrolled_gan, width=8, unroll=0, critic_lr=1e-3)[1]
    assert one.keys() == other.keys()
    assert all(torch.equal(one[k], other[k]) for k in one)
    ahead = played(unrolled_gan, width=8, unroll=2, critic_lr=1e-3)[1]
    assert not all(torch.equal(one[k], ahead[k]) for k in one)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
def test_a_factor_is_a_smaller_rate(kind, monkeypatch):
    spec = DataSpec("plane", "vector", Field((2,)))
    game = GAN(generator_for(spec, 2), critic_for(spec), NonSaturating(), StandardNormal(2)).double()
    z, batch = torch.randn(12, 2).double(), Batch(torch.randn(12, 2).double())
    monkeypatch.setattr(game, "noise", lambda _: {"z": z})
    weights = list(game.critic.parameters())
    looks = [
        Unrolled(game, kind(weights, rate), 3, lambda factor=factor: factor).generator_loss(batch).parts["generator"]
        for rate, factor in ((0.04, 0.25), (0.01, 1.0), (0.04, 1.0))
    ]
    assert looks[0].item() == pytest.approx(looks[1].item(), rel=1e-12)
    assert looks[0].item() != pytest.approx(looks[2].item(), rel=1e-6)


@pytest.mark.parametrize(
    ("data", "falls"), [(DOTS, [1, 1, 1, 1, 1, 0.75, 0.5, 0.25]), (POINTS, [1] * 8)], ids=["pictures", "points"]
)
def test_the_critic_is_imagined_at_the_rate_at_which_it_steps(data, falls, monkeypatch):
    """What the recipe's two players really use, spied upon round for round."""
    experiment = unrolled_gan(data.spec, width=4, latent=2, unroll=2, critic_lr=5e-4, batch=16)
    experiment.clock = Clock(0, len(falls))
    real: list[float] = []
    imagined: list[set[float]] = []
    adam = module._adam  # pyright: ignore[reportPrivateUsage]

    def spied(group, state, parameter, rate):
        imagined[-1].add(rate)
        return adam(group, state, parameter, rate)

    def note(optimizer, *_):
        real.append(optimizer.param_groups[0]["lr"])
        imagined.append(set())

    monkeypatch.setattr(module, "_adam", spied)
    experiment.optimizers()[0].register_step_pre_hook(note)
    for _ in train(experiment, streams_for(experiment, data)):
        pass
    assert real == pytest.approx([5e-4 * factor for factor in falls])
    assert imagined == [{rate} for rate in real]


def test_terms_on_the_critics_weights_see_those_of_the_steps(monkeypatch):
    plain = game()
    history = HistoricalAveraging(plain.critic, 5.0).double()
    plain.critic_terms = (history,)
    still(plain, monkeypatch, 12)
    batch, optimizer = Batch(torch.randn(12, 2).double()), OPTIMIZERS["adam"](plain.critic.parameters())
    for _ in range(3):
        turn(plain, optimizer, batch)
        history.remember()
    ahead = Unrolled(plain, optimizer, 3).generator_loss(batch).parts["generator"]
    for _ in range(3):
        turn(plain, optimizer, batch)
    assert ahead.item() == pytest.approx(plain.generator_loss(batch).parts["generator"].item(), rel=1e-9)
