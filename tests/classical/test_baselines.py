"""Baselines: what each of them keeps of the data, and what it loses."""

import numpy as np
import pytest
import torch
from scipy.integrate import dblquad
from scipy.stats import ks_2samp, kstwobign
from scipy.stats import poisson as poisson_law

from simulacra import recipes
from simulacra.batch import Batch, DataSpec, Field
from simulacra.classical import lateral, longitudinal
from simulacra.classical.gflash import GFlash
from simulacra.classical.marginals import Marginals
from simulacra.classical.resampler import Resampler
from simulacra.domains import calorimeter, open_data
from simulacra.domains.calorimeter.geometry import DETECTORS, LAR3, WSI45
from simulacra.domains.dataset import in_memory, parts_of
from simulacra.errors import UserError
from simulacra.evaluation.memorisation import memorisation
from simulacra.testing import streams_for
from simulacra.training.loop import train

REAL = torch.float64


def solved(name, dataset, **arguments):
    """A recipe after its one round."""
    torch.manual_seed(0)
    chosen = recipes.find(name)
    experiment = chosen.build(dataset.spec, chosen.resolve(arguments))
    for _ in train(experiment, streams_for(experiment, dataset)):
        pass
    return experiment


def made(experiment, given, n, seed=1):
    """n events in physical units."""
    torch.manual_seed(seed)
    encoded = experiment.model.sample(n, experiment.codec.encode_given(given))
    return experiment.codec.decode(Batch(encoded.x, given))


def floor(n, m, level=0.001):
    """The Kolmogorov-Smirnov distance that equal laws exceed with this probability."""
    return kstwobign.isf(level) * (1 / n + 1 / m) ** 0.5


def towers(n=4000, seed=0):
    """Two numbers that hang together and follow an energy and a class; and one that is often exactly 0."""
    torch.manual_seed(seed)
    energy, label = 1 + 9 * torch.rand(n, 1), torch.randint(3, (n,))
    one = energy + label[:, None] + 0.5 * torch.randn(n, 1)
    x = torch.cat([one, one + 0.2 * torch.randn(n, 1), torch.randn(n, 1).abs() * (torch.rand(n, 1) < 0.1)], 1)
    given = {"energy": Field((1,), range=(1.0, 10.0)), "label": Field((), "class", 3)}
    return in_memory(DataSpec("towers", "vector", Field((3,)), given), Batch(x, {"energy": energy, "label": label}))


def test_marginals_are_right_and_correlations_are_gone():
    data = open_data("toys:moons", rows=6000)
    x = made(solved("marginals", data), {}, 6000).x
    for k in range(2):
        assert ks_2samp(x[:, k], data.batch.x[:, k]).statistic < floor(6000, 6000)
    assert abs(data.batch.x.T.corrcoef()[0, 1]) > 0.3
    assert abs(x.T.corrcoef()[0, 1]) < 4 / 6000**0.5


def test_marginals_follow_energy_and_class():
    data = towers()
    fresh = towers(seed=1)[:]
    x = made(solved("marginals", data, bins=8), fresh.given, 4000).x
    for k in range(3):
        for low, high in ((1, 3), (3, 7), (7, 10)):
            rows = (fresh.given["energy"][:, 0] >= low) & (fresh.given["energy"][:, 0] < high)
            n = int(rows.sum())
            assert ks_2samp(x[rows, k], fresh.x[rows, k]).statistic < floor(n, n) + 0.03
    centred = x - fresh.given["energy"] - fresh.given["label"][:, None]
    assert centred[:, :2].T.corrcoef()[0, 1] < 0.5  # bins are wide; the truth is above 0.9
    zeros, want = float((x[:, 2] == 0).double().mean()), float((fresh.x[:, 2] == 0).double().mean())
    assert abs(zeros - want) < 0.02


def test_a_rare_number_keeps_its_frequency():
    torch.manual_seed(0)
    x = torch.where(torch.rand(40_000, 1) < 0.002, 5 + torch.rand(40_000, 1), torch.zeros(40_000, 1))
    model = Marginals(DataSpec("rare", "vector", Field((1,))))
    model.solve(model.collect(Batch(x)))
    made = model.sample(100_000).x
    assert (made > 0).double().mean() == pytest.approx(float((x > 0).double().mean()), rel=0.25)
    assert made[made > 0].min() >= 4.9


def test_weighted_quantiles_are_those_of_repeated_events():
    torch.manual_seed(0)
    x, weight = torch.randn(300, 2), torch.randint(1, 4, (300,)).float()
    spec = DataSpec("pair", "vector", Field((2,)))
    one, other = Marginals(spec), Marginals(spec)
    one.solve(one.collect(Batch(x, weight=weight)))
    other.solve(other.collect(Batch(x.repeat_interleave(weight.long(), 0))))
    assert (one.table - other.table).abs().mean() < 2e-3


