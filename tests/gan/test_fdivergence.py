"""Every f-divergence is what its optimal critic finds, and no critic finds more."""

from __future__ import annotations

import math

import pytest
import torch

from simulacra.batch import DataSpec, Field
from simulacra.errors import UserError
from simulacra.gan import DIVERGENCES, FDivergence, LeastSquares, Minimax, NonSaturating, Variational
from simulacra.recipes.fgan import fgan

P = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)
Q = torch.tensor([0.2, 0.2, 0.2, 0.4], dtype=torch.float64)
LOG_RATIO = (P / Q).log()


def kl(p, q):
    return float((p * (p / q).log()).sum())


TWICE_JS = kl(P, (P + Q) / 2) + kl(Q, (P + Q) / 2)
ON_PAPER = {
    "kl": kl(P, Q),
    "reverse_kl": kl(Q, P),
    "pearson": float(((P - Q).square() / Q).sum()),
    "hellinger": float((P.sqrt() - Q.sqrt()).square().sum()),
    "jensen_shannon": TWICE_JS,
    "gan": TWICE_JS - 2 * math.log(2),
}
ALL = pytest.mark.parametrize("one", DIVERGENCES.values(), ids=str)


def bound(one: FDivergence, score: torch.Tensor) -> float:
    """E_p T - E_q f*(T) with T = g(score)."""
    return float((P * one.activation(score)).sum() - (Q * one.on_fake(score)).sum())


@ALL
def test_the_optimal_critic_finds_the_divergence(one):
    found = bound(one, one.best(LOG_RATIO))
    assert found == pytest.approx(ON_PAPER[one.name], abs=1e-12)
    assert found == pytest.approx(float((Q * one.f(P / Q)).sum()), abs=1e-12)


@ALL
def test_no_critic_finds_more(one):
    draws = torch.Generator().manual_seed(1)
    best = one.best(LOG_RATIO)
    for size in (0.01, 0.1, 1.0):
        for _ in range(50):
            score = best + size * torch.randn(4, generator=draws, dtype=torch.float64)
            assert bound(one, score) < ON_PAPER[one.name]


@ALL
def test_the_critics_loss_has_no_slope_at_its_optimum(one):
    score = one.best(LOG_RATIO).requires_grad_()
    objective = Variational(one)
    nothing = torch.zeros_like(score)
    real = objective.critic(score, nothing) - objective.critic(nothing, nothing)
    loss = (P * real + Q * objective.critic(nothing, score)).sum()
    (slope,) = torch.autograd.grad(loss, score)
    assert slope.abs().max() < 1e-12


@ALL
def test_the_conjugate_is_the_highest_of_all_lines(one):
    """f*(t) = max_u (u t - f(u)), by search over u."""
    u = torch.logspace(-6, 4, 400_001, dtype=torch.float64)
    for log_u in (-2.0, -0.5, 0.0, 1.0, 2.0):
        t = one.activation(one.best(torch.tensor(log_u, dtype=torch.float64)))
        assert float((u * t - one.f(u)).max()) == pytest.approx(float(one.conjugate(t)), abs=1e-7)


@ALL
def test_the_best_score_is_the_slope_of_f(one):
    log_u = torch.linspace(-3, 3, 13, dtype=torch.float64)
    u = log_u.exp().requires_grad_()
    (slope,) = torch.autograd.grad(one.f(u).sum(), u)
    assert torch.allclose(one.activation(one.best(log_u)), slope)


@ALL
def test_what_is_said_of_fakes_is_the_conjugate_and_does_not_overflow(one):
    score = torch.linspace(-5, 5, 21, dtype=torch.float64)
    assert torch.allclose(one.on_fake(score), one.conjugate(one.activation(score)))
    if one.name in ("reverse_kl", "jensen_shannon", "gan"):
        far = torch.tensor([-1000.0, 1000.0], requires_grad=True)
        (slope,) = torch.autograd.grad(one.on_fake(far).sum(), far)
        assert torch.isfinite(slope).all()


@ALL
def test_equal_distributions_are_worth_f_of_one(one):
    zero = torch.zeros(4, dtype=torch.float64)
    worth = float((P * one.activation(one.best(zero)) - P * one.on_fake(one.best(zero))).sum())
    assert worth == pytest.approx(-2 * math.log(2) if one.name == "gan" else 0.0, abs=1e-12)


@pytest.mark.parametrize(("name", "most"), [("hellinger", 2.0), ("jensen_shannon", 2 * math.log(2)), ("gan", 0.0)])
def test_distributions_that_do_not_overlap_are_worth_f_of_zero_and_its_slope_at_infinity(name, most):
    one = DIVERGENCES[name]
    u, far = torch.tensor(1e-12, dtype=torch.float64), torch.tensor(60.0, dtype=torch.float64)
    assert float(one.f(u) + one.activation(far)) == pytest.approx(most, abs=1e-5)


def test_the_game_of_the_first_paper_is_one_of_them():
    real, fake = torch.randn(50), torch.randn(50)
    ours, first = Variational(DIVERGENCES["gan"]), NonSaturating()
    assert torch.allclose(ours.critic(real, fake), first.critic(real, fake))
    assert torch.allclose(ours.generator(None, fake), first.generator(None, fake))
    saturating = Variational(DIVERGENCES["gan"], saturating=True)
    assert torch.allclose(saturating.generator(None, fake), Minimax().generator(None, fake))


def test_jensen_shannon_is_that_game_with_the_offset_taken_out():
    real, fake = torch.randn(50), torch.randn(50)
    apart = NonSaturating().critic(real, fake) - Variational(DIVERGENCES["jensen_shannon"]).critic(real, fake)
    assert torch.allclose(apart, torch.full((50,), 2 * math.log(2)))


def test_least_squares_is_the_pearson_divergence_of_the_generator_and_the_middle():
    """b - c = 1 and b - a = 2: twice the generator's loss, over both sides, is sum (2q - (p + q))^2 / (p + q)."""
    both = P + Q
    pearson = float((both * DIVERGENCES["pearson"].f(2 * Q / both)).sum())
    loss = LeastSquares().generator(None, (P - Q) / both)
    assert 2 * float((both * loss).sum()) == pytest.approx(pearson, abs=1e-12)


@ALL
@pytest.mark.parametrize("saturating", [False, True])
def test_the_generator_wants_the_score_that_the_critic_fears(one, saturating):
    objective = Variational(one, saturating)
    fake = torch.linspace(-1.5, 2, 8, requires_grad=True)
    (critic,) = torch.autograd.grad(objective.critic(torch.zeros(8), fake).sum(), fake)
    (generator,) = torch.autograd.grad(objective.generator(None, fake).sum(), fake)
    assert (critic > 0).all()
    assert (generator < 0).all()
    if saturating:
        assert torch.allclose(critic, -generator)


def test_only_the_alternative_loss_feels_a_confident_critic():
    fake = torch.full((1,), -20.0, requires_grad=True)
    for saturating, alive in ((True, False), (False, True)):
        loss = Variational(DIVERGENCES["jensen_shannon"], saturating).generator(None, fake).sum()
        (slope,) = torch.autograd.grad(loss, fake)
        assert (slope.abs().item() > 0.99) == alive


def test_an_unknown_divergence_is_refused_in_one_line():
    with pytest.raises(
        UserError, match="expected an f-divergence, came 'helinger'; did you mean 'hellinger'"
    ) as caught:
        fgan(DataSpec("points", "vector", Field((2,))), divergence="helinger")
    assert "\n" not in str(caught.value)
