"""R2, DRAGAN, lazy R1 and the normalised critic: closed forms, limits, and what they do to a small game."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from simulacra.batch import Batch, DataSpec, Field
from simulacra.gan import DRAGAN, R1, R2, Duel, Minimax, Term
from simulacra.networks import Critic, LinearHead, Verdict, critic_for
from simulacra.recipes.r1_gan import r1_gan
from simulacra.recipes.sngan import sngan
from simulacra.recipes.stylegan import stylegan
from simulacra.testing import Rows, streams_for
from simulacra.training.game import Clock
from simulacra.training.loop import train

POINTS = DataSpec("points", "vector", Field((2,)), rows=96)


class Flat(nn.Module):
    def forward(self, view, given):
        return view.flatten(1)


class Quadratic(Critic):
    """|x|^2 / 2: its slope at x is |x|; notes where it was asked."""

    def __init__(self):
        super().__init__(Flat(), nn.Identity())

    def verdict(self, view, given=None):
        self.shown = view
        return Verdict(view.flatten(1).square().sum(1) / 2, view)


def linear(weights):
    head = LinearHead(len(weights))
    with torch.no_grad():
        head.score.weight.copy_(torch.tensor([weights]))
    return Critic(Flat(), head)


def duel(critic, real, fake, weight=None):
    return Duel(Batch(real, weight=weight), {}, lambda noise, given: Batch(fake), critic)


def points():
    return Rows(POINTS, Batch(torch.randn(96, 2) * 3))


def test_r2_is_r1_with_the_sides_exchanged():
    real, fake = torch.randn(6, 3), torch.randn(6, 3)
    there, back = duel(Quadratic(), real, fake), duel(Quadratic(), fake, real)
    assert torch.allclose(R2()(there), fake.square().sum(1))
    assert torch.allclose(R2()(there), R1()(back))
    assert not torch.allclose(R2()(there), R1()(there))


def test_a_linear_critic_has_the_penalty_of_its_norm_around_the_data():
    real, fake = torch.randn(8, 2), torch.randn(8, 2)
    assert torch.allclose(DRAGAN()(duel(linear([3.0, 4.0]), real, fake)), torch.full((8,), 16.0))
    assert DRAGAN(target=5)(duel(linear([3.0, 4.0]), real, fake)).max() < 1e-10


def test_dragan_looks_beside_the_data_up_to_half_a_standard_deviation_and_never_at_fakes():
    critic, real = Quadratic(), 3 * torch.randn(4000, 2) + 1
    DRAGAN()(duel(critic, real, torch.full_like(real, math.nan)))
    away = (critic.shown - real).detach() / real.std(correction=0)
    assert 0 <= away.min() < 0.001
    assert 0.45 < away.max() <= 0.5 + 1e-5
    assert away.mean().item() == pytest.approx(0.5 / 4, abs=0.01)  # E e = E u = 1/2
    rows = (away[:, 0] - 0.125) * (away[:, 1] - 0.125)
    assert rows.mean().item() == pytest.approx((1 / 12) * 0.25 * 0.25, rel=0.2)  # one e per event


def test_dragan_without_spread_is_about_the_slope_at_the_data():
    real = torch.randn(8, 3)
    got = DRAGAN(target=0, spread=0.0)(duel(Quadratic(), real, real))
    assert torch.allclose(got, R1()(duel(Quadratic(), real, real)), rtol=1e-5)


def test_a_weight_is_as_good_as_a_copy(monkeypatch):
    real, counts = torch.randn(4, 2, dtype=torch.float64), torch.tensor([1, 3, 2, 0])
    rows = torch.repeat_interleave(torch.arange(4), counts)
    monkeypatch.setattr(torch, "rand", lambda *shape, **_: torch.full(shape, 0.5, dtype=torch.float64))
    monkeypatch.setattr(torch, "rand_like", lambda x: torch.full_like(x, 0.5))
    for term in (R2(), DRAGAN()):
        weighted, copies = duel(Quadratic(), real, real, counts.double()), duel(Quadratic(), real[rows], real[rows])
        assert weighted.mean(term(weighted)).item() == pytest.approx(copies.mean(term(copies)).item(), rel=1e-12)


@pytest.mark.parametrize("term", [R2(), DRAGAN()], ids=repr)
def test_the_penalties_teach_the_critic_with_the_right_gradient(term):
    torch.manual_seed(0)
    critic = critic_for(POINTS, hidden=(5,), activation=nn.Tanh).double()
    real, fake = torch.randn(6, 2).double(), torch.randn(6, 2).double()
    weight = next(p for p in critic.body.parameters() if p.dim() == 2)

    def value():
        torch.manual_seed(1)
        return term(duel(critic, real, fake)).mean()

    (gradient,) = torch.autograd.grad(value(), weight)
    step = 1e-6
    with torch.no_grad():
        weight[0, 0] += step
    above = value().item()
    with torch.no_grad():
        weight[0, 0] -= 2 * step
    below = value().item()
    assert gradient[0, 0].item() == pytest.approx((above - below) / (2 * step), rel=1e-5)


@pytest.mark.parametrize(("term", "settles"), [(None, False), (R1(0.5), True), (R2(0.5), True)], ids=str)
def test_the_dirac_game_settles_with_a_penalty_and_circles_without(term: Term | None, settles: bool):
    """Data at 0, a generator that sits at theta, a critic psi x: simultaneous steps of the minimax game."""
    theta, critic = torch.tensor([[1.0]], requires_grad=True), linear([1.0])
    objective, psi = Minimax(), critic.head.score.weight
    critic.head.score.bias.requires_grad_(False).zero_()
    for _ in range(500):
        meeting = duel(critic, torch.zeros(1, 1), theta)
        real, fake = meeting.on_real.score, meeting.on_fake.score
        loss = objective.critic(real, fake).mean()
        if term is not None:
            loss = loss + term.weight * term(meeting).mean()
        (up,) = torch.autograd.grad(loss, psi, retain_graph=True)
        (down,) = torch.autograd.grad(objective.generator(None, fake).mean(), theta)
        with torch.no_grad():
            psi -= 0.1 * up
            theta -= 0.1 * down
    radius = math.hypot(psi.item(), theta.item())
    assert (radius < 0.01) == settles
    assert settles or radius > 2**0.5


def play(experiment, dataset):
    experiment.codec.fit([dataset[torch.arange(96)]])
    return list(train(experiment, streams_for(experiment, dataset)))


def test_lazy_r1_plays_every_kth_round_with_k_times_the_weight_on_the_critics_optimiser():
    torch.manual_seed(0)
    dataset = points()
    experiment = r1_gan(POINTS, gamma=0.5, interval=4, width=12, batch=16, rounds=12, lr=1e-3)
    critic, slope, generator = experiment.players
    assert slope.optimizer is critic.optimizer
    group = critic.optimizer.param_groups[0]
    assert group["lr"] == pytest.approx(1e-3 * 4 / 5)
    assert group["betas"] == pytest.approx((0.0, 0.99**0.8))
    assert generator.optimizer.param_groups[0]["betas"] == (0.0, 0.99)
    seen = ["slope/r1" in step.losses for step in play(experiment, dataset)]
    assert seen == [round % 4 == 0 for round in range(12)]
    game = experiment.learners["game"]
    events = experiment.codec.encode(dataset[torch.arange(16)])
    want = 4 * 0.25 * R1()(game.duel(events)).mean()
    assert slope.loss(events).parts["r1"].item() == pytest.approx(want.item(), rel=1e-5)


def test_the_optimiser_of_the_critic_forgets_as_fast_per_round_as_it_did():
    """k + 1 steps with rate c lr and beta^c, c = k/(k + 1), move and forget like k steps with lr and beta."""
    k = 16
    group = r1_gan(POINTS, interval=k, lr=1e-3).players[0].optimizer.param_groups[0]
    assert group["lr"] * (k + 1) == pytest.approx(1e-3 * k)
    assert group["betas"][1] ** (k + 1) == pytest.approx(0.99**k)


def test_r2_joins_when_asked_for():
    dataset = points()
    steps = play(r1_gan(POINTS, r2=True, interval=2, width=8, batch=16, rounds=2), dataset)
    assert {"slope/r1", "slope/r2"} <= set(steps[0].losses)
    assert "slope/r2" not in steps[1].losses


@pytest.mark.parametrize(("side", "gamma"), [(16, 1.0), (512, 2.5)])
def test_the_slope_penalty_of_styles_follows_the_side_but_has_a_floor(side, gamma):
    torch.manual_seed(0)
    experiment = stylegan(DataSpec("pictures", "image", Field((1, side, side)), rows=96), width=1, slope_every=8)
    critic, slope, _ = experiment.players
    assert slope.optimizer is critic.optimizer
    assert [t for t in range(20) if slope.when(Clock(t, 20))] == [0, 8, 16]
    events = Batch(torch.rand(2, 1, side, side))
    want = 8 * gamma / 2 * R1()(experiment.learners["game"].duel(events)).mean()
    assert slope.loss(events).parts["r1"].item() == pytest.approx(want.item(), rel=1e-4)


def test_the_normalised_critic_is_never_steeper_than_its_bound():
    torch.manual_seed(0)
    dataset = points()
    experiment = sngan(POINTS, slope=3.0, width=16, batch=16, rounds=40, normalised_generator=True)
    play(experiment, dataset)
    game = experiment.learners["game"].eval()  # one power iteration a turn runs a little behind the weights
    weights = [m.weight for m in game.critic.modules() if isinstance(m, nn.Linear)]
    assert [torch.linalg.matrix_norm(w, 2).item() for w in weights] == pytest.approx([1.0] * 4, abs=0.1)
    here, there = torch.randn(2, 2000, 2)
    rise = (game.critic(here).score - game.critic(there).score).abs() / (here - there).norm(dim=1)
    assert rise.max() <= 3 * 1.1**4
    made = [m.weight for m in game.generator.modules() if isinstance(m, nn.Linear)]
    assert [torch.linalg.matrix_norm(w, 2).item() for w in made] == pytest.approx([1.0] * 4, abs=0.05)
