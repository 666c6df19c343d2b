"""The battery finds what is planted and names it; honest samples pass; its probabilities are those of known laws."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import chi2, kstest, norm

from simulacra.batch import Batch, DataSpec, Field
from simulacra.errors import UserError
from simulacra.evaluation import battery as rules
from simulacra.evaluation.battery import Battery, Group, battery
from simulacra.evaluation.features import Conditions, Range, tables
from simulacra.evaluation.findings import Finding

VECTOR = DataSpec("toy", "vector", Field((4,), unit="mm"), {"energy": Field((1,), unit="MeV", range=(1e3, 5e4))})


def vectors(n: int, seed: int) -> Batch:
    """Four numbers whose mean and spread follow the energy; the first two correlated."""
    draw = torch.Generator().manual_seed(seed)
    energy = 1e3 + 4.9e4 * torch.rand(n, 1, generator=draw)
    noise = torch.randn(n, 4, generator=draw)
    noise[:, 1] = 0.6 * noise[:, 0] + 0.8 * noise[:, 1]
    return Batch(3 * energy.log() + (1 + energy / 5e4) * noise, {"energy": energy})


def labels(n: int, m: int, permutations: int = 200) -> np.ndarray:
    base, draw = np.repeat([-1 / n, 1 / m], [n, m]).astype(np.float32), np.random.default_rng(5)
    return np.stack([base, *(draw.permutation(base) for _ in range(permutations))], axis=1)


def test_honest_samples_pass_with_uniform_probabilities():
    found = [battery(vectors(400, 2 * k), vectors(400, 2 * k + 1), VECTOR, seed=k) for k in range(60)]
    assert sum(bool(one.failing) for one in found) <= 2
    for name in ("obs", "products", "ranges"):
        p = [one.groups[name].p for one in found]
        assert kstest(p, "uniform").pvalue > 1e-3
        assert 0.7 < np.std([one.groups[name].z for one in found]) < 1.4


@pytest.mark.parametrize("sizes", [(4000, 4000), (9000, 1500)])
def test_independent_features_have_the_closed_form(sizes):
    n, m = sizes
    values = np.random.default_rng(1).normal(size=(100, n + m))
    t = rules._differences(values, labels(n, m), n, m)
    np.testing.assert_allclose(
        t[:, 0],
        (values[:, n:].mean(1) - values[:, :n].mean(1)) / values.std(1, ddof=1) / np.sqrt(1 / n + 1 / m),
        atol=1e-5,
    )
    largest = np.abs(t).max(0)
    meff = np.log(0.5) / np.log1p(-2 * norm.sf(np.median(largest[1:])))
    assert 60 < meff < 160
    for size in (3.5, 5.0, 9.0, 30.0):
        want = 1 - (1 - 2 * norm.sf(size)) ** 100 if size < 5 else 100 * 2 * norm.sf(size)
        assert rules._log_p_largest(size, 100) == pytest.approx(np.log(max(want, 1e-300)), abs=0.01)
    for scale in (1.0, 1.3, 2.0):
        t[:, 0] = np.sqrt(scale)
        assert rules._log_p_total(t) == pytest.approx(chi2.logsf(100 * scale, 100), rel=0.12)


def test_coarse_defects_have_finite_significances():
    """The tail of chi^2 with two degrees of freedom is exp(-x/2), far below the smallest double."""
    for x in (1e3, 1.4e3, 1.6e3, 1e6):
        assert rules._log_sf(x, 2.0) == pytest.approx(-x / 2, rel=1e-12)
    steps = np.diff([rules._log_sf(x, 300.0) for x in np.arange(2000.0, 2800.0, 20)])  # across the smallest double
    assert np.isneginf(chi2.logsf(2800, 300))
    assert np.abs(np.diff(steps)).max() < 0.02
    apart = vectors(1500, 1)
    z = [g.z for g in battery(vectors(1500, 0), Batch(10 * apart.x, apart.given), VECTOR).groups.values()]
    assert np.isfinite(z).all()
    assert max(z) > 38  # where p is no double any more


def test_one_number_needs_no_correction():
    draw = np.random.default_rng(2)
    a, b = (Batch(torch.from_numpy(draw.normal(size=(500, 1))).float()) for _ in range(2))
    found = battery(a, b, DataSpec("toy", "vector", Field((1,)))).groups
    assert found["obs"].features == 1
    assert found["obs"].meff == pytest.approx(1, abs=0.3)
    assert "ranges" not in found


def test_exchanging_the_samples_changes_signs_only():
    a, b = vectors(600, 1), vectors(500, 2)
    b.x[:, 2] += 0.6
    one, other = battery(a, b, VECTOR), battery(b, a, VECTOR)
    for name, group in one.groups.items():
        assert group.statistic == pytest.approx(other.groups[name].statistic, rel=1e-3)
    first, second = one.groups["obs"].worst[0], other.groups["obs"].worst[0]
    assert first.names == second.names == ("x2",)
    assert first.difference == pytest.approx(-second.difference, rel=1e-3)
    assert abs(first.difference - 0.6) < 4 * first.error
    assert "obs" in one.failing
    assert first.unit == "mm"


def test_other_conditions_are_not_a_difference():
    a, b = vectors(2000, 1), vectors(2000, 2)
    b = b[b.given["energy"][:, 0] > 2e4 * torch.rand(2000, generator=torch.Generator().manual_seed(3))]
    assert not battery(a, b, VECTOR).failing


def test_defects_are_named_with_size_and_range():
    a, b = vectors(2000, 1), vectors(2000, 2)
    high = b.given["energy"][:, 0] > 4.05e4
    b.x[high, 3] += 0.8
    found = battery(a, b, VECTOR)
    assert found.failing[0] == "ranges"
    worst = found.groups["ranges"].worst[0]
    assert (worst.names, worst.what) == (("x3",), "mean")
    assert abs(worst.difference - 0.8) < 5 * worst.error
    assert worst.range is not None
    assert worst.range.low > 35
    assert worst.range.unit == "GeV"
    assert worst.sentence().startswith("x3: mean differs by +0.")
    assert worst.sentence().endswith(f"mm at {worst.range}")
    a, b = vectors(1500, 1), vectors(1500, 2)
    b.x[:, 1] = vectors(1500, 4).x[:, 1] - 3 * vectors(1500, 4).given["energy"][:, 0].log()
    b.x[:, 1] += 3 * b.given["energy"][:, 0].log()
    worst = battery(a, b, VECTOR).groups["products"].worst[0]
    assert worst.sentence().startswith("correlation of x0 and x1 differs by -0.")
    assert abs(worst.difference + 0.6) < 0.15
    b = vectors(1500, 2)
    mean = 3 * b.given["energy"].log()
    b.x.copy_(mean + 1.2 * (b.x - mean))
    worst = battery(a, b, VECTOR).groups["products"].worst
    spreads = [w for w in worst if w.what == "spread"]
    assert all(abs(w.difference - 0.2) < 4 * w.error for w in spreads)
    assert " %" in spreads[0].sentence()


def test_adjacent_ranges_are_one_finding():
    a, b = vectors(2000, 1), vectors(2000, 2)
    b.x[:, 0] += 1.0 * (b.given["energy"][:, 0] > 2.1e4)
    found = battery(a, b, VECTOR).groups["ranges"].worst
    whole = next(w for w in found if w.names == ("x0",) and w.what == "mean").range
    assert whole is not None
    assert whole.low < 25
    assert whole.high == pytest.approx(50, abs=0.5)


def test_classes_are_compared_within():
    spec = DataSpec(
        "pictures", "image", Field((1, 4, 4)), {"label": Field((), "class", 3), "source": Field((2,), unit="mm")}
    )

    def pictures(seed: int) -> Batch:
        draw = torch.Generator().manual_seed(seed)
        label = torch.randint(3, (900,), generator=draw)
        x = (0.2 * torch.randn(900, 1, 4, 4, generator=draw) + label[:, None, None, None]).clamp(min=0)
        x[:, :, 0, 0] = 1.0
        return Batch(x, {"label": label, "source": torch.randn(900, 2, generator=draw)})

    class Mean:
        name, unit, axis = "mean", "", "mean intensity"

        def __call__(self, batch: Batch) -> torch.Tensor:
            return batch.x.mean((1, 2, 3))

    a, b = pictures(1), pictures(2)
    assert not battery(a, b, spec, [Mean()]).failing
    made = tables(a, b, spec, [Mean()], Conditions(a, b, spec))
    assert made["ranges"].size == 2 * 3
    b.x[b.given["label"] == 2, 0, 1, 2] -= 0.3
    found = battery(a, b, spec, [Mean()])
    assert "cells" in found.failing
    assert found.groups["cells"].worst[0].names == ("pixel row 1 column 2",)
    assert found.groups["ranges"].worst[0].sentence().startswith("mean (mean intensity): mean differs by -0.0")
    assert found.groups["ranges"].worst[0].sentence().endswith("at label 2")
    x = a.x.clone()
    x[:, :] = 1.0
    assert battery(Batch(x), Batch(x), spec).skipped["cells"] == "nothing varies"


def test_results_are_kept_as_json():
    a, b = vectors(300, 1), vectors(300, 2)
    b.x[:, 0] += 0.5
    found = battery(a, b, VECTOR)
    again = Battery.from_json(json.dumps(found.to_json(), allow_nan=False))
    assert again == found
    assert again.failing == found.failing == battery(a, b, VECTOR).failing


def test_holm_steps_down():
    one = Group(1.0, 0.0, 1.0, 1, 1.0, 0.0)
    groups = {name: replace(one, p=p) for name, p in {"a": 0.004, "b": 0.5, "c": 0.0001, "d": 0.003}.items()}
    assert Battery(groups, 1, 1).failing == ["c", "d", "a"]
    groups["d"] = replace(one, p=0.0034)
    assert Battery(groups, 1, 1).failing == ["c"]
    assert Battery({}, 1, 1).failing == []


def test_sentences_say_what_where_and_how_much():
    worst = Finding(
        ("f_layer0",), "mean", -0.012, 0.002, -6.0, "", Range("energy", 10, 20, "GeV"), ("share in layer 0",)
    )
    text = "f_layer0 (share in layer 0): mean differs by -0.012 ± 0.002 at energy 10 to 20 GeV"
    assert worst.sentence() == text
    assert replace(worst, what="occupancy", axes=(), range=None).sentence() == (
        "f_layer0: occupancy differs by -0.012 ± 0.002"
    )
    assert (
        replace(worst, what="noise", axes=())
        .sentence()
        .startswith("f_layer0: spread around what the other cells tell differs by -1.2 ± 0.2 %")
    )


def test_bad_input_is_refused_in_one_line():
    a = vectors(200, 1)
    for change, words in (
        (lambda: battery(a[:79], a, VECTOR), "at least 80 reference events, came 79"),
        (lambda: battery(a, replace(a, weight=-torch.ones(200)), VECTOR), "200 of 200 below it"),
        (lambda: battery(a, a.with_x(a.x / 0), VECTOR), "finite numbers in the generated events"),
        (lambda: battery(a, a, VECTOR, permutations=10), "at least 80 permutations"),
    ):
        with pytest.raises(UserError, match=words) as caught:
            change()
        assert "\n" not in str(caught.value)
