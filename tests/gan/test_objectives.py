"""What each objective is worth at its optimal critic, known on paper."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import softplus

from simulacra.gan import Hinge, LeastSquares, Minimax, NonSaturating, Relativistic, Wasserstein

P = torch.tensor([0.5, 0.3, 0.2, 0.0], dtype=torch.float64)
Q = torch.tensor([0.2, 0.2, 0.2, 0.4], dtype=torch.float64)


WRAPPED = [Relativistic(inner, a) for inner in (NonSaturating(), LeastSquares(), Hinge()) for a in (False, True)]


def value(objective, score, p, q):
    """The critic's mean loss when bin k has this score: real and fake sides apart, each with the other one at 0."""
    real, fake, nothing = score, score, torch.zeros_like(score)
    both = objective.critic(real, nothing), objective.critic(nothing, fake)
    base = objective.critic(nothing, nothing)
    return float((p * (both[0] - base / 2)).sum() + (q * (both[1] - base / 2)).sum())


def jensen_shannon(p, q):
    m = (p + q) / 2
    return float(0.5 * torch.special.xlogy(p, p / m).nansum() + 0.5 * torch.special.xlogy(q, q / m).nansum())


def optimal_logit(p, q):
    return (p.clamp(min=1e-300).log() - q.clamp(min=1e-300).log()).clamp(-500, 500)


@pytest.mark.parametrize("objective", [Minimax(), NonSaturating()])
def test_minimax_is_worth_two_log_two_less_twice_the_jensen_shannon_divergence(objective):
    assert -value(objective, optimal_logit(P, Q), P, Q) == pytest.approx(-2 * math.log(2) + 2 * jensen_shannon(P, Q))
    assert -value(objective, optimal_logit(P, P), P, P) == pytest.approx(-2 * math.log(2))


def test_minimax_is_worth_nothing_where_data_and_generator_do_not_overlap():
    p, q = torch.tensor([1.0, 0.0]).double(), torch.tensor([0.0, 1.0]).double()
    assert jensen_shannon(p, q) == pytest.approx(math.log(2))
    assert value(Minimax(), optimal_logit(p, q), p, q) == pytest.approx(0.0, abs=1e-9)


def test_only_the_non_saturating_generator_feels_a_confident_critic():
    fake = torch.full((1,), -20.0, requires_grad=True)
    (dead,) = torch.autograd.grad(Minimax().generator(None, fake).sum(), fake)
    (alive,) = torch.autograd.grad(NonSaturating().generator(None, fake).sum(), fake)
    assert dead.abs() < 1e-8
    assert alive.abs() > 0.99


@pytest.mark.parametrize(("labels", "is_chi2"), [((-1.0, 1.0, 0.0), True), ((0.0, 1.0, 1.0), False)])
def test_least_squares_is_pearsons_chi2_for_the_labels_of_the_paper_only(labels, is_chi2):
    a, b, _ = labels
    objective = LeastSquares(*labels)
    best = (b * P + a * Q) / (P + Q)
    twice = 2 * float((P * objective.generator(None, best)).sum() + (Q * objective.generator(None, best)).sum())
    chi2 = float(((2 * Q - P - Q).square() / (P + Q)).sum())
    assert (abs(twice - chi2) < 1e-12) == is_chi2


def test_least_squares_has_its_optimum_at_the_weighted_labels():
    objective, best = LeastSquares(), (P - Q) / (P + Q)
    lowest = value(objective, best, P, Q)
    for bump in torch.eye(4, dtype=torch.float64):
        assert value(objective, best + 0.01 * bump, P, Q) > lowest
        assert value(objective, best - 0.01 * bump, P, Q) > lowest


def test_hinge_is_worth_two_less_twice_the_total_variation():
    variation = float((P - Q).abs().sum() / 2)
    assert value(Hinge(), (P - Q).sign(), P, Q) == pytest.approx(2 - 2 * variation)


