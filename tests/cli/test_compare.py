"""Runs and files side by side, from the command line."""

import json

import numpy as np
import pytest

from simulacra import workflow
from simulacra.cli import run
from simulacra.evaluation import Evaluation, Measurement
from simulacra.figures.pareto import Entry, front
from simulacra.report.comparison import Entrant, cost, fidelity, sentence


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two models of one toy, barely trained, and a file of real points."""
    place = tmp_path_factory.mktemp("runs")
    options = {"rows": 1200, "threads": 1}
    workflow.fit("gan", "toys:moons", place / "poor", arguments={"hidden": 8}, rounds=5, **options)
    workflow.fit("realnvp", "toys:moons", place / "better", arguments={"layers": 4}, rounds=200, **options)
    from simulacra.domains import open_data

    np.savez(place / "real.npz", x=open_data("toys:moons", rows=600, seed=5)[:].x.numpy())
    return place


def test_a_comparison_says_the_same_twice_but_for_the_time(runs, capsys):
    words = ["compare", str(runs / "poor"), str(runs / "better"), "--json"]
    found = []
    for _ in range(2):
        assert run(words) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert list(found[0]) == ["poor", "better", "marginals", "pca_gaussian", "resampler", "untrained"]
    for name, entry in found[0].items():
        assert entry["metrics"] == found[1][name]["metrics"], name
        assert set(entry["milliseconds"]) == {"1", "100", "10000"}
        assert entry["baseline"] == (name not in ("poor", "better"))
    auc = {name: entry["metrics"]["auc/observables"]["value"] for name, entry in found[0].items()}
    assert auc["better"] < auc["poor"]
    assert found[0]["poor"]["fails"]
    assert "nll" in found[0]["better"]["metrics"]
    assert "nll" not in found[0]["poor"]["metrics"]
    assert found[0]["poor"]["seconds"] > 0


def test_a_file_of_events_joins_and_the_page_stands_alone(runs, tmp_path, capsys):
    page = tmp_path / "page.html"
    words = ["compare", str(runs / "better"), str(runs / "real.npz"), "--no-baselines", "--report", str(page)]
    assert run(words) == 0
    out = capsys.readouterr().out
    assert "real against real" in out
    text = page.read_text()
    assert "<svg" in text
    assert "http" not in text.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    ).replace("https://matplotlib.org", "")
    assert "real.npz" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{}/poor", "{}/poor"], "different names"),
        (["{}/real.npz"], "expected --reference"),
        (["{}/poor", "--report", "x.txt"], "ending in .html"),
        (["{}/poor", "--reference", "electrons.h5"], "electrons.h5"),
    ],
)
def test_bad_input_is_one_line(runs, words, message, capsys):
    assert run(["compare", *(word.format(runs) for word in words)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_front_joins_those_that_no_other_beats():
    entries = [Entry("slow", 9.0, 0.5, 0.01), Entry("bad", 3.0, 0.9, 0.01), Entry("fast", 1.0, 0.7, 0.01)]
    assert [entry.name for entry in front(entries)] == ["fast", "slow"]
    assert front([*entries, Entry("best", 0.5, 0.4, 0.0)])[0].name == "best"
    assert len(front([*entries, Entry("best", 0.5, 0.4, 0.0)])) == 1


def test_tables_show_value_error_and_the_floor_last():
    metrics = {"auc/observables": Measurement(0.8, 0.01, 0.5, 0.01, 500), "separation/x": Measurement(0.1, 0.02)}
    entrant = Entrant("one", Evaluation(metrics), "gan", "gan", {1: 2.0, 100: 0.5, 10_000: 0.125}, 10, 0.1, 3.0)
    table = fidelity([entrant])
    assert table.columns == ["AUC of trees", "largest separation"]
    assert table.rows[0] == ("one", [("0.800 ± 0.010", True), ("0.10 ± 0.02", True)])
    assert table.rows[-1][0] == "real against real"
    assert table.rows[-1][1][0] == ("0.500 ± 0.010", False)
    assert [text for text, _ in cost([entrant]).rows[0][1]] == ["2", "0.5", "0.125", "10", "0.1", "3"]
    assert sentence(entrant)[2].endswith("AUC of trees 0.800 ± 0.010; 0.125 ms per event.")
