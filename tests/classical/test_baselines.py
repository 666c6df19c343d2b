"""Baselines: what each of them keeps of the data, and what it loses."""

import numpy as np
import pytest
import torch
from fits import made, solved
from scipy.stats import ks_2samp, kstwobign

from simulacra import recipes
from simulacra.batch import Batch, DataSpec, Field
from simulacra.classical.marginals import Marginals
from simulacra.classical.resampler import Resampler
from simulacra.domains import calorimeter, open_data
from simulacra.domains.dataset import in_memory
from simulacra.errors import UserError
from simulacra.evaluation.memorisation import memorisation


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
