"""The page stands alone, says everything, and survives hostile words and degenerate events."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import pytest
import torch

from simulacra.batch import Batch, DataSpec, Field
from simulacra.domains import observables, open_data
from simulacra.evaluation import Evaluation, Measurement
from simulacra.report import tables, write_report

HOSTILE = '<img src=x onerror="alert(1)">$\\frac$'
BANNED = ("<script", "onerror=", "@import", "url(http", "<link", "<iframe")


def write(path, reference, generated, spec, seen, **options):
    metrics = {f"separation/{o.name}": Measurement(0.01, 0.002, 0.0, 0.001, len(reference)) for o in seen}
    metrics |= {"auc/observables": Measurement(0.61, 0.02, 0.5, 0.02, len(reference))}
    metrics |= {"response/bias/5-10GeV": Measurement(0.004, 0.001), "resolution/ratio/5-10GeV": Measurement(1.2, 0.1)}
    write_report(
        path,
        **{
            "title": "a title",
            "config": {"recipe": "r", "arguments": {"lr": 1e-3}},
            "evaluation": Evaluation(metrics, {"reference": len(reference)}, {"energy": (1.0, 50.0, "GeV")}),
            "verdict": ["Usable at 5 to 10 GeV.", "It agrees within 1 %."],
            "reference": reference,
            "generated": generated,
            "spec": spec,
            "observables": seen,
            "losses": {"p/nll": [(1, 2.0), (2, 1.0)]},
            "speed": {"ms at batch 1": 2.0, "ms at batch 1000": 0.4, "times faster than the simulator": 531.2},
            **options,
        },
    )
    return path.read_text()


@pytest.fixture(scope="module")
def showers():
    data = open_data("electrons")
    return data.spec, data[slice(0, 120)], data[slice(120, 240)]


@pytest.fixture
def plane():
    torch.manual_seed(0)
    spec = DataSpec("plane", "vector", Field((2,)))
    return spec, Batch(torch.rand(30, 2)), Batch(torch.rand(30, 2))


def test_the_page_stands_alone_and_shows_every_observable(tmp_path, showers):
    spec, reference, generated = showers
    seen = observables(spec)
    text = write(tmp_path / "report.html", reference, generated, spec, seen)
    addresses = re.findall(r"""(?:src|href|srcset|action)\s*=\s*["']?([^"'\s>]+)""", text)
    assert addresses
    assert all(a.startswith(("data:image/png;base64,", "#")) for a in addresses)
    assert not [word for word in BANNED if word in text]
    assert "://" not in text
    assert len(text) < 4e6
    for o in seen:
        assert text.count(f"<h3>{o.name}</h3>") >= 1
    assert text.count("<svg") + text.count("<img") >= len(seen)
    order = ["Usable at 5", "It agrees within", "531", "0.61 ± 0.02", "0.40 ± 0.10 %", "Profiles", "What was run"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_hostile_words_are_shown_and_not_run(tmp_path, showers):
    spec, reference, generated = showers
    seen = [replace(o, name=f"{HOSTILE}{k}", axis=HOSTILE, unit="$") for k, o in enumerate(observables(spec)[:2])]
    options = {"title": HOSTILE, "verdict": [HOSTILE], "config": {HOSTILE: HOSTILE}, "speed": {HOSTILE: 1.0}}
    text = write(tmp_path / "r.html", reference, generated, spec, seen, losses={f"p/{HOSTILE}": [(1, 1.0)]}, **options)
    assert "<img src=x" not in text
    assert "&lt;img src=x" in text


def test_the_same_events_give_the_same_page(tmp_path, plane):
    spec, reference, generated = plane
    first, second = (write(tmp_path / n, reference, generated, spec, observables(spec)[:2]) for n in ("a", "b"))
    assert first == second


def test_a_failure_leaves_the_old_page(tmp_path, plane):
    spec, reference, generated = plane
    page = tmp_path / "r.html"
    page.write_text("old")
    with pytest.raises(TypeError):
        write(page, reference, generated, spec, [], speed={"x": "fast"})
    assert page.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


@dataclass
class Always:
    """An observable that never varies."""

    name: str = "constant"
    unit: str = ""
    axis: str = "three"

    def __call__(self, batch: Batch) -> torch.Tensor:
        return torch.full((len(batch),), 3.0)


def test_empty_layers_constant_observables_and_few_events(tmp_path, showers):
    spec, reference, _ = showers
    few = reference[:3]
    last = list(spec.slices().values())[-1]
    empty = few.x.clone()
    empty[:, last] = 0
    for x in (torch.zeros_like(few.x), empty):
        text = write(tmp_path / "r.html", few, few.with_x(x), spec, [*observables(spec)[:4], Always()])
        assert "<h3>constant</h3>" in text
        assert "nan" not in re.sub(r"<svg.*?</svg>|base64,[^\"]*", "", text, flags=re.S).lower()


@pytest.mark.parametrize(
    ("layout", "shape"), [("vector", (2,)), ("vector", (1,)), ("image", (1, 8, 8)), ("image", (3, 8, 8))]
)
def test_other_layouts(tmp_path, layout, shape):
    geometry = {"modes": [[0.0, 0.0], [1.0, 1.0]], "sigma": 0.1} if shape == (2,) else None
    spec = DataSpec("d", layout, Field(shape), geometry=geometry)
    torch.manual_seed(0)
    events = Batch(torch.rand(30, *shape))
    text = write(tmp_path / "r.html", events, events, spec, observables(spec))
    assert ("<h2>Samples</h2>" in text) == (shape != (1,))


def test_a_baseline_stands_beside_the_model(tmp_path, plane):
    spec, reference, generated = plane
    baseline = Evaluation({"auc/observables": Measurement(0.93, 0.02, 0.5, 0.02, 100)})
    assert "0.93 ± 0.02" in write(tmp_path / "r.html", reference, generated, spec, [], baseline=baseline)


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("Response agrees within 0.1 % (95 %): +0.04 ± 0.05 %.", "agrees"),
        ("Resolution differs by +5 ± 1 % at 5 to 10 GeV.", "differs"),
        ("Passes: nothing differs from real events (family-wise 1 %, 36 tests in 7 groups).", "agrees"),
        ("Fails in shapes, cells (family-wise 1 %, 36 tests in 7 groups).", "differs"),
        ("It repeats itself: 30 repeats in 1,000 events; no copies of training events.", "differs"),
        ("Of 10 defects planted in real events 9 show at 4 σ or more; not seen so clearly: a (2.8 σ).", "note"),
        ("Trees on observables cannot tell the two apart: AUC 0.5.", "agrees"),
        ("Trees on observables tell the two apart: AUC 0.7.", "differs"),
        ("Resolution is undecided at 10 %: +1 ± 8 %; 6,700 events would decide.", "undecided"),
        ("Usable nowhere: every energy bin misses the response or the resolution asked for.", "usable"),
        ("It copies training events: 25 : 0.", "differs"),
    ],
)
def test_what_a_sentence_says(sentence, kind):
    assert tables.sorted_verdict([sentence]) == [(kind, sentence)]


@pytest.mark.parametrize("value", [1.23456e-9, -0.5, 0.0, 12.3, 98765.4321, 1e12])
@pytest.mark.parametrize("error", [1e-11, 0.0123, 1.0, 340.0, 1e10])
def test_a_printed_amount_is_right_within_its_error(value, error):
    text = (
        tables.amount(value, error)
        .replace("−", "-")
        .replace(",", "")
        .translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    )
    found = re.fullmatch(r"\(?(\S+) ± ([^\s)]+)\)?(?: × 10(-?\d+))?", text)
    scale = 10.0 ** int(found[3] or 0)
    assert float(found[1]) * scale == pytest.approx(value, abs=0.51 * error)
    assert float(found[2]) * scale == pytest.approx(error, rel=0.35)