@pytest.mark.parametrize("name", ["marginals", "pca_gaussian", "gflash"])
def test_sums_add_over_pieces(name):
    data = calorimeter.open_bundled() if name == "gflash" else towers()
    experiment = solved(name, data, events=500)
    model, batch = experiment.model, experiment.codec.encode(data[:1000])
    whole, halves = model.collect(batch), [model.collect(batch[:400]), model.collect(batch[400:])]
    for key, value in whole.items():
        added = halves[0][key] + halves[1][key]
        if key == "table":  # quantiles of pieces are averaged: equal only in the limit
            middle = value.shape[-1] // 2
            gap = (added - value)[..., :2, middle] / whole["events"][:, None]
            assert gap.abs().mean() < 0.1
        else:
            assert torch.allclose(added, value, rtol=1e-4, atol=1e-5 * float(value.abs().max())), key


def test_the_gaussian_has_the_mean_and_the_covariance():
    data = towers(20_000)
    for components in (1, 2, 3):
        x = made(solved("pca_gaussian", data, components=components, degree=1), data.batch.given, 20_000).x
        scale = data.batch.x.std(0)
        assert torch.allclose(x.mean(0), data.batch.x.mean(0), atol=float(4 * scale.max() / 20_000**0.5))
        assert torch.allclose(x.std(0), scale, rtol=0.03)
        if components > 1:
            assert torch.allclose(x.T.corrcoef(), data.batch.x.T.corrcoef(), atol=0.03)


def test_the_mean_of_the_gaussian_is_a_square_of_the_condition():
    data = towers(4000)
    bent = data.batch.with_x(data.batch.x + data.batch.given["energy"] ** 2)
    energy = {"energy": torch.full((4000, 1), 2.0), "label": torch.zeros(4000, dtype=torch.long)}
    gaps = []
    for degree in (1, 2):
        data.batch = bent
        gaps.append(float(made(solved("pca_gaussian", data, degree=degree), energy, 4000).x[:, 0].mean() - 6.0))
    assert abs(gaps[1]) < 0.1 < abs(gaps[0])


def test_the_resampler_gives_training_events_nearest_in_condition():
    data = towers(500)
    model = Resampler(data.spec, 500, neighbours=1)
    model.solve(model.collect(data[:]))
    again = model.sample(500, data.batch.given)
    assert torch.equal(again.x, data.batch.x)
    experiment = solved("resampler", data, neighbours=3)
    asked = {"energy": torch.full((100, 1), 5.0), "label": torch.full((100,), 2)}
    x = made(experiment, asked, 100).x.unique(dim=0)
    near = (data.batch.given["energy"][:, 0] - 5.0).abs() + 1e3 * (data.batch.given["label"] != 2)
    want = data.batch.x[near.argsort()[:3]].unique(dim=0)
    assert x.shape == want.shape
    assert torch.allclose(x, want, atol=1e-5)


@pytest.fixture(scope="module")
def electrons():
    """The training part of the bundled electrons, and the test part."""
    data = calorimeter.open_bundled()
    parts = parts_of(data)
    return in_memory(data.spec, data[parts["train"]]), data[parts["test"]]


def test_the_resampler_scales_showers_and_the_memorisation_test_finds_it(electrons):
    data, test = electrons
    experiment = solved("resampler", data)
    given = {"energy": 1.0005 * data.batch.given["energy"][:600]}
    again = made(experiment, given, 600).x
    assert float(again.sum()) == pytest.approx(1.0005 * float(data.batch.x[:600].sum()), rel=0.01)
    copied, held, seen = ((x + 0.1).log10() for x in (again, test.x[:600], data.batch.x))
    found = memorisation(copied, held, seen, draws=10)
    assert found["memorisation/p"].value < 1e-6
    honest = memorisation((test.x[600:1200] + 0.1).log10(), held, seen, draws=10)
    assert honest["memorisation/p"].value > 1e-3


def test_the_resampler_refuses_events_of_several_processes():
    model = Resampler(DataSpec("line", "vector", Field((1,))), 4)
    sums = model.collect(Batch(torch.ones(4, 1)))
    with pytest.raises(UserError, match="expected one process"):
        model.solve({name: 2 * value for name, value in sums.items()})


def test_the_untrained_generator_neither_moves_nor_falls_silent(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "dots.npz", x=rng.random((40, 8, 8), dtype=np.float32))
    experiment = solved("untrained", open_data(tmp_path / "dots.npz"), width=4, latent=8)
    torch.manual_seed(0)
    chosen = recipes.find("untrained")
    first = chosen.build(open_data(tmp_path / "dots.npz").spec, chosen.resolve({"width": 4, "latent": 8}))
    for one, other in zip(first.model.parameters(), experiment.model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert made(experiment, {}, 100).x.std(0).mean() > 0.01


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
