"""The page stands alone, says everything, and survives hostile words and degenerate events."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch

from simulacra import figures
from simulacra.batch import Batch, DataSpec, Field
from simulacra.domains import observables, open_data
from simulacra.evaluation import Evaluation, Measurement
from simulacra.report import write_report

HOSTILE = '<img src=x onerror="alert(1)">'


def write(path, reference, generated, spec, seen, **options):
    metrics = {f"separation/{o.name}": Measurement(0.01, 0.002, 0.0, 0.001, len(reference)) for o in seen}
    metrics |= {"auc/observables": Measurement(0.61, 0.01, 0.5, 0.01, len(reference))}
    write_report(
        path,
        **{
            "title": "a title",
            "config": {"recipe": "r", "arguments": {"lr": 1e-3}},
            "evaluation": Evaluation(metrics, {"reference": len(reference)}, {"energy": (1.0, 50.0, "GeV")}),
            "verdict": ["It agrees within 1 %."],
            "reference": reference,
            "generated": generated,
            "spec": spec,
            "observables": seen,
            "losses": {"p/nll": [(1, 2.0), (2, 1.0)]},
            "speed": {"ms at batch 1": 2.0},
            **options,
        },
    )
    return path.read_text()


@pytest.fixture(scope="module")
def showers():
    data = open_data("electrons")
    return data.spec, data[slice(0, 200)], data[slice(200, 400)]


def test_the_page_stands_alone_and_shows_every_observable(tmp_path, showers):
    spec, reference, generated = showers
    seen = observables(spec)
    text = write(tmp_path / "report.html", reference, generated, spec, seen)
    addresses = re.findall(r"""(?:src|href)\s*=\s*["']([^"']+)""", text)
    assert addresses
    assert all(a.startswith(("data:", "#")) for a in addresses)
    assert "<script" not in text
    assert len(text) < 4e6
    for o in seen:
        assert f"<h3>{o.name}</h3>" in text
    assert text.index("It agrees within 1 %.") < text.index("0.610 ± 0.010") < text.index("What was run")


def test_hostile_words_are_shown_and_not_run(tmp_path, showers):
    spec, reference, generated = showers
    seen = [replace(o, name=HOSTILE, axis=HOSTILE) for o in observables(spec)[:1]]
    options = {"title": HOSTILE, "verdict": [HOSTILE], "config": {HOSTILE: HOSTILE}, "speed": {HOSTILE: 1.0}}
    text = write(tmp_path / "r.html", reference, generated, spec, seen, losses={f"p/{HOSTILE}": [(1, 1.0)]}, **options)
    assert HOSTILE not in text
    assert "onerror" in text


def test_empty_showers_and_few_events(tmp_path, showers):
    spec, reference, _ = showers
    few = reference[:3]
    text = write(tmp_path / "r.html", few, few.with_x(torch.zeros_like(few.x)), spec, observables(spec)[:6])
    assert "nan" not in text.lower().split("<svg")[0]


@pytest.mark.parametrize(
    ("layout", "shape"), [("vector", (2,)), ("vector", (1,)), ("image", (1, 8, 8)), ("image", (3, 8, 8))]
)
def test_other_layouts(tmp_path, layout, shape):
    spec = DataSpec("d", layout, Field(shape))
    torch.manual_seed(0)
    events = Batch(torch.rand(30, *shape))
    assert "generated" in write(tmp_path / "r.html", events, events, spec, observables(spec))


def test_a_histogram_of_a_constant_and_of_outliers():
    for values in (torch.zeros(20), torch.tensor([0.0, 1.0] * 10), torch.cat([torch.randn(50), torch.tensor([1e9])])):
        text = figures.svg(figures.histogram(values.numpy(), values.numpy(), "x"))
        assert text.startswith("<svg")
        assert text == figures.svg(figures.histogram(values.numpy(), values.numpy(), "x"))
