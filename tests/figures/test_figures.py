"""Figures count right, hold no global state, and take whatever comes."""

from __future__ import annotations

import re
import sys

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from simulacra import figures
from simulacra.batch import Batch
from simulacra.domains import open_data
from simulacra.figures.histograms import edges_of
from simulacra.figures.response import edges_in

SAMPLES = {
    "zeros": np.zeros(20),
    "two values": np.array([0.0, 1.0] * 10),
    "an outlier": np.append(np.random.default_rng(0).normal(size=50), 1e9),
    "nothing": np.zeros(0),
    "not finite": np.array([np.nan, np.inf, 1.0, 2.0]),
    "one": np.array([-3.0]),
    "huge": np.array([1e30, 1e30 + 1e15]),
    "tiny": np.array([1e-30, 2e-30, 5e-30]),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_degenerate_samples_are_drawn(name):
    x = SAMPLES[name]
    table = np.stack([x, x, np.zeros_like(x)], 1)
    for figure in (
        figures.histogram(x, x, "x"),
        figures.histogram(SAMPLES["two values"], x, "x"),
        figures.response((x, x), (x, x)) if name != "huge" else Figure(),
        figures.resolution((x, np.ones_like(x)), (x, np.ones_like(x))),
        figures.curve_panel({"nll": list(enumerate(x))}),
    ):
        text = figures.svg(figure)
        assert isinstance(figure, Figure)
        assert text.startswith("<svg")
        assert text.count("\n") > 3 or name == "huge"
    if name != "not finite":
        for figure in (figures.profile(table, table, "y", log=True), figures.correlations(table, table, list("abc"))):
            assert figures.png(figure, 40).startswith(b"\x89PNG")


@pytest.mark.parametrize("cells", [np.zeros((3, 6)), np.zeros((0, 6)), np.ones((1, 6))])
def test_showers_without_energy_are_drawn(cells):
    parts = {"front": (1, 2), "back": (2, 2)}
    rows = [("5 GeV", *([cells[0]] * 2 if len(cells) else [np.zeros(6)] * 2))]
    for figure in (
        figures.mean_showers(cells, cells, parts),
        figures.side_by_side(rows, parts),
        figures.layers({"a": rows[0][1]}, parts),
    ):
        assert figures.png(figure, 40).startswith(b"\x89PNG")


def test_pictures_and_points_of_any_number():
    for n in (0, 1, 13):
        assert isinstance(figures.image_grid(torch.rand(n, 1, 4, 4)), Figure)
        points = torch.rand(n, 2)
        assert figures.png(figures.scatter(points, points, modes=[[0.0, 0.0]], sigma=0.1), 40)
    assert figures.png(figures.scatter(torch.full((5, 2), 2.0)), 40)
    assert figures.png(figures.bars([0.5, 0.5], [0.0, 1.0], "class", [0.1, 0.0]), 40)


def test_every_event_is_in_the_histogram():
    draw = np.random.default_rng(0)
    x = np.append(draw.normal(size=500), [50.0, -70.0])
    figure = figures.histogram(x, x, "x")
    filled = [p for p in figure.axes[0].patches if hasattr(p, "get_data")]
    assert filled
    for patch in filled:
        assert patch.get_data().values.sum() == pytest.approx(1)


def test_bins_follow_steps_so_that_no_gap_is_seen_where_none_is():
    x = np.random.default_rng(0).binomial(72, 0.3, size=3000) / 72
    edges = edges_of(x)
    steps = np.diff(edges) * 72
    assert np.allclose(steps, steps.round(), atol=1e-6)
    counts = np.histogram(x, edges)[0]
    assert (counts[2:-2] > 0).all()


def test_energy_bins_hold_every_energy():
    for e in (np.array([1.0, 50.0]), np.array([0.2, 900.0]), np.array([5.0])):
        edges = edges_in(e)
        assert edges[0] <= e.min()
        assert edges[-1] >= e.max()


def test_the_reader_sees_the_numbers_as_drawn():
    x = np.linspace(0.1841, 0.1859, 200)
    text = figures.svg(figures.histogram(x, x, "response $ 5"))
    assert {"0.1845", "0.1850", "0.18450", "0.18500"} & set(re.findall(r">(0\.18\d*)<", text))
    assert "response $ 5" in text
    assert text == figures.svg(figures.histogram(x, x, "response $ 5"))


def test_no_global_state_is_touched():
    before = dict(mpl.rcParams)
    figures.svg(figures.histogram(SAMPLES["two values"], SAMPLES["two values"], "x"))
    assert dict(mpl.rcParams) == before
    plt = sys.modules.get("matplotlib.pyplot")
    assert plt is None or not plt.get_fignums()


def test_the_showcase_shows_the_nearest_energies():
    data = open_data("electrons")
    events = data[slice(0, 300)]
    figure = figures.showcase(events, Batch(events.x, events.given), data.spec, names=("Geant4", "simulacra"))
    words = " ".join(t.get_text() for axis in figure.axes for t in (axis.title, axis.yaxis.label))
    for word in ("Geant4", "simulacra", "5 GeV", "20 GeV", "50 GeV", "layer2"):
        assert word in words
