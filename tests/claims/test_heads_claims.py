"""Two outputs with a softmax are one with a sigmoid: on paper, in the claim, and in training but for a factor."""

from __future__ import annotations

import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from simulacra.claims import heads
from simulacra.claims.claim import outcome
from simulacra.claims.heads import by_sigmoid, by_softmax, by_two_sigmoids, ending, sigmoid_of

REAL = torch.arange(40) % 2


def test_the_claim_holds_to_rounding_and_its_control_fails():
    (claim,) = heads.CLAIMS
    results = [ending(seed) for seed in range(claim.seeds)]
    assert outcome(claim, results).verdict == "TRUE"
    assert all(set(r.values) == set(r.control) == set(claim.bounds) for r in results)
    assert max(max(r.values.values()) for r in results) < 1e-14
    assert min(min(r.control.values()) for r in results) > 1e-3
    assert dict(ending(1).values) == dict(results[1].values)
    assert isinstance(claim.figure(results), Figure)


def test_loss_and_gradient_in_the_features_are_the_same():
    two, features = nn.Linear(5, 2).double(), torch.randn(40, 5, dtype=torch.float64, requires_grad=True)
    one = sigmoid_of(two)
    torch.testing.assert_close(two(features).softmax(1)[:, 1], one(features).sigmoid())
    losses = by_sigmoid(one(features), REAL), by_softmax(two(features), REAL), by_two_sigmoids(two(features), REAL)
    slopes = [torch.autograd.grad(loss, features)[0] for loss in losses]
    torch.testing.assert_close(losses[0], losses[1])
    torch.testing.assert_close(slopes[0], slopes[1])
    assert not torch.allclose(slopes[0], slopes[2], rtol=0.1)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
def test_two_rows_go_twice_as_far_apart_as_one_row_goes(kind):
    two, features = nn.Linear(5, 2).double(), torch.randn(40, 5).double()
    one = sigmoid_of(two)
    pair, single = kind(two.parameters(), 0.01), kind(one.parameters(), 0.02)
    for _ in range(20):
        for head, optimizer, loss in ((two, pair, by_softmax), (one, single, by_sigmoid)):
            optimizer.zero_grad()
            loss(head(features), REAL).backward()
            optimizer.step()
    torch.testing.assert_close(one.score.weight, sigmoid_of(two).score.weight, rtol=1e-4, atol=0)
