"""What users bring: names in another order, weights, doubles, gaps between classes, words that torch keeps."""

from __future__ import annotations

import json

import numpy as np
import pytest

from simulacra.cli import run

from .conftest import trained


def play(recipe, data, out, *words):
    assert run([str(w) for w in ["train", recipe, "--data", data, "--out", out, "--threads", 1, *words]]) == 0
    return out


def found(capsys, *words):
    capsys.readouterr()
    assert run([str(word) for word in words]) == 0
    return capsys.readouterr().out


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """One law twice, whose classes have the same names in another order."""
    place, draw = tmp_path_factory.mktemp("pair"), np.random.default_rng(3)
    for name, order in (("one", ["electron", "photon"]), ("two", ["photon", "electron"])):
        kind = draw.integers(0, 2, 1200)
        x = draw.normal(size=(1200, 2)) + 4 * kind[:, None]
        label = np.array([order.index(["electron", "photon"][k]) for k in kind])
        np.savez(place / f"{name}.npz", x=x, label=label, label_names=np.array(order))
    return place


def test_classes_of_another_file_are_known_by_name(pair, tmp_path, capsys, refuse):
    out = play("qda", pair / "one.npz", tmp_path / "qda")
    told = json.loads(found(capsys, "classify", out, pair / "two.npz", "--json"))
    assert told["classified/right"]["value"] > 0.98
    found(capsys, "sample", out, "--like", pair / "two.npz", "-n", 1000, "--out", tmp_path / "s.npz")
    with np.load(tmp_path / "s.npz") as made, np.load(pair / "two.npz") as like:
        assert abs(made["x"][like["label"][:1000] == 1, 0].mean()) < 0.3, "electrons lie around 0"
    for what in (out, pair / "one.npz"):
        words = ["--reference", pair / "two.npz", "--fast", "--report", tmp_path / "r.html"]
        assert json.loads(found(capsys, "evaluate", what, *words, "--json"))["auc/observables"]["value"] < 0.6
    words = ["--reference", pair / "two.npz", "--no-baselines", "--json"]
    told = json.loads(found(capsys, "compare", out, pair / "one.npz", *words))
    assert [one["metrics"]["auc/observables"]["value"] < 0.6 for one in told.values()] == [True, True]
    np.savez(tmp_path / "plain.npz", x=np.zeros((20, 2)))
    assert "expected conditions of the run" in refuse(
        "sample", out, "--like", tmp_path / "plain.npz", "-n", 5, "--out", tmp_path / "t.npz"
    )
    assert "expected --given label=... once" in refuse(
        "sample", out, "--given", "label=0", "--given", "label=1", "--out", tmp_path / "t.npz"
    )


def test_classes_are_as_frequent_as_their_weights(tmp_path, capsys):
    draw = np.random.default_rng(1)
    label = np.arange(2000) % 2
    x = draw.normal(size=(2000, 1)) + label[:, None]
    np.savez(tmp_path / "w.npz", x=x, label=label, weight=np.where(label == 0, 1.0, 0.01))
    out = play("qda", tmp_path / "w.npz", tmp_path / "qda")
    np.savez(tmp_path / "new.npz", x=np.full((2, 1), 0.5))
    found(capsys, "classify", out, tmp_path / "new.npz", "--out", tmp_path / "p.npz")
    with np.load(tmp_path / "p.npz") as told:
        assert told["probability"][:, 1] == pytest.approx(0.01, abs=0.005)


def test_weighted_events_train_also_where_batches_weigh_nothing(tmp_path):
    x, weight = np.random.default_rng(0).normal(size=(400, 2)), np.zeros(400)
    weight[::20] = 1
    np.savez(tmp_path / "w.npz", x=x, weight=weight)
    play("gan", tmp_path / "w.npz", tmp_path / "gan", "--rounds", 20, "--batch-size", 4)


