"""GFlash: its integrals, the profiles of the electrons, and its own constants found again."""

import numpy as np
import pytest
import torch
from fits import made, solved
from scipy.integrate import dblquad
from scipy.stats import poisson as poisson_law

from simulacra.batch import Batch, DataSpec, Field
from simulacra.classical import lateral, longitudinal
from simulacra.classical.gflash import GFlash
from simulacra.domains import calorimeter
from simulacra.domains.calorimeter.geometry import DETECTORS, LAR3, WSI45
from simulacra.errors import UserError

REAL = torch.float64


def test_layer_shares_are_those_of_a_gamma_distribution():
    constants = torch.tensor([np.log(100.0), 0, np.log(3.0), 0, -20, 0, -20, 0, 0, 0], dtype=REAL)
    edges, zero = torch.tensor([0.0, 90, 438, 480], dtype=REAL), torch.zeros(1, dtype=REAL)
    shares = longitudinal.layer_shares(constants, edges, zero, zero, zero)[0]
    t = torch.linspace(0, 480, 48_001, dtype=REAL)
    beta = 3.0 / 100
    density = beta * (beta * t) ** 3 * (-beta * t).exp() / 6  # alpha = 4: Gamma(4) = 6; its peak is at 100 mm
    assert float(t[density.argmax()]) == pytest.approx(100, abs=0.01)
    for k in range(3):
        inside = (t >= edges[k]) & (t <= edges[k + 1])
        assert float(shares[k]) == pytest.approx(float(torch.trapezoid(density[inside], t[inside])), rel=1e-4)


@pytest.mark.parametrize("plane", ["cartesian", "polar"])
def test_cells_hold_the_integral_of_the_lateral_density(plane):
    constants = torch.tensor([np.log(4.0), 0.5, 1.0, 0.0, 0.0], dtype=REAL)
    rows = torch.tensor([-9.0, -2, 0, 5, 9] if plane == "cartesian" else [-np.pi, -1, 0, 2, np.pi], dtype=REAL)
    columns = torch.tensor([-7.0, -1, 3, 8] if plane == "cartesian" else [0.0, 2, 5, 9], dtype=REAL)
    where = torch.tensor([[1.0, -2.0]] if plane == "cartesian" else [[0.0, 0.0]], dtype=REAL)
    cells = lateral.cell_shares(lateral.Plane(plane, rows, columns), constants, torch.zeros(1, dtype=REAL), where)
    core, tail, share = 4.0, 4.0 * (1 + np.exp(0.5)), 1 / (1 + np.exp(-1))

    def density(a, b):
        if plane == "polar":
            square, volume = a**2, a
        else:
            square, volume = (a - 1) ** 2 + (b + 2) ** 2, 1.0
        return volume * sum(p * r**2 / (square + r**2) ** 2 for p, r in ((share, core), (1 - share, tail)))

    edges = [(r, c) for r in range(len(rows) - 1) for c in range(len(columns) - 1)]
    want = [dblquad(lambda b, a: density(a, b), *columns[c : c + 2], *rows[r : r + 2])[0] for r, c in edges]
    assert torch.allclose(cells[0], torch.tensor(want, dtype=REAL) / sum(want), rtol=1e-6)


def test_poisson_quantiles_are_those_of_scipy():
    torch.manual_seed(0)
    mean, u = 10 ** (4 * torch.rand(4000, dtype=REAL) - 3), torch.rand(4000, dtype=REAL)
    assert np.array_equal(lateral.poisson(mean, u).numpy(), poisson_law.ppf(u, mean))
    many = lateral.poisson(torch.full((20_000,), 400.0, dtype=REAL), torch.rand(20_000, dtype=REAL))
    assert float(many.mean()) == pytest.approx(400, abs=1)
    assert float(many.var()) == pytest.approx(400, rel=0.05)


@pytest.fixture(scope="module")
def parametrised(electrons):
    data, test = electrons
    return solved("gflash", data), data.batch, test


