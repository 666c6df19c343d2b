"""Toys: densities that integrate to one, samples that follow them, parts that never move."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from simulacra.batch import Batch, DataSpec, Field
from simulacra.domains import names, open_data
from simulacra.domains.dataset import ArrayDataset, fingerprint, in_memory, parts_of, split
from simulacra.domains.standard import Standardize
from simulacra.domains.toys import TOYS, observables
from simulacra.errors import UserError

RANGES = {
    "ring8": 2.2,
    "grid25": 4.5,
    "swissroll": 2.2,
    "moons": 2.6,
    "line": 1.05,
    "ring": 1.05,
    "disjoint": 1.05,
    "mixture1d": 6.0,
    "gaussian1d": 11.0,
}
SPACINGS = {"ring8": 0.01, "grid25": 0.025, "swissroll": 0.02, "moons": 0.04, "line": 0.006, "gaussian": 0.05}


def cells(name: str):
    """Midpoints of a fine grid that holds all of a toy, with the volume of one cell."""
    toy = TOYS[name]
    reach, step = RANGES.get(name, 1.6 if name != "gaussian" else 6.0), SPACINGS.get(name, 0.0125)
    axis = torch.arange(-reach + step / 2, reach, step, dtype=torch.float64)
    grid = torch.cartesian_prod(*[axis] * toy.size).view(-1, toy.size)
    return toy, reach, axis, grid, step**toy.size


@pytest.mark.parametrize("name", TOYS)
def test_density_is_one_and_samples_follow_it(name: str):
    toy, reach, axis, grid, volume = cells(name)
    mass = (toy.log_prob(grid).exp() * volume).view([len(axis)] * toy.size).numpy()
    assert mass.sum() == pytest.approx(1.0, abs=1e-4)
    x = toy.sample(20_000, seed=3).double().numpy()
    edges = np.linspace(-reach, reach, len(axis) + 1)
    seen = np.histogramdd(x, bins=[edges] * toy.size)[0]
    block = max(1, len(axis) // (20 if toy.size == 2 else 60))
    keep = len(axis) // block * block
    cut = (slice(0, keep),) * toy.size
    shape = [keep // block, block] * toy.size
    axes = tuple(range(1, 2 * toy.size, 2))
    want, have = mass[cut].reshape(shape).sum(axes) * len(x), seen[cut].reshape(shape).sum(axes)
    rare = want < 10
    want, have = np.append(want[~rare], want[rare].sum()), np.append(have[~rare], have[rare].sum())
    chi2 = ((have - want) ** 2 / np.maximum(want, 1)).sum()
    assert stats.chi2.sf(chi2, len(want)) > 1e-4
    assert len(want) > 5


@pytest.mark.parametrize("name", TOYS)
def test_same_seed_same_points_and_far_values_are_finite(name: str):
    toy = TOYS[name]
    assert torch.equal(toy.sample(50, seed=1), toy.sample(50, seed=1))
    assert not torch.equal(toy.sample(50, seed=1), toy.sample(50, seed=2))
    assert torch.isfinite(toy.log_prob(torch.full((2, toy.size), 1e6))).all()
    assert toy.log_prob(torch.zeros(0, toy.size)).shape == (0,)
    x, kind = toy.draw(2000, seed=1)
    assert x.dtype == torch.float32
    assert set(kind.tolist()) == set(range(toy.kinds))


def test_modes_and_conventions():
    ring, sigma = TOYS["ring8"].modes or (None, None)
    assert ring is not None
    assert sigma == 0.02
    assert ring.norm(dim=1).tolist() == pytest.approx([2.0] * 8)
    grid, sigma = TOYS["grid25"].modes or (None, None)
    assert grid is not None
    assert sigma == 0.05
    assert {tuple(m) for m in grid.tolist()} == {(2.0 * i, 2.0 * j) for i in range(-2, 3) for j in range(-2, 3)}
    # the published scale is the standard deviation, which a standardising codec divides by
    assert TOYS["grid25"].sample(20_000, 1).std().item() == pytest.approx(2.828, rel=0.02)
    assert TOYS["moons"].modes is None
    assert TOYS["gaussians"].modes is None


def test_open_toy_describes_itself():
    data = open_data("toys:grid25", rows=500, labels=True)
    geometry = data.spec.geometry or {}
    assert (geometry["kind"], geometry["name"], geometry["sigma"]) == ("toy", "grid25", 0.05)
    assert len(geometry["modes"]) == 25
    assert DataSpec.from_json(data.spec.to_json()) == data.spec
    batch = data[:]
    data.spec.check(batch)
    nearest = torch.cdist(batch.x, torch.tensor(geometry["modes"])).argmin(1)
    assert torch.equal(nearest, batch.given["label"])
    assert len(open_data("toys:moons")) == 100_000
    seen = observables(data.spec)
    assert [o.name for o in seen] == ["x0", "x1", "radius", "mode_distance"]
    assert all(o(batch).shape == (500,) for o in seen)
    assert stats.kstest(seen[-1](batch).numpy(), "rayleigh").pvalue > 1e-3


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("toys:grid52", {}, "expected the name of a toy, came 'grid52'; did you mean 'grid25'?"),
        ("toys:ring8", {"rows": 0}, "expected at least one row, came 0; leave it out for 100000"),
        ("fashion-minst", {}, "came 'fashion-minst'; did you mean 'fashion-mnist'?"),
        ("toy:ring8", {}, "did you mean 'toys:ring8'?"),
        ("toys:ring8", {"row": 3}, "expected an option of toys:ring8, came 'row'; did you mean 'rows'?"),
    ],
)
def test_sentences(name: str, options: dict, sentence: str):
    with pytest.raises(UserError) as error:
        open_data(name, **options)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_names_are_known():
    assert {"toys:ring8", "fashion-mnist", "mnist", "electrons"} <= set(names())


@given(rows=st.integers(0, 3000), more=st.integers(0, 3000), seed=st.integers(0, 2**40))
@settings(max_examples=40)
def test_split_is_a_partition_that_never_moves(rows: int, more: int, seed: int):
    small, large = split(rows, seed), split(rows + more, seed)
    assert torch.cat(list(small.values())).sort().values.tolist() == list(range(rows))
    for name, part in small.items():
        assert torch.equal(large[name][large[name] < rows], part)


def test_split_shares_seeds_and_sentence():
    parts = split(100_000)
    for name, share in [("train", 0.64), ("validation", 0.04), ("test", 0.32)]:
        assert abs(len(parts[name]) / 1e5 - share) < 5 * (share * (1 - share) / 1e5) ** 0.5
    both = np.intersect1d(parts["test"].numpy(), split(100_000, seed=1)["test"].numpy())
    assert len(both) / 1e5 == pytest.approx(0.32**2, abs=0.01)
    assert len(split(10, fractions=(1, 0, 0))["train"]) == 10
    with pytest.raises(UserError, match="expected three fractions that sum to 1"):
        split(10, fractions=(0.5, 0.5, 0.5))


def test_canonical_parts_win_over_the_split():
    rows = torch.arange(1700)
    data = ArrayDataset(
        DataSpec("d", "vector", Field((1,))), Batch(torch.zeros(1700, 1)), {"train": rows[:1500], "test": rows[1500:]}
    )
    parts = parts_of(data)
    assert torch.equal(parts["test"], rows[1500:])
    assert torch.equal(torch.cat([parts["train"], parts["validation"]]).sort().values, rows[:1500])
    assert 40 < len(parts["validation"]) < 150


def test_array_dataset_reads_grey_levels_and_checks_numbers():
    spec = DataSpec("d", "vector", Field((2,)), {"energy": Field((1,), unit="MeV")})
    x, energy = torch.tensor([[0, 255], [51, 102]], dtype=torch.uint8), torch.tensor([[5.0], [7.0]])
    data = in_memory(spec, Batch(x, {"energy": energy}))
    assert data[np.array([1])].x.tolist() == [[pytest.approx(0.2), pytest.approx(0.4)]]
    assert data.spec.given["energy"].range == (5.0, 7.0)
    assert data.spec.fingerprint == fingerprint(data.batch) != fingerprint(Batch(x, {"energy": energy + 1}))
    with pytest.raises(UserError, match="NaN or infinity in energy row 1; remove it"):
        in_memory(spec, Batch(x, {"energy": torch.tensor([[5.0], [torch.nan]])}))
    with pytest.raises(UserError, match="expected at least one event"):
        in_memory(spec, Batch(x[:0], {"energy": energy[:0]}))


def test_standardize_is_the_weighted_moment_in_one_pass():
    torch.manual_seed(0)
    spec = DataSpec("d", "vector", Field((3,)), {"energy": Field((1,), unit="MeV"), "label": Field((), "class", 2)})
    x = torch.randn(1000, 3) * torch.tensor([1.0, 1e3, 0.0]) + torch.tensor([1e3, 0.0, 7.0])
    batch = Batch(x, {"energy": torch.rand(1000, 1) * 50, "label": torch.randint(2, (1000,))}, weight=torch.rand(1000))
    codec = Standardize(spec)
    codec.fit(batch[i : i + 130] for i in range(0, 1000, 130))
    weight = batch.weight.double()[:, None] / batch.weight.double().sum()
    mean = (weight * x.double()).sum(0)
    deviation = (weight * (x.double() - mean) ** 2).sum(0).sqrt()
    assert torch.allclose(codec.x.mean, mean.float())
    assert torch.allclose(codec.x.deviation[:2], deviation.float()[:2], rtol=1e-5)
    assert codec.x.deviation[2] == 1
    encoded = codec.encode(batch)
    assert torch.allclose(codec.decode(Batch(encoded.x, batch.given)).x, x, atol=1e-3)
    assert encoded.given["label"].dtype == torch.int64
    assert abs(encoded.given["energy"].mean()) < 0.1
    jacobian = torch.autograd.functional.jacobian(lambda v: codec.encode(batch[:1].with_x(v[None])).x[0], x[0])
    assert torch.allclose(codec.log_det(batch), torch.linalg.slogdet(jacobian)[1].expand(1000))
    codec.spec(spec).check(encoded)
    with pytest.raises(UserError, match="expected the condition 'energy', came label"):
        codec.encode_given({"label": batch.given["label"]})
    with pytest.raises(UserError, match="positive total weight"):
        Standardize(spec).fit([])


@pytest.mark.parametrize("seed", range(8))
def test_rounding_is_no_spread_and_a_small_spread_is_one(seed: int):
    draw = torch.Generator().manual_seed(seed)
    times = 1.7e9 + 128.0 * torch.randint(0, 28, (1000,), generator=draw)
    x = torch.stack([torch.full((1000,), 0.1) * torch.rand(1, generator=draw), times], 1)
    codec = Standardize(DataSpec("clock", "vector", Field((2,))))
    codec.fit(Batch(rows, weight=torch.rand(100, generator=draw)) for rows in x.split(100))
    assert float(codec.x.deviation[0]) == 1
    assert float(codec.x.deviation[1]) == pytest.approx(float(times.double().std()), rel=0.1)
