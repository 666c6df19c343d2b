"""Every picture that is listed is drawn, says what its axes are, and says it again for the same seed."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as tree

import matplotlib as mpl
import numpy as np
import pytest
import torch

from simulacra import gallery, recipes, workflow
from simulacra.errors import UserError
from simulacra.figures.files import encoded
from simulacra.gallery import adversarial, distances, flows, learning

FAST = (
    "taxonomy", "generative-discriminative", "bayes-rule", "unsupervised", "goodfellow-panels", "five-states",
    "saturation", "vertical-horizontal", "transport-plan", "lipschitz-cone", "change-of-variables",
)  # fmt: skip
OF_A_RUN = (
    "showers", "mean-showers", "cell-spectrum", "number-of-hits", "longitudinal-profile", "radial-profile", "response",
    "resolution", "correlations", "correlation-difference", "speed",
)  # fmt: skip
TRAINED = (
    "zoo", "loss-and-quality", "spectral-norm", "fixed-latents", "class-grid", "latent-walk", "nearest-training-images",
    "random-pixels", "random-pixel-distances", "realnvp-layers", "density", "trained-panels",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Showers after four rounds: bad, but showers."""
    small = {"hidden": 8, "flow_hidden": 8, "flow_steps": 2, "pairs": 256}
    folder = tmp_path_factory.mktemp("runs") / "showers"
    training = workflow.begin(folder, "calorimeter_tree", "electrons", small, rounds=4, batch_size=32, threads=1)
    for _ in training.rounds():
        pass
    return folder


def nameless_axes(figure):
    """The axes that show numbers and do not say what they are; bars of colours aside."""
    figure.canvas.draw()
    found = []
    for axis in figure.axes:
        for direction in (axis.xaxis, axis.yaxis) if axis.axison and axis.get_label() != "<colorbar>" else ():
            shown = [t.label1.get_text() for t in direction.get_major_ticks() if t.label1.get_visible()]
            numbers = [text for text in shown if re.fullmatch(r"[−-]?[\d.]+", text)]
            if len(numbers) > 1 and not direction.get_label_text():
                found.append((axis.get_title(loc="left"), direction.axis_name, numbers))
    return found


def test_every_picture_is_known_to_these_tests():
    table = gallery.table()
    assert set(table) == {*FAST, *OF_A_RUN, *TRAINED}
    for sentence, where in table.values():
        assert sentence.endswith(".")
        assert all(word[0] in "ABCD" and word[1] == ":" for word in where.split(", ")), where


def test_the_table_is_read_without_anything_heavy():
    code = (
        "import sys; from simulacra import gallery; gallery.table(); print({'torch', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("name", FAST)
def test_fast_pictures_are_named_and_repeat_themselves(name):
    before = dict(mpl.rcParams)
    first, second = gallery.draw(name, 3), gallery.draw(name, 3)
    assert not nameless_axes(first)
    text = encoded(first, ".svg")
    assert text == encoded(second, ".svg")
    assert b"DejaVu" in text
    assert tree.fromstring(text).tag.endswith("svg")
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("name", ["unsupervised", "generative-discriminative"])
def test_another_seed_is_another_picture(name):
    assert encoded(gallery.draw(name, 1), ".svg") != encoded(gallery.draw(name, 2), ".svg")


@pytest.mark.parametrize("name", OF_A_RUN)
def test_pictures_of_showers_show_the_run(name, run):
    state = torch.get_rng_state()
    figure = gallery.draw(name, 0, run)
    assert not nameless_axes(figure)
    assert encoded(figure, ".png", 40).startswith(b"\x89PNG")
    assert torch.equal(state, torch.get_rng_state())


def test_an_unknown_picture_and_a_run_where_none_is_shown_are_refused(run):
    with pytest.raises(UserError, match="did you mean 'five-states'"):
        gallery.draw("five-state")
    with pytest.raises(UserError, match="leave --run out"):
        gallery.draw("five-states", 0, run)


@pytest.mark.parametrize("suffix", [".png", ".pdf"])
def test_every_suffix_is_the_same_bytes_twice(suffix):
    once, again = (encoded(gallery.draw("saturation"), suffix, 50) for _ in range(2))
    assert once == again


def test_every_recipe_hangs_in_the_tree():
    words = {text.get_text() for text in gallery.draw("taxonomy").axes[0].texts}
    assert set(recipes.table()) <= words


def test_families_have_their_place():
    """A new family wants a line in `learning.PLACES`."""
    assert {row["family"] for row in recipes.table().values()} <= set(learning.PLACES)


def test_the_discriminator_after_one_step_is_worse_than_the_best_and_better_than_none():
    x = np.linspace(-8, 8, 2000)
    p, q = np.exp(-0.5 * (x + 0.5) ** 2), np.exp(-0.5 * ((x - 1.6) / 0.6) ** 2) / 0.6

    def loss(d):
        return -np.trapezoid(p * np.log(d) + q * np.log(1 - d), x)

    best = np.clip(p / (p + q), 1e-300, 1 - 1e-16)
    assert loss(best) < loss(adversarial._linear(x, p, q)) < loss(np.full_like(x, 0.5))


def test_the_transport_plan_costs_what_linear_programming_finds():
    import ot

    seen = {}
    original = distances.plan_figure

    def keep(place, start, end, plan, cost):
        seen.update(place=place, start=start, end=end, plan=plan, cost=cost)
        return original(place, start, end, plan, cost)

    distances.plan_figure = keep
    try:
        gallery.draw("transport-plan")
    finally:
        distances.plan_figure = original
    assert np.allclose(seen["plan"].sum(1), seen["start"])
    assert np.allclose(seen["plan"].sum(0), seen["end"])
    away = np.abs(seen["place"][:, None] - seen["place"])
    assert seen["cost"] == pytest.approx(float(ot.emd2(seen["start"], seen["end"], away)), rel=1e-6)


def test_divergences_have_their_limits():
    x = np.linspace(-20, 20, 4001)
    p, q = (np.exp(-0.5 * (x - m) ** 2) / np.sqrt(2 * np.pi) for m in (-9, 9))
    assert distances._js(x, p, p) == pytest.approx(0, abs=1e-12)
    assert distances._js(x, p, q) == pytest.approx(np.log(2), rel=1e-6)


def test_the_parallelogram_is_as_large_as_the_determinant_says():
    point = np.array([-0.6, 0.9])
    step = 1e-6 * np.eye(2)
    numeric = np.stack([(flows._bend(point + d)[0] - flows._bend(point - d)[0]) / 2e-6 for d in step], 1)
    assert np.allclose(flows._jacobian(point), numeric, atol=1e-8)
    assert np.linalg.det(flows._jacobian(point)) == pytest.approx(float(flows._bend(point)[1]))


def test_steps_of_both_players_lead_outward_through_the_five_states():
    line = max(gallery.draw("five-states").axes[0].lines, key=lambda one: len(one.get_xdata()))
    x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    assert (np.diff(np.hypot(x, y)) > 0).all()
    signs = [tuple(s) for s in np.sign(np.stack([x, y], 1)).astype(int)]
    passed = [a for a, b in zip(signs, [None, *signs], strict=False) if a != b]
    assert passed == [(1, 1), (-1, 1), (-1, -1), (1, -1), (1, 1)]
