"""Claims: what the intervals decide, what is stored and when it is made anew, and what the pages say."""

from __future__ import annotations

import importlib
import math
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from simulacra.claims import cures, page, store, table
from simulacra.claims.claim import LECTURES, Claim, Interval, Result, interval, outcome

CALLS: list[int] = []


def thrown(seed: int) -> Result:
    CALLS.append(seed)
    return Result({"a": seed + 0.5, "b": math.inf}, {"a": -1.0, "b": 0.0}, {"curve": np.arange(3) + seed})


def drawn(results) -> Figure:
    figure = Figure()
    figure.subplots().plot(results[0].arrays["curve"])
    return figure


def claim(bounds=None, **words) -> Claim:
    made = Claim(
        name="a-claim",
        statement="It is <so> | so.",
        lecture="A:1",
        paper="Nobody 2020",
        experiment=thrown,
        bounds=bounds or {"a": (0.0, math.inf), "b": (math.inf, math.inf)},
        control="the other way.",
        budget="nothing",
        figure=drawn,
    )
    return replace(made, **words)


def test_the_interval_covers_the_mean_as_often_as_it_says():
    draw = np.random.default_rng(0)
    hits = [abs(i.mean) <= i.half for i in (interval(row) for row in draw.normal(size=(4000, 3)))]
    assert abs(np.mean(hits) - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 4000)


@pytest.mark.parametrize("values", [[1.0], [1.0, math.inf], [1.0, math.nan], [math.nan, math.nan]])
def test_what_is_not_a_sample_of_numbers_decides_nothing(values):
    assert interval(values).against((-10.0, 10.0)) == "undecided"


def test_an_interval_is_read_against_its_bound():
    assert Interval(1.0, 0.0).against((1.0, 1.0)) == "holds"
    assert Interval(math.inf, 0.0).against((math.inf, math.inf)) == "holds"
    assert Interval(math.inf, 0.0).against((0.0, 1.0)) == "fails"


FAR, NEAR, WIDE = [5.0, 5.1, 4.9], [0.0, 0.1, -0.1], [0.0, 2.0, -2.0]


@pytest.mark.parametrize(
    ("one", "two", "control", "verdict"),
    [
        (NEAR, NEAR, FAR, "TRUE"),
        (NEAR, FAR, FAR, "HALF TRUE"),
        (FAR, FAR, FAR, "FALSE"),
        (NEAR, WIDE, FAR, "UNDECIDED"),
        (FAR, WIDE, FAR, "UNDECIDED"),
        (NEAR, NEAR, WIDE, "UNDECIDED"),
        (NEAR, NEAR, NEAR, "VOID"),
        (FAR, FAR, NEAR, "VOID"),
    ],
)
def test_the_verdict(one, two, control, verdict):
    bounds = {"one": (-1.0, 1.0), "two": (-1.0, 1.0)}
    seeds = zip(one, two, control, strict=True)
    results = [Result({"one": a, "two": b}, {"one": c}) for a, b, c in seeds]
    assert outcome(claim(bounds), results).verdict == verdict


def test_without_a_control_nothing_is_shown():
    results = [Result({"one": x}, {}) for x in NEAR]
    assert outcome(claim({"one": (-1.0, 1.0)}), results).verdict == "VOID"


def test_quantities_without_a_bound_are_refused():
    with pytest.raises(ValueError, match=r"expected the quantities \['one'\] of a-claim, came"):
        outcome(claim({"one": (0.0, 1.0)}), [Result({"other": 0.0}, {})])


def test_results_are_stored_whole_and_made_once(tmp_path):
    CALLS.clear()
    first = store.run(tmp_path, claim())
    assert CALLS == [0, 1, 2]
    again = store.run(tmp_path, claim(statement="Other words.", bounds={"a": (9.0, 10.0), "b": (0.0, 1.0)}))
    assert CALLS == [0, 1, 2]
    assert [dict(r.values) for r in again] == [dict(r.values) for r in first]
    assert again[0].values["b"] == math.inf
    assert np.array_equal(again[2].arrays["curve"], [2, 3, 4])
    assert store.stored(tmp_path, claim(seeds=4)) is None
    store.run(tmp_path, claim(seeds=4))
    assert CALLS == [0, 1, 2, 3]


def test_a_damaged_result_is_made_anew(tmp_path):
    CALLS.clear()
    store.run(tmp_path, claim())
    next((tmp_path / "a-claim").glob("*-1/result.json")).write_text("{}")
    assert store.stored(tmp_path, claim()) is None
    store.run(tmp_path, claim())
    assert CALLS == [0, 1, 2, 1]
    assert len(list((tmp_path / "a-claim").iterdir())) == 3


