"""The tree of splits: exact sums and zeros, a density that normalises, samples that follow it."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from simulacra.autoregressive.splitting import SplittingTree
from simulacra.batch import Batch, Field
from simulacra.domains.calorimeter.geometry import LAR3, WSI45, Geometry, Layer, polar
from simulacra.domains.calorimeter.tree import BoxTree
from simulacra.errors import UserError
from simulacra.networks.conditioning import Conditions


class Energies(nn.Module):
    """given["energy"] [B, L] is the layer energies in MeV."""

    def forward(self, given):
        return given["energy"]


def row(name, cells):
    return Layer(name, "cartesian", (-10.0, 10.0), tuple(20.0 * k - 10.0 * cells for k in range(cells + 1)))


def model_of(geometry, seed=0, **options):
    """A model with random weights large enough that every split is different."""
    torch.manual_seed(seed)
    layers = len(geometry.layers)
    told = Conditions({"energy": Field((layers,))})
    model = SplittingTree(BoxTree.of(geometry), Energies(), told, **{"hidden": 16, "depth": 1, **options})
    nn.init.normal_(model.network.exit.weight, std=0.3)
    return model


RAGGED = Geometry("ragged", (row("a", 7), polar("b", (0, 1, 3, 10, 30), 6), row("c", 1), row("d", 2), row("e", 15)))


@pytest.mark.parametrize("geometry", [LAR3, RAGGED], ids=["lar3", "ragged"])
def test_layers_sum_to_one_and_empty_layers_stay_empty(geometry):
    layers = len(geometry.layers)
    energy = torch.rand(50, layers) * 100
    energy[::3, -1] = 0.0
    x = model_of(geometry).sample(50, {"energy": energy}).x
    sums = geometry.sum_layers(x)
    assert torch.allclose(sums, (energy > 0).float(), atol=1e-5)
    assert (x >= 0).all()
    assert ((x == 0) & (energy > 0)[:, geometry.layer_of]).any()


@pytest.mark.parametrize("cells", [2, 3])
def test_density_normalises_over_all_patterns_of_zeros(cells):
    model = model_of(Geometry("tiny", (row("a", cells),))).double()
    u = torch.sigmoid(torch.linspace(-40, 40, 1201, dtype=torch.float64))
    weight = u * (1 - u) * (80 / 1200)  # du on an even grid of logit(u)
    total = 0.0

    def mass(x, weight):
        given = {"energy": torch.full((len(x), 1), 5.0, dtype=torch.float64)}
        return (model.log_prob(Batch(x, given)).exp() * weight).sum().item()

    with torch.no_grad():
        for k in range(cells):  # all in one cell
            total += mass(torch.eye(cells, dtype=torch.float64)[k : k + 1], torch.ones(1, dtype=torch.float64))
        for a in range(cells):
            for b in range(a + 1, cells):
                x = torch.zeros(len(u), cells, dtype=torch.float64)
                x[:, a], x[:, b] = u, 1 - u
                total += mass(x, weight)
        if cells == 3:
            p, q = (g.flatten() for g in torch.meshgrid(u[::3], u[::3], indexing="ij"))
            w, v = (g.flatten() for g in torch.meshgrid(weight[::3] * 3, weight[::3] * 3, indexing="ij"))
            x = torch.stack([p * q, 1 - p, p * (1 - q)], 1)
            total += mass(x, w * v * p)  # dx_0 dx_1 = p dp dq
    assert total == pytest.approx(1, abs=2e-3)


def test_density_of_two_cells_is_that_of_samples():
    model, n = model_of(Geometry("tiny", (row("a", 2),)), seed=3), 40_000
    given = {"energy": torch.full((n, 1), 5.0)}
    torch.manual_seed(1)
    x = model.sample(n, given).x[:, 0]
    edges = torch.linspace(0, 1, 21)
    inside = (x > 0) & (x < 1)
    seen = torch.histogram(x[inside], edges)[0] / n
    fine = torch.cat([torch.linspace(float(a), float(b), 203)[1:-1] for a, b in pairwise(edges)])
    with torch.no_grad():
        at = Batch(torch.stack([fine, 1 - fine], 1), {"energy": torch.full((len(fine), 1), 5.0)})
        told = model.log_prob(at).exp().view(20, -1).mean(1) / 20
        ends = model.log_prob(Batch(torch.eye(2), {"energy": torch.full((2, 1), 5.0)})).exp()
    assert (seen - told)[1:-1].abs().max() < 0.01
    assert (x == 1).float().mean() == pytest.approx(ends[0].item(), abs=0.01)
    assert (x == 0).float().mean() == pytest.approx(ends[1].item(), abs=0.01)


@torch.no_grad()
def test_density_tells_events_apart_and_refuses_impossible_ones():
    model = model_of(LAR3)
    given = {"energy": torch.tensor([[500.0, 2000.0, 0.0]]).expand(200, 3).contiguous()}
    batch = model.sample(200, given)
    inside = model.log_prob(batch)
    assert inside.isfinite().all()
    assert not torch.allclose(model.log_prob(batch.with_x(batch.x[:, LAR3.mirror("x")])), inside, atol=1e-2)
    dark, lit = batch.x.clone(), batch.x.clone()
    dark[:, :288] = 0
    lit[:, 500] = 1
    for wrong in (dark, lit):
        assert (model.log_prob(batch.with_x(wrong)) == -math.inf).all()


def test_the_loss_is_minus_the_density_of_the_splits():
    """On two cells there is one split, so the loss is the mean density but for the Jacobian u(1 - u)."""
    model = model_of(Geometry("tiny", (row("a", 2),)), pairs=20_000)
    given = {"energy": torch.full((500, 1), 5.0)}
    batch = model.sample(500, given)
    u = batch.x[:, 0]
    jacobian = torch.where((u > 0) & (u < 1), u * (1 - u), 1.0).log()
    with torch.no_grad():
        expected = -(model.log_prob(batch) + jacobian).mean()
        assert model.loss(batch).parts["split"].item() == pytest.approx(expected.item(), abs=0.03)


@pytest.mark.parametrize("geometry", [LAR3, RAGGED], ids=["lar3", "ragged"])
def test_every_parameter_feels_the_loss(geometry):
    model = model_of(geometry, pairs=4096)
    given = {"energy": 100 * torch.rand(64, len(geometry.layers)) + 10}
    model.loss(model.sample(64, given)).parts["split"].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_a_layer_sees_the_one_before():
    model = model_of(LAR3)
    given = {"energy": torch.tensor([[500.0, 2000.0, 50.0]])}
    batch = model.sample(1, given)
    moved = batch.x.clone()
    moved[:, :288] = moved[:, :288].flip(1)
    boxes, other = model._boxes(batch), model._boxes(batch.with_x(moved))
    assert torch.allclose(boxes.before.exp()[-5:].isfinite().float(), torch.ones(5, 1))
    assert (boxes.before != other.before).any()
    assert torch.equal(boxes.energy[model.roots], other.energy[model.roots])


def test_sampling_learns_a_known_split():
    """Shares of two cells: 30 % all in the first, else logit(u) normal about 1."""
    torch.manual_seed(0)
    model = model_of(Geometry("tiny", (row("a", 2),)), pairs=512)
    n = 4000
    u = torch.sigmoid(1 + 0.5 * torch.randn(n))
    u = torch.where(torch.rand(n) < 0.3, 1.0, u)
    data = Batch(torch.stack([u, 1 - u], 1), {"energy": torch.full((n, 1), 5.0)})
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        model.loss(data).parts["split"].backward()
        optimizer.step()
    x = model.sample(n, data.given).x[:, 0]
    assert (x == 1).float().mean() == pytest.approx(0.3, abs=0.04)
    inside = torch.logit(x[(x > 0) & (x < 1)])
    assert inside.mean() == pytest.approx(1.0, abs=0.1)
    assert inside.std() == pytest.approx(0.5, abs=0.1)


def test_many_layers_sample():
    model = model_of(WSI45)
    x = model.sample(3, {"energy": torch.rand(3, 45) * 50}).x
    assert torch.allclose(WSI45.sum_layers(x), torch.ones(3, 45), atol=1e-4)


def test_a_detector_without_anything_to_split_is_refused():
    with pytest.raises(UserError, match="two or more cells"):
        model_of(Geometry("points", (row("a", 1), row("b", 1))))
