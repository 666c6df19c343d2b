"""Every explicit recipe in a claim: the experiments on a small budget, and the laws of what they measure."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from simulacra.autoregressive.binary import Binary
from simulacra.autoregressive.nade import NADE
from simulacra.autoregressive.pixels import PixelCNN
from simulacra.autoregressive.rows import PixelRNN
from simulacra.batch import Batch
from simulacra.claims import (
    carrying,
    discriminants,
    flows,
    guiding,
    inverses,
    kinds_of_codes,
    shifts,
    tighter,
    translating,
    visible,
    walks,
)
from simulacra.claims.claim import Result
from simulacra.flows import AffineCoupling, Chain, Flow
from simulacra.markov.rbm import states

TINY: dict[str, Callable[[int], Result]] = {
    "every-flow-evaluates-and-samples": lambda seed: flows.evaluating(seed, share=0.002, size=24, samples=50),
    "a-flow-of-pictures-knows-its-determinant": lambda seed: flows.unfolding(seed, rounds=2, asked_for=1),
    "learnt-fields-find-the-modes": lambda seed: carrying.generating(seed, share=0.002, n=50),
    "a-probability-flow-has-a-density": lambda seed: carrying.measuring(seed, share=0.002, size=8, rows=20, steps=4),
    "guidance-trades-variety-for-sureness": lambda seed: guiding.guiding(seed, rounds=2),
    "a-student-learns-to-take-fewer-steps": lambda seed: guiding.distilling(seed, taught=2, rounds=3, n=40),
    "pixel-by-pixel-is-a-probability": lambda seed: visible.multiplying(seed, rounds=2, samples=20),
    "models-of-text-translate": lambda seed: translating.translating(seed, rounds=2),
    "tighter-bounds-and-richer-posteriors-learn-more": lambda seed: tighter.tightening(seed, 2, rows=80, asked=3),
    "a-learnt-similarity-sharpens-a-vae": lambda seed: kinds_of_codes.sharpening(seed, rounds=2, rows=80),
    "a-prior-may-be-imposed-on-all-codes-or-learnt": lambda seed: kinds_of_codes.imposing(seed, rounds=4, rows=80),
    "a-told-decoder-makes-the-class": lambda seed: kinds_of_codes.telling(seed, rounds=2, rows=200),
    "convolutions-know-about-shifts": lambda seed: shifts.shifting(seed, rounds=4, rows=80),
    "gaussian-discriminants-generate-and-classify": lambda seed: discriminants.discriminating(seed, rows=50),
    "clusters-need-no-labels": lambda seed: discriminants.clustering(seed, rows=200),
    "a-network-of-densities-has-several-answers": lambda seed: inverses.inverting(seed, 2, rows=100, asked=20),
    "a-denoising-chain-rests-at-the-data": lambda seed: walks.resting(seed, rounds=2, steps=2, n=60),
}
ROOMS = (
    flows,
    carrying,
    guiding,
    visible,
    translating,
    tighter,
    kinds_of_codes,
    shifts,
    discriminants,
    inverses,
    walks,
)
CLAIMS = {claim.name: claim for room in ROOMS for claim in room.CLAIMS}


@pytest.fixture(autouse=True)
def _few_pictures(monkeypatch):
    """In the place of MNIST as many digits of scikit-learn; fewer numbers to translate, fewer pixels to multiply."""

    def some(rows: int) -> Batch:
        from simulacra.claims.labels import digits

        x, label = digits()
        at = torch.arange(rows) % len(x)
        return Batch(x[at], {"label": label[at]})

    for room in (kinds_of_codes, shifts, tighter):
        monkeypatch.setattr(room, "small_digits", some)
    for room in (kinds_of_codes, shifts):
        monkeypatch.setattr(room, "HELD", 200)
    monkeypatch.setattr(translating, "ALL", 200)
    monkeypatch.setattr(translating, "HELD", 20)
    monkeypatch.setattr(tighter, "COUNTS", (1, 5))
    monkeypatch.setattr(guiding, "EVENTS", 50)
    monkeypatch.setattr(visible, "SIDE", 2)


def test_every_claim_has_a_small_budget():
    assert set(TINY) == set(CLAIMS)


@pytest.mark.parametrize("name", TINY)
def test_an_experiment_gives_the_quantities_of_its_bounds_and_a_picture(name: str):
    claim, result = CLAIMS[name], TINY[name](0)
    assert set(result.values) == set(claim.bounds)
    assert result.control
    assert set(result.control) <= set(claim.bounds)
    assert np.isfinite(list(result.values.values())).all()
    assert isinstance(claim.figure([result]), Figure)
    if claim.fast:
        assert dict(TINY[name](0).values) == dict(result.values)


def test_the_base_alone_is_the_density_where_the_map_keeps_volume_and_else_not():
    torch.manual_seed(0)
    mask = torch.tensor([True, False])
    flow, x = (
        Flow(Chain([AffineCoupling(mask, hidden=(8,)), AffineCoupling(~mask, hidden=(8,))]), (2,)),
        torch.randn(9, 2),
    )
    with torch.no_grad():
        assert torch.allclose(flows.lone(flow, x), flows.density(flow, x))
        for weight in flow.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
        assert not torch.allclose(flows.lone(flow, x), flows.density(flow, x), atol=0.1)


def test_points_off_the_plane_are_left_out_and_counted():
    inside, share = flows.within(torch.tensor([[0.0, 0.0], [0.0, -7.0], [5.9, 5.9], [6.1, 0.0]]))
    assert inside.tolist() == [[0.0, 0.0], [pytest.approx(5.9), pytest.approx(5.9)]]
    assert share == 0.5


@pytest.mark.parametrize(
    "model",
    [
        lambda: Binary(NADE(4, 8, 0), (1, 2, 2)),
        lambda: PixelCNN((1, 2, 2), 2, width=4, depth=1),
        lambda: PixelRNN((1, 2, 2), 2, width=4, depth=1),
    ],
)
def test_pixels_that_see_themselves_are_told_and_others_multiply_to_one(model):
    torch.manual_seed(0)
    net, every = model(), states(4).view(-1, 1, 2, 2)
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(torch.randn_like(weight))
        each = net.log_prob(Batch(every))
        assert torch.allclose(visible.shown(net, every, every), each, atol=1e-5)
        assert each.exp().sum().item() == pytest.approx(1, abs=1e-5)
        whole = visible.shown(net, visible.moved(every), every).exp().sum().item()
    assert abs(whole - 1) > 1e-3
    assert visible.moved(every)[:, 0, 0, 0].equal(every[:, 0, 0, 1])


def test_a_translation_counts_if_all_of_it_is_right():
    class Says:
        def push(self, noise, given):
            assert (noise["u"] == 0.5).all()
            return Batch(torch.tensor([[1.0, 2.0], [1.0, 3.0]]), given)

    assert translating.translated(Says(), Batch(torch.tensor([[1.0, 2.0], [1.0, 2.0]]))).tolist() == [True, False]


def test_the_true_sureness_is_the_mean_over_the_classes():
    torch.manual_seed(0)
    x = torch.randn(2, 200_000) + torch.tensor([[-1.0], [1.0]])
    assert guiding.sureness(x.numpy()) == pytest.approx(guiding.true_sureness(), abs=2e-3)
    assert guiding.sureness(np.zeros((2, 3))) == 0.5


def test_the_inverse_is_a_density_with_three_answers_in_the_middle():
    y = torch.linspace(0, 1, 4001)
    p = inverses.log_truth(y, torch.full_like(y, 0.5)).exp()
    assert float(torch.trapezoid(p, y)) == pytest.approx(1, abs=1e-3)
    peaks = ((p[1:-1] > p[:-2]) & (p[1:-1] > p[2:])).sum()
    assert int(peaks) == 3
    draws = inverses.exact(1000)
    assert abs(draws.mean() - 0.5) < 1e-3, "the problem is symmetric about its middle"
    assert float((inverses.forward(torch.tensor(draws)) - 0.5).abs().mean()) < 2 * inverses.WIDTH


def test_the_true_posterior_is_a_half_between_equal_classes_and_the_labels_far_away():
    x = torch.tensor([[0.0, 0.0], [40.0, 0.0], [-40.0, 0.0]])
    assert discriminants.posterior("same", x).tolist() == pytest.approx([0.5, 1, 0])


def test_pictures_are_moved_and_not_changed(monkeypatch):
    x = shifts.shifted(30, 0)
    whole = shifts.small_digits(30).x
    assert torch.allclose(x.flatten(1).sort(1).values[:, -64:], whole.flatten(1).sort(1).values)
    assert x.shape == (30, 1, 16, 16)
    assert x.flatten(1).mean(0).std() < whole.flatten(1).mean(0).std()


def test_even_counts_of_codes_bound_alike_and_black_and_white_has_two_levels():
    assert set(tighter.bits(0, 50).x.unique().tolist()) == {0.0, 1.0}

    class Fixed:
        def log_prob_bound(self, code: Batch, draws: int = 1) -> torch.Tensor:
            return torch.full((len(code),), -math.log(draws))

    found = tighter.bounds(Fixed(), Batch(torch.zeros(3, 1)), 0, (1, 5))
    assert found.tolist() == pytest.approx([0.0, -math.log(5)])


def test_a_chain_that_stays_where_it_is_ends_where_it_began():
    class Game:
        model = type("Still", (), {"move": lambda self, x: x})()
        codec = type("Same", (), {"decode": lambda self, batch: batch})()

    x = torch.randn(5, 2)
    assert np.array_equal(walks.walk(Game(), x, 3, 0), x.numpy())  # type: ignore[arg-type]