@pytest.mark.parametrize("low", [1e3, 5e3, 15e3, 30e3])
def test_gflash_has_the_profiles_of_the_electrons(parametrised, low):
    experiment, seen, test = parametrised
    real = Batch(torch.cat([seen.x, test.x]), {"energy": torch.cat([seen.given["energy"], test.given["energy"]])})
    energy = real.given["energy"][:, 0]
    real = real[(energy >= low) & (energy < 2 * low)]
    copy = made(experiment, real.given, len(real))
    mean, spread, sums = [], [], []
    for x in (real.x.double(), copy.x.double()):
        layers = LAR3.sum_layers(x) / real.given["energy"].double()
        mean.append(layers.mean(0))
        spread.append(layers.std(0))
        sums.append(layers.sum(1))
    error = 2 * spread[0] / len(real) ** 0.5
    assert ((mean[1] - mean[0]).abs()[:2] < 3 * error[:2] + 0.03 * mean[0][:2]).all(), "longitudinal profile"
    assert torch.allclose(spread[1][:2], spread[0][:2], rtol=0.15)
    assert float(sums[1].mean()) == pytest.approx(float(sums[0].mean()), rel=0.01)
    assert float(sums[1].std()) == pytest.approx(float(sums[0].std()), rel=0.15), "resolution"
    for k, part in list(enumerate(LAR3.slices()))[:2]:
        profile = [
            (x[:, part].double().sum(0) / x[:, part].double().sum()).view(LAR3.layers[k].shape).sum(0)
            for x in (real.x, copy.x)
        ]
        moved = float((profile[0] - profile[1]).abs().sum() / 2)
        assert moved < 0.03 + 0.4 / len(real) ** 0.5, f"lateral profile of layer {k}"


@pytest.mark.parametrize("geometry", [WSI45, DETECTORS["ds1-photons"]], ids=["wsi45", "ds1-photons"])
def test_gflash_finds_its_own_constants_again(geometry):
    spec = DataSpec(
        geometry.name, "layers", Field((geometry.cells,)), {"energy": Field((1,))}, geometry.parts, geometry.to_json()
    )
    truth, again = GFlash(spec), GFlash(spec)
    depth = float(truth.edges[-1])
    truth.constants.copy_(
        torch.tensor([np.log(depth / 4), 0.15, 1.2, 0.1, -1.8, 0.1, -1.3, 0.1, 0.6, -2.3], dtype=REAL)
    )
    truth.fraction.fill_(0.2)
    truth.mean_log.fill_(2.0)
    truth.across.copy_(torch.tensor([2.0, 1.2, 1.5, -0.05, 6.0], dtype=REAL).expand_as(truth.across))
    torch.manual_seed(0)
    energy = {"energy": 1e3 * (4 * torch.rand(600, 1)).exp()}
    again.solve(again.collect(truth.sample(600, energy)))
    for k, error in ((0, 0.05), (2, 0.15), (4, 0.2), (9, 0.25)):
        assert float(again.constants[k]) == pytest.approx(float(truth.constants[k]), abs=error), k
    layers = [model.layer_energies(energy["energy"][:, 0]) for model in (truth, again)]
    share = [x.mean(0) / x.mean() for x in layers]
    assert torch.allclose(share[1], share[0], atol=0.1 * float(share[0].max()))
    strong = share[0] > 0.5
    assert torch.allclose(again.across[strong, 0], truth.across[strong, 0], atol=0.15)


def test_the_size_of_weights_means_nothing_to_gflash(electrons):
    batch = electrons[0].batch[:400]
    fits = []
    for size in (1.0, 1e-3):
        model = GFlash(electrons[0].spec)
        weight = torch.where(batch.given["energy"][:, 0] > 2e4, 1.0, 2.0)
        model.solve(model.collect(Batch(batch.x, batch.given, weight=size * weight)))
        fits.append(torch.cat([model.constants, model.fraction, model.across.flatten()]))
    assert torch.allclose(*fits, rtol=1e-2, atol=1e-2)


def test_gflash_wants_a_detector_and_showers():
    with pytest.raises(UserError, match="detector's geometry"):
        GFlash(DataSpec("bare", "layers", Field((4,)), {"energy": Field((1,))}))
    spec = calorimeter.spec_of(LAR3, "none")
    model = GFlash(spec)
    with pytest.raises(UserError, match="too few"):
        model.solve(model.collect(Batch(torch.zeros(3, 504), {"energy": torch.full((3, 1), 1e3)})))
