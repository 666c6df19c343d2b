"""Reverse KL: a flow that learns from an energy, without data."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from simulacra.batch import Batch, DataSpec, Field
from simulacra.domains import open_data
from simulacra.errors import UserError
from simulacra.flows import Affine, Autoregressive, Chain, Flow, Invert, NoData, Permute, Planar, ReverseKL, Scale
from simulacra.recipes.planar_flow import planar_flow
from simulacra.testing import Unchanged
from simulacra.training.game import Clock, Experiment, Player, modules
from simulacra.training.loop import train


class Gaussian:
    """A correlated Gaussian, `Z = 2 pi sqrt(det C)`."""

    covariance = torch.tensor([[1.0, 0.8], [0.8, 2.0]])

    def energy(self, batch: Batch) -> Tensor:
        inverse = torch.linalg.inv(self.covariance).to(batch.x)
        return 0.5 * ((batch.x @ inverse) * batch.x).sum(1)


class Wave:
    """The paper's second test energy, around a sine."""

    def energy(self, batch: Batch) -> Tensor:
        x, y = batch.x.unbind(1)
        return 0.5 * ((y - torch.sin(math.pi * x / 2)) / 0.4).square() + 0.5 * (x / 3) ** 4


def learn(flow: Flow, target, rounds: int, anneal: float = 0.0, lr: float = 1e-2) -> tuple[Experiment, dict]:
    game = ReverseKL(flow, target, anneal)
    optimizer = torch.optim.Adam(flow.parameters(), lr=lr)
    player = Player("flow", flow, game.loss, optimizer, stream=NoData(), clip=10.0)
    experiment = Experiment(flow, [player], Unchanged(), rounds, 256, modules(flow=flow), hooks=[game])
    seen: dict = {}
    for step in train(experiment, {}):
        seen = step.losses
    return experiment, seen


def test_it_finds_a_gaussian_and_its_partition_sum():
    torch.manual_seed(0)
    layers = [Autoregressive(2, Affine(), hidden=(16,)), Permute(torch.tensor([1, 0]))]
    flow = Flow(Invert(Chain([*layers, Autoregressive(2, Affine(), hidden=(16,))])), (2,))
    learn(flow, Gaussian(), 300)
    drawn, log_q = flow.eval().draw(20000)
    assert (drawn.x.T.cov() - Gaussian.covariance).abs().max() < 0.12
    free = (log_q + Gaussian().energy(drawn)).mean().item()  # -log Z + KL
    log_z = math.log(2 * math.pi) + 0.5 * math.log(2 - 0.64)
    assert -0.01 < free + log_z < 0.03


def test_planar_flows_follow_a_curved_energy():
    torch.manual_seed(0)
    flow = Flow(Invert(Chain([Planar(2) for _ in range(8)])), (2,))
    before = ReverseKL(flow, Wave()).loss(NoData().next(2000)).watch["ess"]
    _, seen = learn(flow, Wave(), 250, anneal=0.3)
    axis = torch.linspace(-6, 6, 600, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    log_z = (-Wave().energy(Batch(grid))).logsumexp(0).item() + 2 * math.log(12 / 599)
    gap = ReverseKL(flow, Wave()).loss(NoData().next(5000)).parts["reverse_kl"].item() + log_z
    assert -0.02 < gap < 0.4  # the reverse KL, in nats
    assert seen["flow/ess"] > 2 * before


def test_the_smallest_value_is_minus_log_z_and_the_gradient_vanishes_there():
    class Normal:
        def energy(self, batch: Batch) -> Tensor:
            return batch.x.square().sum(1) / 2

    flow = Flow(Scale(2).double(), (2,))
    flow.base.double()
    loss = ReverseKL(flow, Normal()).loss(Batch(torch.zeros(4000, 0)))
    assert loss.parts["reverse_kl"].item() == pytest.approx(-math.log(2 * math.pi), abs=1e-9)
    assert loss.watch["ess"].item() == pytest.approx(1)
    loss.parts["reverse_kl"].backward()
    assert flow.bijection.log_scale.grad.abs().max() < 0.1  # type: ignore[union-attr]
    # twice as wide: KL(N(0, 4) | N(0, 1)) = 2 (3 / 2 - log 2)
    torch.nn.init.constant_(flow.bijection.log_scale, -math.log(2))  # type: ignore[arg-type]
    torch.manual_seed(0)
    wide = ReverseKL(flow, Normal()).loss(Batch(torch.zeros(20000, 0))).parts["reverse_kl"].item()
    assert wide == pytest.approx(-math.log(2 * math.pi) + 2 * (1.5 - math.log(2)), abs=0.1)


def test_annealing_follows_the_clock():
    game = ReverseKL(Flow(Scale(1), (1,)), Gaussian(), anneal=0.5, coolest=0.1)
    found = []
    for k in (0, 25, 50, 100):
        game.before(Clock(k, 100))
        found.append(game.temperature)
    assert found == pytest.approx([0.1, 0.55, 1.0, 1.0])


def test_a_recipe_knows_the_energies_of_toys_only():
    with pytest.raises(UserError, match="expected a toy, whose energy is known, came points"):
        planar_flow(DataSpec("points", "vector", Field((2,))), energy=True)
    with pytest.raises(UserError, match="expected a toy without conditions"):
        planar_flow(open_data("toys:moons", rows=10, labels=True).spec, energy=True)
