"""Noise that no mean, spread or pair of layers shows is seen once the other cells are known."""

import numpy as np
import pytest
import torch

from simulacra.batch import Batch, DataSpec, Field
from simulacra.evaluation import conditional as rules
from simulacra.evaluation.battery import battery
from simulacra.evaluation.conditional import conditional
from simulacra.evaluation.features import Conditions

GIVEN = {"energy": Field((1,), unit="MeV", range=(1e3, 5e4))}
SHOWERS = DataSpec(
    "toy showers", "layers", Field((32,), unit="MeV"), GIVEN, {"layer0": (2, 8), "layer1": (4, 4)},
    {"layers": [{"kind": "cartesian"}] * 2, "mirrors": ["x", "y"]},
)  # fmt: skip
POLAR = DataSpec(
    "toy polar", "layers", Field((1080,), unit="MeV"), GIVEN, {f"layer{k}": (6, 4) for k in range(45)},
    {"layers": [{"kind": "polar"}] * 45, "mirrors": ["x", "y"]},
)  # fmt: skip


def showers(n: int, seed: int, spec: DataSpec, noise: float = 0.0) -> Batch:
    """Cells that follow six numbers per shower with 3 % of their own; the visible energy is fixed by the incident.

    Cartesian ones are heavier on one side, and are mirrored at random.
    """
    draw, fixed = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(0)
    cells = spec.x.size
    energy = 1e3 + 4.9e4 * torch.rand(n, 1, generator=draw)
    profile, modes = torch.rand(cells, generator=fixed) + 0.5, 0.2 * torch.randn(6, cells, generator=fixed)
    x = (torch.randn(n, 6, generator=draw) @ modes + 0.03 * torch.randn(n, cells, generator=draw)).exp() * profile
    x = x * (1 + noise * torch.randn(n, cells, generator=draw))
    x = x / x.sum(1, keepdim=True) * 0.2 * energy
    if spec is SHOWERS:
        for axis in (1, 2):
            turn = torch.rand(n, generator=draw) < 0.5
            grids = [part.reshape(n, *spec.parts[name]) for name, part in zip(spec.parts, x.split(16, 1), strict=True)]
            for grid in grids:
                grid[:, *([slice(None)] * (axis - 1)), : grid.shape[axis] // 2] *= 0.2
            grids = [torch.where(turn[:, None, None], grid.flip(axis), grid) for grid in grids]
            x = torch.cat([grid.flatten(1) for grid in grids], 1)
    return Batch(x, {"energy": energy})


def test_the_inverse_gram_matrix_leaves_a_cell_out_of_its_own_prediction():
    a = showers(400, 1, SHOWERS)
    conditions = Conditions(a[:200], a[200:], SHOWERS)
    cells, strong = np.log(a.x.numpy().astype(float)), np.array([1, 3, 4])
    found = rules._residuals(cells, np.array([3, 7]), strong, conditions)
    y = (cells - cells.mean(0)) / cells.std(0)
    powers = rules.polynomials(conditions.at, 4)[:, 1:]
    for row, target in zip(found, (3, 7), strict=True):
        others = [k for k in range(32) if k != target]
        pairs = [(i, j) for i in (1, 3, 4) for j in (1, 3, 4) if i <= j and target not in (i, j)]
        parts = [y[:, others], np.stack([y[:, i] * y[:, j] for i, j in pairs], 1), y[:, others] * powers[:, :1], powers]
        x = np.concatenate(parts, axis=1)
        x = (x - x.mean(0)) / x.std(0)
        weights = np.linalg.solve(x.T @ x + rules.RIDGE * 400 * np.eye(x.shape[1]), x.T @ y[:, target])
        np.testing.assert_allclose(row, (y[:, target] - x @ weights) * cells[:, target].std(), atol=1e-9)


@pytest.mark.parametrize("spec", [SHOWERS, POLAR], ids=["folded", "45 polar layers"])
def test_noise_is_seen_here_and_only_here(spec):
    a = showers(800, 1, spec)
    honest = battery(a, showers(800, 2, spec), spec)
    assert not honest.failing
    noisy = battery(a, showers(800, 3, spec, noise=0.02), spec)
    assert noisy.failing == ["conditional"]
    assert noisy.groups["conditional"].z > 8
    worst = noisy.groups["conditional"].worst[0]
    assert worst.what == "noise"
    assert worst.difference > 0
    assert "spread around what the other cells tell differs by +" in worst.sentence()


def test_honest_samples_have_uniform_probabilities():
    z = [battery(showers(300, 2 * k, SHOWERS), showers(300, 2 * k + 1, SHOWERS), SHOWERS, permutations=99, seed=k)
         for k in range(30)]  # fmt: skip
    z = np.array([one.groups["conditional"].z for one in z])
    assert abs(z.mean()) < 0.6
    assert 0.6 < z.std() < 1.5
    assert z.max() < 3.5


def test_a_mirrored_sample_is_the_same():
    a, b = showers(300, 1, SHOWERS), showers(300, 2, SHOWERS)
    grids = [b.x[:, :16].view(-1, 2, 8).flip(2).flatten(1), b.x[:, 16:].view(-1, 4, 4).flip(2).flatten(1)]
    mirrored, conditions = b.with_x(torch.cat(grids, 1)), Conditions(a, b, SHOWERS)
    made = [conditional(a, other, SHOWERS, conditions) for other in (b, mirrored)]
    assert not any(isinstance(table, str) for table in made)
    np.testing.assert_allclose(*(table.rows(slice(0, table.size)) for table in made), atol=1e-5)


def test_a_cell_that_disagrees_with_its_neighbours_is_named():
    a, b = showers(1000, 1, SHOWERS), showers(1000, 2, SHOWERS)
    b.x[:, 16:].mul_(1.01)
    found = battery(a, b, SHOWERS).groups["conditional"]
    assert found.z > 5
    assert {w.what for w in found.worst} == {"neighbours"}
    assert "given the other cells differs by" in found.worst[0].sentence()


def test_fewer_cells_do_and_none_is_said():
    a, b = showers(400, 1, SHOWERS), showers(400, 2, SHOWERS)
    for x in (a.x, b.x):
        x[:, 3:][torch.rand(x[:, 3:].shape, generator=torch.Generator().manual_seed(1)) < 0.4] = 0
    conditions = Conditions(a, b, SHOWERS)
    table = conditional(a, b, SHOWERS, conditions)
    assert isinstance(table, str) or table.size < 2 * 10
    for x in (a.x, b.x):
        x[torch.rand(x.shape, generator=torch.Generator().manual_seed(2)) < 0.6] = 0
    found = battery(a, b, SHOWERS)
    assert "conditional" not in found.groups
    assert found.skipped["conditional"].startswith("no cell is hit in 80 % of the events")
