"""Classes by Bayes' rule and read off: against closed forms, and blind to the truth."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from simulacra.batch import Batch
from simulacra.errors import UserError
from simulacra.evaluation.classification import by_bayes, classify, confusions, read_off, told_apart
from simulacra.testing import Unchanged

CENTRES = torch.tensor([-1.0, 0.5, 2.0])
SHARES = torch.tensor([0.5, 0.3, 0.2])


class Told:
    """Three classes of unit width: a density."""

    def log_prob(self, batch: Batch) -> Tensor:
        return torch.distributions.Normal(CENTRES[batch.given["kind"]], 1.0).log_prob(batch.x[:, 0])


class Bounded:
    """The same, by a bound that lies a random amount below, the same for all classes of an event."""

    def log_prob_bound(self, batch: Batch, draws: int = 1) -> Tensor:
        return Told().log_prob(batch) - torch.rand(len(batch)) / draws


def events(n: int = 500) -> Batch:
    torch.manual_seed(0)
    kind = torch.multinomial(SHARES, n, replacement=True)
    return Batch(CENTRES[kind, None] + torch.randn(n, 1), {"kind": kind})


def exact(x: Tensor, prior: Tensor) -> Tensor:
    joint = torch.distributions.Normal(CENTRES.double(), 1.0).log_prob(x.double()) + prior.double().log()
    return joint - joint.logsumexp(1, keepdim=True)


def experiment(model: object, game: nn.Module | None = None) -> Any:
    return SimpleNamespace(model=model, codec=Unchanged(), learners=nn.ModuleDict({"game": game} if game else {}))


class Reader(nn.Module):
    """A critic's game that reads the class: half the logits of the truth, plus what it was told, were it told."""

    def judge(self, batch: Batch) -> SimpleNamespace:
        logits = 0.5 * exact(batch.x, SHARES) + 100.0 * (batch.given["kind"] > 0)[:, None] * torch.eye(3)[1]
        return SimpleNamespace(guess={"kind": logits})


@pytest.mark.parametrize("model", [Told(), Bounded()])
def test_bayes_rule_gives_the_exact_posterior(model):
    asked = events()
    for prior in (SHARES, torch.full((3,), 1 / 3)):
        assert torch.allclose(by_bayes(model, Unchanged(), asked, "kind", prior), exact(asked.x, prior), atol=1e-5)


def test_the_true_class_is_never_looked_at():
    asked = events(60)
    other = Batch(asked.x, {"kind": asked.given["kind"].roll(1)})
    for model, game in ((Told(), None), (object(), Reader())):
        one, two = (classify(experiment(model, game), b, "kind", SHARES) for b in (asked, other))
        assert torch.equal(one.log_posterior, two.log_posterior)


def test_a_head_is_asked_before_bayes_and_its_prior_can_be_taken_out():
    asked = events(60)
    found = classify(experiment(Told(), Reader()), asked, "kind", SHARES)
    want = (0.5 * exact(asked.x, SHARES)).log_softmax(1)
    assert found.way == "read off"
    assert torch.allclose(found.log_posterior, want)
    flat = classify(experiment(Told(), Reader()), asked, "kind", SHARES, uniform=True).log_posterior
    assert torch.allclose(flat, (want - SHARES.double().log()).log_softmax(1))


def test_equally_frequent_classes_are_those_of_maximum_likelihood():
    asked = events()
    found = classify(experiment(Told()), asked, "kind", SHARES, uniform=True)
    assert found.way == "Bayes' rule"
    assert torch.equal(found.log_posterior.argmax(1), (asked.x - CENTRES).abs().argmin(1))
    told = classify(experiment(Told()), asked, "kind", SHARES).log_posterior.argmax(1)
    assert not torch.equal(told, found.log_posterior.argmax(1))


def test_events_impossible_in_every_class_leave_the_prior():
    class Nowhere:
        def log_prob(self, batch: Batch) -> Tensor:
            far = batch.x[:, 0].abs() > 1 + batch.given["kind"]
            return torch.where(far, -math.inf, 0.0)

    asked = Batch(torch.tensor([[9.0], [1.5], [0.0]]), {"kind": torch.zeros(3, dtype=torch.long)})
    found = by_bayes(Nowhere(), Unchanged(), asked, "kind", torch.tensor([0.75, 0.25])).exp()
    assert torch.allclose(found, torch.tensor([[0.75, 0.25], [0.0, 1.0], [0.75, 0.25]]).double())


def test_who_does_not_listen_or_cannot_say_is_refused():
    class Deaf:
        def log_prob(self, batch: Batch) -> Tensor:
            return -batch.x[:, 0].square()

    with pytest.raises(UserError, match="expected a model that is told the kind"):
        by_bayes(Deaf(), Unchanged(), events(5), "kind", SHARES)
    with pytest.raises(UserError, match="neither reads them nor has a density"):
        classify(experiment(object()), events(5), "kind", SHARES)
    with pytest.raises(UserError, match="expected 2 classes of kind, the run tells 3 apart"):
        classify(experiment(object(), Reader()), events(5), "kind", SHARES[:2])
    assert read_off(experiment(object()), events(5), "kind") is None
    unread = Batch(torch.zeros(1, 1), {"kind": torch.zeros(1), "other": torch.zeros(1)})
    assert read_off(experiment(object(), Reader()), unread, "other") is None


def test_a_calibrated_posterior_is_not_overconfident_and_a_sharpened_one_is():
    asked = events(20_000)
    y, true = asked.given["kind"], exact(asked.x, SHARES)
    honest, sharp = told_apart(true, y), told_apart((3 * true).log_softmax(1), y)
    over = honest["classified/overconfidence"]
    assert abs(over.value) < 4 * over.error
    assert sharp["classified/overconfidence"].above_floor > 10
    assert sharp["classified/surprise"].value > honest["classified/surprise"].value + 0.1
    right = honest["classified/right"]
    assert right.value == (true.argmax(1) == y).double().mean()
    assert right.error == pytest.approx(math.sqrt(right.value * (1 - right.value) / len(y)), rel=1e-3)
    assert right.floor == pytest.approx(float(y.bincount().max()) / len(y))
    share = y.bincount() / len(y)
    assert honest["classified/surprise"].floor == pytest.approx(float(-(share * share.log()).sum()), rel=1e-4)


def test_weights_count_as_copies_do():
    asked = events(40)
    y, p = asked.given["kind"], exact(asked.x, SHARES)
    times = torch.arange(40) % 3 + 1
    twice = told_apart(p.repeat_interleave(times, 0), y.repeat_interleave(times))
    for name, m in told_apart(p, y, times.float()).items():
        assert m.value == pytest.approx(twice[name].value, abs=1e-9)
        assert m.floor == pytest.approx(twice[name].floor, abs=1e-9)


def test_an_excluded_truth_is_an_infinite_surprise():
    found = told_apart(torch.tensor([[0.0, -math.inf], [0.0, -math.inf]]), torch.tensor([0, 1]))
    assert found["classified/surprise"].value == math.inf
    assert found["classified/right"].value == 0.5


def test_confusions_count_every_event_once():
    asked = events()
    p, y = exact(asked.x, SHARES), asked.given["kind"]
    counts = confusions(p, y)
    assert torch.equal(counts.sum(1), y.bincount(minlength=3))
    assert torch.equal(counts.sum(0), p.argmax(1).bincount(minlength=3))
    assert counts.diagonal().sum() == (p.argmax(1) == y).sum()
