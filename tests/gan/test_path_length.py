"""Path length: known for linear maps; lazy penalties are as strong as dense ones."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from simulacra.batch import Batch, DataSpec, Field
from simulacra.gan import Duel
from simulacra.gan.path_length import PathLength, path_lengths
from simulacra.recipes.stylegan2 import stylegan2
from simulacra.training.game import Clock, Player


def met(n: int = 4) -> Duel:
    return Duel(Batch(torch.zeros(n, 2)), {"z": torch.randn(n, 2)}, lambda noise, given: Batch(noise["z"]), None)  # type: ignore[arg-type]


def linear(matrix: torch.Tensor) -> PathLength:
    return PathLength(lambda z, given: z.clone().requires_grad_(), lambda w, noise: w @ matrix.T)


@pytest.mark.parametrize("side", [0, 4])
def test_the_length_of_a_linear_map_is_its_norm(side):
    torch.manual_seed(0)
    matrix = torch.randn(16, 3)
    w = torch.randn(20000, 3, requires_grad=True)
    x = w @ matrix.T
    lengths = path_lengths(x.view(-1, 1, side, side) if side else x, w)
    want = matrix.square().sum() / (side**2 or 1)
    assert lengths.square().mean().item() == pytest.approx(want.item(), rel=0.03)


def test_orthogonal_maps_have_the_smallest_penalty_of_their_norm():
    torch.manual_seed(0)
    size, w = 32, torch.randn(4000, 32, requires_grad=True)
    spread = []
    for values in (torch.ones(size), torch.linspace(0, 2, size), torch.eye(size)[0]):
        matrix = torch.linalg.qr(torch.randn(size, size))[0] * (values * math.sqrt(size) / values.norm())
        spread.append(path_lengths(w @ matrix.T, w).var().item())
    assert spread == sorted(spread)
    assert spread[0] == pytest.approx(0.5, rel=0.1)  # that of a chi distribution of many numbers
    assert spread[2] == pytest.approx(size * (1 - 2 / math.pi), rel=0.1)  # |N(0, 32)|


def test_the_penalty_has_the_right_gradient():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 6)).double()
    path = PathLength(lambda z, given: z.clone().requires_grad_(), lambda w, noise: net(w))
    path.mean.fill_(0.3)
    path.count += 1
    duel = met()
    duel.noise = {"z": torch.randn(4, 2).double()}
    duel.real = Batch(torch.zeros(4, 2).double())

    def value() -> torch.Tensor:
        torch.manual_seed(1)
        return path.loss(duel).parts["path_penalty"]

    weight = net[0].weight
    (gradient,) = torch.autograd.grad(value(), weight)
    step, values = 1e-6, []
    for sign in (1, -1):
        with torch.no_grad():
            weight[0, 0] += sign * step
        values.append(value().item())
        with torch.no_grad():
            weight[0, 0] -= sign * step
    assert gradient[0, 0].item() == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5)


def test_the_mean_is_plain_at_first_and_running_later():
    path, batch = linear(torch.eye(2)), Batch(torch.zeros(1, 2))
    torch.manual_seed(0)
    loss = path.loss(met(500))
    own = loss.parts["path_penalty"].item() / path.weight
    assert own == pytest.approx(2 - math.pi / 2, rel=0.15)  # about the batch's own mean: the variance of |N(0, 1)^2|
    for value in (1.0, 3.0, 5.0):
        path.remember(batch, {"path_length": torch.tensor(value)})
    assert path.mean.item() == pytest.approx(3)
    for _ in range(97):
        path.remember(batch, {"path_length": torch.tensor(3.0)})
    path.remember(batch, {"path_length": torch.tensor(103.0)})
    assert path.mean.item() == pytest.approx(4, abs=1e-3)  # 1 % of the way
    assert {"mean", "count"} == set(path.state_dict())


@pytest.mark.parametrize("name", ["slope", "path"])
def test_a_lazy_penalty_is_as_strong_as_a_dense_one(name):
    spec = DataSpec("p", "image", Field((1, 8, 8), range=(0.0, 1.0)))
    totals = []
    for k in (1, 4):
        torch.manual_seed(0)
        experiment = stylegan2(spec, latent=4, depth=2, width=2, path=2.0, slope_every=k, path_every=k)
        player = next(p for p in experiment.players if p.name == name)
        assert isinstance(player, Player)
        total, batch = torch.tensor(0.0), Batch(torch.rand(128, 1, 8, 8))
        for t in range(80):
            if player.when(Clock(t, 80)):
                torch.manual_seed(t)
                (value,) = player.loss(batch).parts.values()
                total += value.detach()
        totals.append(total.item())
    assert totals[1] == pytest.approx(totals[0], rel=0.15)


def test_the_shared_optimisers_make_up_for_the_extra_steps():
    spec = DataSpec("p", "image", Field((1, 8, 8), range=(0.0, 1.0)))
    experiment = stylegan2(spec, latent=4, depth=2, width=2, path=2.0, lr=0.01, slope_every=4, path_every=1)
    of = {p.name: p.optimizer for p in experiment.players if isinstance(p, Player)}
    assert of["critic"] is of["slope"]
    assert of["generator"] is of["path"]
    for name, c in (("critic", 4 / 5), ("generator", 1 / 2)):
        group = of[name].param_groups[0]
        assert group["lr"] == pytest.approx(0.01 * c)
        assert group["betas"] == pytest.approx((0.0, 0.99**c))