MODULE = '''"""Words."""
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import two_classes
from simulacra.random import reseed
STEP = 1.0
OTHER = 2.0
def step():
    return STEP
def experiment(seed):
    return Result({"a": seed + step()}, {})
def draw(results):
    return OTHER
CLAIMS = (Claim(name="n", statement="It is so.", experiment=experiment, bounds={"a": (0.0, 1.0)}),)
'''


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("Words.", "Other words.", True),
        ("It is so.", "It is not so.", True),
        ("(0.0, 1.0)", "(0.0, 2.0)", True),
        ("(seed):", "(seed):  # a remark", True),
        ("return OTHER", "return STEP", True),
        ("OTHER = 2.0", "OTHER = 3.0", True),
        ("STEP = 1.0", "STEP = 3.0", False),
        ("seed + step()", "seed - step()", False),
        ("return STEP", "return 2 * STEP", False),
        ("step():", "step(of=reseed):", False),
        ("step():", "step(of=two_classes):", False),
        ("def step", "assert STEP\ndef step", False),
    ],
)
def test_the_key_changes_with_the_code_and_not_with_the_words(tmp_path, monkeypatch, old, new, same):
    path = tmp_path / "some_claims.py"
    path.write_text(MODULE.split("CLAIMS")[0])  # importable
    monkeypatch.syspath_prepend(tmp_path)
    experiment = importlib.import_module("some_claims").experiment
    try:
        before = _key_of(path, MODULE, experiment)
        assert (_key_of(path, MODULE.replace(old, new, 1), experiment) == before) is same
    finally:
        del sys.modules["some_claims"]


def _key_of(path, text, experiment):
    path.write_text(text)
    store._parsed.cache_clear()
    return store.key(experiment)


def test_the_key_covers_what_an_experiment_takes_from_other_modules():
    found = store._Code()
    found.follow(cures, "curing")
    modules = {module for module, _, _ in found.parts}
    assert {"simulacra.recipes.unrolled_gan", "simulacra.claims.following", "simulacra.training.loop"} <= modules
    assert not any(name.startswith("simulacra.figures") for name in modules)
    assert ("simulacra.claims.cures", "draw_curing") not in {(module, name) for module, name, _ in found.parts}


def test_every_claim_is_well_formed():
    for name, found in table().items():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
        assert found.statement[0].isupper()
        assert found.statement.endswith(".")
        assert found.control.endswith(".")
        for place in found.lecture.split(", "):
            assert re.fullmatch(r"[A-D]:\d+(-\d+)?", place), (name, place)
            assert place[0] in LECTURES
        assert found.seeds >= 3
        assert found.bounds
        assert all(low <= high for low, high in found.bounds.values())
        assert found.experiment.__module__.startswith("simulacra.claims.")


QUICK = {
    "disjoint-distributions": "TRUE",
    "js-as-printed": "FALSE",
    "metric-properties": "TRUE",
    "gradient-play-does-not-converge": "TRUE",
    "averaging-finds-the-equilibrium": "HALF TRUE",
    "five-states": "TRUE",
    "good-samples-dominate": "HALF TRUE",
    "non-saturating-identity": "HALF TRUE",
    "js-at-the-optimum": "TRUE",
    "value-follows-quality": "TRUE",
    "likelihood-is-cross-entropy": "TRUE",
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    out = tmp_path_factory.mktemp("claims")
    return {name: (table()[name], store.run(out, table()[name])) for name in QUICK}


@pytest.mark.parametrize("name", QUICK)
def test_quick_claims_come_out_as_they_do(results, name):
    found, held = results[name]
    assert outcome(found, held).verdict == QUICK[name]
    again = found.experiment(1)
    assert dict(again.values) == dict(held[1].values)
    assert dict(again.control) == dict(held[1].control)


def test_the_pages_say_every_statement_and_every_verdict(results, tmp_path):
    some = {**results, "a-claim": (claim(), None)}
    page.write(tmp_path / "claims.md", some)
    lines = (tmp_path / "claims.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| ")]
    assert len(rows) == len(some) + 1
    assert all(len(re.split(r"(?<!\\)\|", row)) == 9 for row in rows)
    assert any("**FALSE**" in row and r"D\_JS" in row for row in rows)
    assert "It is &lt;so> \\| so." in rows[-1]
    assert "**not run**" in rows[-1]
    assert all(f"*{title}*" in "\n".join(lines) for title in LECTURES.values())

    page.write(tmp_path / "claims.html", some)
    text = (tmp_path / "claims.html").read_text()
    assert text.count("<svg") == len(results)
    assert text.count("<article") == len(some)
    assert "It is &lt;so&gt; | so." in text
    assert not re.search(r'(src|href)="(?!#)', text)


def test_a_table_outlives_the_folder_of_results_as_long_as_the_code_stands(results):
    nothing = {name: (found, None) for name, (found, _) in results.items()}
    table_of_all = page.markdown(results)
    assert page.markdown(nothing, table_of_all) == table_of_all
    first = next(iter(results))
    other = table_of_all.replace(f"{first} {store.key(results[first][0].experiment)}", f"{first} 0123456789ab")
    assert page.markdown(nothing, other).count("**not run**") == 1
    assert page.markdown(results, other) == table_of_all


def test_one_claim_writes_its_row_and_leaves_the_others_where_they_are(results, tmp_path):
    path, (first, second, *_) = tmp_path / "claims.md", results
    page.write(path, results)
    whole = path.read_text()
    old = whole.replace(store.key(results[second][0].experiment), "0123456789ab")  # of older code, with other figures
    path.write_text(re.sub(r"\*\*[A-Z ]+\*\*(.*0123456789ab)", r"**VOID**\1", old))
    assert "1 VOID" not in path.read_text()
    page.write(path, {first: results[first]}, others=True)
    assert "1 VOID" in path.read_text()
    assert "0123456789ab" in path.read_text()
    page.write(path, {second: results[second]}, others=True)
    assert path.read_text() == whole
    page.write(path, {second: results[second]})
    assert path.read_text().count("<!--") == 1