def test_wasserstein_is_minus_the_distance_for_the_best_function_of_slope_one():
    places = torch.tensor([0.0, 1.0, 2.0, 3.0], dtype=torch.float64)
    distance = float((P.cumsum(0) - Q.cumsum(0)).abs()[:-1].sum())
    assert value(Wasserstein(), -places, P, Q) == pytest.approx(-distance)


def test_relativistic_compares_pairs():
    real, fake = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0])
    objective = Relativistic()
    assert torch.allclose(objective.critic(real, fake), torch.full((2,), math.log(2)))
    assert torch.allclose(objective.critic(real + 5, fake + 5), objective.critic(real, fake))
    with pytest.raises(ValueError, match="expected the scores of real events, came None"):
        objective.generator(None, fake)


def log_d(y):
    return y.sigmoid().log()


PAPER = {
    # what the paper writes of a real score r and a fake score f: f1(r - f), in pairs; f1 and f2, in averages
    "nonsaturating": (NonSaturating(), 1, lambda y: -log_d(y), lambda y: -(1 - y.sigmoid()).log()),
    "leastsquares": (LeastSquares(), 2, lambda y: (y - 1) ** 2, lambda y: (y + 1) ** 2),  # ours are halves of squares
    "hinge": (Hinge(), 1, lambda y: (1 - y).clamp(min=0), lambda y: (1 + y).clamp(min=0)),
}


@pytest.mark.parametrize("name", PAPER)
def test_relativistic_wraps_an_objective_as_the_paper_writes_it(name):
    inner, times, f1, f2 = PAPER[name]
    r, f = 2 * torch.randn(2, 50, generator=torch.Generator().manual_seed(1)).double()
    pairs, means = Relativistic(inner), Relativistic(inner, average=True)
    for objective, critic, generator in (
        (pairs, f1(r - f), f1(f - r)),
        (means, f1(r - f.mean()) + f2(f - r.mean()), f1(f - r.mean()) + f2(r - f.mean())),
    ):
        torch.testing.assert_close(times * objective.critic(r, f), critic)
        torch.testing.assert_close(times * objective.generator(r, f), generator)
        torch.testing.assert_close(objective.critic(r + 3, f + 3), objective.critic(r, f))
    assert not torch.allclose(pairs.critic(r, f).mean(), means.critic(r, f).mean() / 2, rtol=0.01)


def test_pairs_of_the_default_are_its_closed_form_to_the_last_bit():
    def slopes(critic):
        real, fake = torch.randn(2, 1000, generator=torch.Generator().manual_seed(0)).requires_grad_()
        loss = critic(real, fake)
        return [loss, *torch.autograd.grad(loss.mean(), (real, fake))]

    ours = slopes(Relativistic().critic)
    assert all(map(torch.equal, ours, slopes(lambda real, fake: softplus(fake - real))))


def test_a_difference_of_means_is_relativistic_already():
    real, fake = torch.randn(2, 20).double()
    for average in (False, True):
        objective = Relativistic(Wasserstein(), average)
        gap = objective.critic(real, fake).mean() / (2 if average else 1)
        torch.testing.assert_close(gap, Wasserstein().critic(real, fake).mean())


@pytest.mark.parametrize(
    "objective", [Minimax(), NonSaturating(), LeastSquares(), Hinge(), Wasserstein(), *WRAPPED], ids=repr
)
def test_each_side_wants_the_score_that_the_other_fears(objective):
    real, fake = torch.zeros(5), torch.linspace(-0.9, -0.1, 5).requires_grad_()
    (critic,) = torch.autograd.grad(objective.critic(real, fake).sum(), fake)
    (generator,) = torch.autograd.grad(objective.generator(real, fake).sum(), fake)
    assert (critic > 0).all()
    assert (generator < 0).all()


def test_in_the_minimax_game_one_side_loses_what_the_other_wins():
    real, fake = torch.zeros(5), torch.linspace(-3, 3, 5).requires_grad_()
    (critic,) = torch.autograd.grad(Minimax().critic(real, fake).sum(), fake)
    (generator,) = torch.autograd.grad(Minimax().generator(None, fake).sum(), fake)
    assert torch.allclose(critic, -generator)