def test_counts_which_repeat_can_be_judged_but_not_on_what_was_trained_on(tmp_path, capsys, refuse):
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "counts.npz", x=draw.poisson(3, size=(1500, 2)).astype(float))
    once = draw.normal(size=(1500, 2))
    once[1] = once[0]
    np.savez(tmp_path / "once.npz", x=once)
    for name in ("counts", "once"):
        out = play("pca_gaussian", tmp_path / f"{name}.npz", tmp_path / name)
        assert "Judged on" in found(capsys, "evaluate", out, "--fast")
    assert "that was not trained on" in refuse("evaluate", out, "--reference", tmp_path / "once.npz", "--fast")


@pytest.mark.parametrize("recipe", ["acgan", "mdn"])
def test_conditions_may_have_any_name(recipe, tmp_path, capsys):
    draw = np.random.default_rng(0)
    told = {name: draw.normal(size=300) for name in ("type", "p.t", "values", "forward")}
    np.savez(tmp_path / "names.npz", x=draw.normal(size=(300, 2)), label=np.arange(300) % 2, **told)
    out = play(recipe, tmp_path / "names.npz", tmp_path / recipe, "--rounds", 3)
    found(capsys, "sample", out, "-n", 5, "--given", "p.t=0.5", "--out", tmp_path / "s.npz")
    with np.load(tmp_path / "s.npz") as made:
        assert set(told) <= set(made.files)
        assert (made["p.t"] == 0.5).all()


def test_pictures_whose_classes_have_gaps_and_single_members_can_be_judged(tmp_path, capsys):
    draw = np.random.default_rng(0)
    label = np.array([3, 7, 40])[np.arange(600) % 3]
    label[0] = 9
    np.savez(tmp_path / "gaps.npz", x=draw.uniform(size=(600, 8, 8)), label=label)
    out = trained(tmp_path / "cgan", tmp_path / "gaps.npz", rounds=2)
    assert "Judged on" in found(capsys, "evaluate", out, "--fast")


def test_a_run_of_few_pictures_can_be_looked_into(tmp_path, capsys):
    np.savez(tmp_path / "few.npz", x=np.random.default_rng(0).uniform(size=(8, 8, 8)))
    out = trained(tmp_path / "lsgan", tmp_path / "few.npz", recipe="lsgan", rounds=2)
    found(capsys, "look", out, "--out", tmp_path / "look.html")


def test_events_of_one_number_are_drawn_as_a_histogram_when_inverted(tmp_path, capsys):
    out = play("gan", "toys:gaussian1d", tmp_path / "gan", "--rounds", 3)
    found(capsys, "invert", out, "-n", 20, "--steps", 3, "--out", tmp_path / "i.png")
    assert (tmp_path / "i.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_refused_leaves_no_run(points, tmp_path, refuse):
    words = ["train", "wgan", "--data", points, "--out", tmp_path / "run", "--rounds", 3]
    assert "expected --film-every of at least 1" in refuse(*words, "--film", tmp_path / "f.gif", "--film-every", 0)
    assert "expected --clip above 0, came 0" in refuse(*words, "--clip", 0)
    assert "expected --n-critic once, came twice" in refuse(*words, "--n-critic", 1, "--n-critic", 2)
    assert "expected --slope above 0" in refuse(*(str(w).replace("wgan", "sngan") for w in words), "--slope", 0)
    bayes = ["train", "naive_bayes", "--data", points, "--out", tmp_path / "run", "--binarise", "stochastic"]
    assert "expected --binarise and --smoothing with --likelihood bernoulli" in refuse(*bayes)
    assert not (tmp_path / "run").exists()
    assert run([str(w) for w in [*words, "--warm", 0, "--threads", 1]]) == 0
    noisy = ["train", "noisy_gan", "--data", points, "--out", tmp_path / "noisy", "--rounds", 3, "--until", 0]
    assert run([str(w) for w in [*noisy, "--threads", 1]]) == 0
