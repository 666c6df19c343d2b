"""What is refused: values that are not finite, and games that do not fit together."""

from __future__ import annotations

import pytest
import torch
from games import points
from test_turn import alone, run_through
from torch import nn

from simulacra.batch import Batch
from simulacra.errors import UserError
from simulacra.training.game import Loss
from simulacra.training.watch import NonFinite


@pytest.mark.parametrize(("part", "factor"), [("hot", float("nan")), ("hot", float("inf"))])
def test_a_loss_that_is_not_finite_names_player_and_part(part: str, factor: float) -> None:
    net = nn.Linear(2, 1)

    def loss(batch: Batch) -> Loss:
        value = net(batch.x).square().mean()
        return Loss({"cold": value, part: value * (factor if experiment.clock.round == 2 else 1.0)})

    experiment = alone(net, loss, points(), 5)
    with pytest.raises(NonFinite, match=r"player 'fit' met a non-finite value in round 2: hot, gradient;"):
        run_through(experiment, points())
    assert all(torch.isfinite(p).all() for p in net.parameters())
    assert experiment.clock.round == 2


def test_a_gradient_that_is_not_finite_is_named() -> None:
    net = nn.Linear(2, 1, bias=False)
    experiment = alone(net, lambda b: Loss({"root": (net(b.x) * 0).abs().sqrt().mean()}), points())
    with pytest.raises(NonFinite, match=r"player 'fit' met a non-finite value in round 0: gradient;"):
        run_through(experiment, points())
    assert torch.isfinite(net.weight).all()


def test_large_float64_losses_are_finite() -> None:
    net = nn.Linear(2, 1).double()
    rows = points(20, torch.float64)
    run_through(alone(net, lambda b: Loss({"x": net(b.x).square().mean() * 1e100}), rows, lr=1e-120), rows)


def test_an_optimiser_that_misses_parameters_is_refused() -> None:
    net = nn.Linear(2, 1)
    experiment = alone(
        net, lambda b: Loss({"x": net(b.x).mean()}), points(), optimizer=torch.optim.SGD([net.weight], lr=0.1)
    )
    with pytest.raises(UserError, match=r"player 'fit' expected an optimizer over .* came bias outside of it"):
        run_through(experiment, points())


def test_a_stream_that_is_not_there_is_refused_with_the_nearest_name() -> None:
    net = nn.Linear(2, 1)
    experiment = alone(net, lambda b: Loss({"x": net(b.x).mean()}), points(), stream="dato")
    with pytest.raises(UserError, match=r"player 'fit' expected a stream 'dato'.*did you mean 'data'"):
        run_through(experiment, points())
