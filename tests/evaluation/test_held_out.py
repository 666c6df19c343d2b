"""What a model says of held-out events stands under a name that tells what it is."""

import math

import pytest
import torch

from simulacra.batch import Batch
from simulacra.errors import UserError
from simulacra.evaluation.held_out import held_out
from simulacra.evaluation.measurement import Measurement
from simulacra.markov.rbm import RBM, states
from simulacra.testing import Unchanged


class Latent:
    """x = z + noise with both standard normal: p(x) = N(0, 2), bounded by draws of the prior."""

    def log_prob_bound(self, batch, draws=1):
        z = torch.randn(draws, *batch.x.shape)
        logs = torch.distributions.Normal(z, 1.0).log_prob(batch.x).sum(2)
        return logs.logsumexp(0) - math.log(draws)


def test_a_bound_is_named_by_its_draws_and_falls_with_them_to_the_truth():
    x = Batch(torch.randn(400, 1, generator=torch.Generator().manual_seed(0)) * 2**0.5)
    exact = -torch.distributions.Normal(0.0, 2**0.5).log_prob(x.x).mean()
    few, many = held_out(Latent(), Unchanged(), x, draws=1), held_out(Latent(), Unchanged(), x, draws=500)
    assert [list(few), list(many)] == [["nll/bound_1"], ["nll/bound_500"]]
    assert few["nll/bound_1"].value > many["nll/bound_500"].value + 0.3
    assert many["nll/bound_500"].value == pytest.approx(float(exact), abs=0.02)


def test_an_energy_is_normalised_by_summing_or_by_annealing():
    torch.manual_seed(1)
    small = RBM((4,), 3)
    torch.nn.init.normal_(small.weight, std=1.0)
    every = states(4)
    p = (-small.energy(Batch(every)) - small.log_partition()).exp().detach()
    found = held_out(small, Unchanged(), Batch(every, weight=p / p.sum() * 16))["nll/annealed"]
    assert found.value == pytest.approx(float(-(p * p.log()).sum()), abs=1e-5)  # the entropy

    class Many(RBM):
        def log_partition(self):
            raise UserError("expected few states, came many; use annealing")

    large = Many((4,), 3)
    large.load_state_dict(small.state_dict())
    guess = held_out(large, Unchanged(), Batch(every, weight=p / p.sum() * 16))["nll/annealed"]
    assert guess.value == pytest.approx(found.value, abs=0.1)
    assert guess.error > found.error


def test_impossible_events_are_counted_where_no_likelihood_can_be_given():
    class Uniform:
        def log_prob(self, batch):
            return torch.where((batch.x > 0) & (batch.x < 1), 0.0, -math.inf).sum(1)

    x = torch.tensor([[0.5], [0.1], [2.0], [0.9]])
    assert held_out(Uniform(), Unchanged(), Batch(x[:2]))["nll"].value == 0
    found = held_out(Uniform(), Unchanged(), Batch(x))
    assert list(found) == ["nll/impossible"]
    share = found["nll/impossible"]
    assert (share.value, share.floor, share.n, share.unit) == (0.25, 0.0, 4, "")
    assert share.error == pytest.approx(0.25)
    weighed = held_out(Uniform(), Unchanged(), Batch(x, weight=torch.tensor([1.0, 1.0, 6.0, 2.0])))
    assert weighed["nll/impossible"].value == pytest.approx(0.6)


def test_what_has_no_likelihood_says_nothing_and_an_unknown_floor_is_said():
    assert held_out(object(), Unchanged(), Batch(torch.zeros(3, 1))) == {}
    assert str(Measurement(1.0, 0.1, math.nan, math.nan)) == "1.00 ± 0.10 (floor unknown)"
