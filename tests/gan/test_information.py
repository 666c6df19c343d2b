"""Codes that a generator is given and a critic reads: the bound on their information."""

from __future__ import annotations

import math

import pytest
import torch
from readers import duel, points
from torch.nn.functional import one_hot

from simulacra.batch import Batch
from simulacra.gan import CategoricalCode, ContinuousCode, MutualInformation
from simulacra.random import draws
from simulacra.recipes.infogan import infogan
from simulacra.testing import streams_for
from simulacra.training.loop import train


def test_codes_are_what_they_say():
    with draws(1):
        kinds, numbers = CategoricalCode(5).draw(5000), ContinuousCode(2).draw(5000)
    assert torch.equal(kinds.sum(1), torch.ones(5000))
    assert torch.equal(kinds.unique(), torch.tensor([0.0, 1.0]))
    assert torch.allclose(kinds.mean(0), torch.full((5,), 0.2), atol=0.03)
    assert numbers.abs().max() <= 1
    assert CategoricalCode(5).entropy == pytest.approx(math.log(5))
    assert ContinuousCode(2).entropy == pytest.approx(2 * math.log(2))


def channel():
    """All pairs of a code and what it becomes, weighed by their probability; the table p(x | c); the information."""
    table = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]], dtype=torch.float64)
    code, seen = torch.cartesian_prod(torch.arange(3), torch.arange(3)).T
    marginal = table.mean(0)
    information = float((table / 3 * (table / marginal).log()).sum())
    return code, seen, table, information


@pytest.mark.parametrize("seed", range(5))
def test_the_bound_is_below_the_information_and_meets_it_at_the_posterior(seed):
    torch.manual_seed(seed)
    code, seen, table, information = channel()
    real = Batch(torch.zeros(9, 3), weight=table[code, seen] / 3)
    fake, noise = one_hot(seen, 3).double(), {"category": one_hot(code, 3).double()}
    term = MutualInformation({"category": CategoricalCode(3)})

    def bound(logits):
        game = duel(real, fake, noise, category=lambda f: f @ logits)
        return -float(game.mean(term(game)))

    posterior = (table / table.sum(0)).T.log()
    assert bound(posterior) == pytest.approx(information, abs=1e-9)
    assert bound(posterior + 0.3 * torch.randn(3, 3).double()) < information
    assert bound(torch.zeros(3, 3).double()) == pytest.approx(0, abs=1e-9)


def test_a_perfectly_read_code_has_its_entropy_as_information():
    code, number = CategoricalCode(10), ContinuousCode(1, spread=0.1)
    noise = {"category": code.draw(40), "number": number.draw(40)}
    fake = torch.cat(list(noise.values()), 1)
    game = duel(Batch(fake), fake, noise, category=lambda f: 100 * f[:, :10], number=lambda f: f[:, 10:])
    assert torch.allclose(-MutualInformation({"category": code})(game), torch.tensor(math.log(10)))
    want = math.log(2) - math.log(0.1 * math.sqrt(2 * math.pi))
    assert torch.allclose(-MutualInformation({"number": number})(game), torch.tensor(want))
    both = MutualInformation({"category": code, "number": number})(game)
    assert torch.allclose(-both, torch.tensor(math.log(10) + want))


def information(weight, rounds=150):
    """Nats that the critic reads off a small game's events at its end."""
    torch.manual_seed(0)
    data = points(labels=False)
    experiment = infogan(
        data.spec, categories=3, continuous=0, information=weight, width=32, rounds=rounds, batch=64, lr=2e-3
    )
    ends = [float(s.losses["critic/mutual_information"]) for s in train(experiment, streams_for(experiment, data))]
    return -sum(ends[-30:]) / 30


def test_the_information_rises_to_the_entropy_of_the_code_and_stays_low_where_nobody_asks():
    asked, left = information(1.0), information(0.0)
    assert math.log(3) - 0.15 < asked < math.log(3) + 1e-4
    assert left < asked / 2


def test_a_generator_hears_its_codes():
    game = infogan(points(labels=False).spec, categories=3, width=8).learners["game"]
    noise = dict(game.noise(6))
    assert {name: value.shape for name, value in noise.items()} == {
        "z": (6, 2),
        "category": (6, 3),
        "continuous": (6, 2),
    }
    for name in noise:
        other = {**noise, name: -noise[name]}
        assert not torch.equal(game.push(noise).x, game.push(other).x), name
