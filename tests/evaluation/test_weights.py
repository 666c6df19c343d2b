"""Weighted events: what a weight means in every test; events reweighted to the truth pass, and fail without."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from simulacra.batch import Batch, DataSpec, Field
from simulacra.cli.evaluate import counterpart, judge_file
from simulacra.domains import observables, open_data
from simulacra.errors import UserError
from simulacra.evaluation import Evaluation, evaluate, verdict
from simulacra.evaluation.battery import battery
from simulacra.evaluation.classifiers import auc, jensen_shannon_bound
from simulacra.evaluation.distances import distances
from simulacra.evaluation.gate import failing
from simulacra.evaluation.moments import moments
from simulacra.evaluation.response import bias, resolution_ratio, response
from simulacra.evaluation.roc import area
from simulacra.evaluation.weights import accepted, summary, weights_of

PLANE = DataSpec("plane", "vector", Field((2,)))


def plane(n: int, seed: int, shift: float = 0.0) -> Batch:
    x = torch.randn(n, 2, generator=torch.Generator().manual_seed(seed))
    return Batch(x + torch.tensor([shift, 0.0]))


def reweighted(n: int, seed: int, shift: float) -> Batch:
    """Events of a plane moved by `shift`, with the density ratio as weights."""
    events = plane(n, seed, shift)
    return replace(events, weight=torch.exp(-shift * events.x[:, 0] + shift**2 / 2))


def test_whole_weights_are_repeated_events():
    draw = np.random.default_rng(1)
    a, b = draw.normal(3.0, 1.0, 300), draw.normal(3.2, 1.3, 200)
    w, v = draw.integers(0, 4, 300).astype(float), draw.integers(1, 3, 200).astype(float)
    many_a, many_b = np.repeat(a, w.astype(int)), np.repeat(b, v.astype(int))
    for metric in (bias, resolution_ratio):
        expected = metric(many_a, many_b).value
        # the variance of repeated events divides by their number less one, that of weighted ones by the effective
        assert metric(a, b, weights=(w, v)).value == pytest.approx(expected, rel=1e-3 if metric is bias else 5e-3)
    assert bias(a, b, weights=(w, v)).value == pytest.approx(bias(many_a, many_b).value, rel=1e-9)
    found, expected = moments("v", a, b, weights=(w, v)), moments("v", many_a, many_b)
    assert found["mean/v"].value == pytest.approx(expected["mean/v"].value, rel=1e-9)
    found, expected = distances(a, b, weights=(w, v)), distances(many_a, many_b)
    assert found["ks"].value == pytest.approx(expected["ks"].value, abs=1e-12)
    assert area(a, b, (w, v))[0] == pytest.approx(area(many_a, many_b)[0], abs=1e-12)
    at, of = (a, 2 + a**2), (b, 2 + b**2)
    repeated = [tuple(np.repeat(c, k.astype(int)) for c in s) for s, k in ((at, w), (of, v))]
    found, expected = response(at, of, weights=(w, v)), response(*repeated)
    assert all(found[k].value == pytest.approx(expected[k].value) for k in found if k.startswith("response"))


def test_equal_weights_are_none():
    a, b, train = plane(400, 1), plane(400, 2, 0.1), plane(800, 3)
    plain = evaluate(a, b, PLANE, train=train, fast=True, classifiers=False)
    same = [replace(e, weight=torch.full((len(e),), w)) for e, w in ((a, 3.0), (b, 0.2), (train, 1.0))]
    found = evaluate(*same[:2], PLANE, train=same[2], fast=True, classifiers=False)
    assert found.to_json() == plain.to_json()
    # nearly equal ones take the weighted path to the same numbers
    near = 1 + 1e-7 * np.arange(300)
    x, y = np.random.default_rng(0).normal(size=(2, 300))
    for metric in (bias, resolution_ratio):
        one, other = metric(x + 5, y + 5), metric(x + 5, y + 5, weights=(near, near))
        assert [one.value, one.error, one.floor_error] == pytest.approx(
            [other.value, other.error, other.floor_error], rel=1e-4
        )
    assert area(x, y) == pytest.approx(area(x, y, (np.full(300, 2.0), np.full(300, 3.0))), rel=1e-6)
    assert summary(x) == pytest.approx(summary(x, np.full(300, 2.0)), rel=1e-6)


def test_reweighted_events_pass_and_the_same_without_weights_fail():
    reference, made, train = plane(1000, 1), reweighted(1000, 2, 0.5), plane(1000, 3)
    found = evaluate(reference, made, PLANE, train=train, fast=True)
    assert failing(found) == []
    assert 600 < found.effective["generated"] < 900
    assert "reference" not in found.effective
    assert abs(found.metrics["auc/observables"].above_floor) < 3
    assert abs(found.metrics["mean/x0"].above_floor) < 3.5
    assert abs(found.metrics["kpd"].above_floor) < 4
    lines = verdict(found)
    assert "(effective n " in lines[0]
    assert any("acceptance by weight leaves" in line for line in lines)
    assert "Copies are counted without weights." in lines
    assert Evaluation.from_json(found.to_json()).to_json() == found.to_json()
    bare = evaluate(reference, replace(made, weight=None), PLANE, train=train, fast=True, classifiers=False)
    assert {"obs", "shapes"} <= set(failing(bare))
    assert "effective" not in verdict(bare)[0]


def test_showers_reweighted_in_energy_pass():
    data = open_data("electrons")
    events = data[slice(None)]
    energy = events.given["energy"].flatten()
    a, b = events[0:3000:2], events[1:3000:2]
    draw = torch.Generator().manual_seed(1)
    share = 0.15 + 0.85 * (energy[1:3000:2] - energy.min()) / (energy.max() - energy.min())
    kept = torch.rand(len(b), generator=draw) < share  # fewer soft ones, as another spectrum would have
    steep, weight = b[kept], 1 / share[kept]
    seen = observables(data.spec)
    found = evaluate(a, replace(steep, weight=weight), data.spec, seen, classifiers=False)
    assert failing(found) == []
    assert abs(found.metrics["separation/E_tot"].above_floor) < 4
    bare = evaluate(a, steep, data.spec, seen, classifiers=False)
    assert "shapes" in failing(bare)
    wrong = evaluate(a, replace(steep.with_x(1.02 * steep.x), weight=weight), data.spec, seen, classifiers=False)
    assert "obs" in failing(wrong)


def test_weighted_battery_is_honest_and_its_pulls_are_standard():
    pulls, p = [], []
    for k in range(100):
        a, b = plane(300, 2 * k), reweighted(250, 2 * k + 1, 0.5)
        b = b.with_x(b.x + torch.tensor([0.0, 0.7]))  # a true difference of the second number
        found = battery(a, b, PLANE, permutations=80, seed=k)
        worst = next(f for f in found.groups["obs"].worst if f.names == ("x1",))
        pulls.append((worst.difference - 0.7) / worst.error)
        p.append(battery(a, reweighted(250, 7000 + k, 0.5), PLANE, permutations=80, seed=k).groups["obs"].p)
    assert abs(np.mean(pulls)) < 0.35
    assert 0.8 < np.std(pulls) < 1.25
    assert 0.35 < np.mean(p) < 0.65
    assert min(p) > 1e-4


def test_classifiers_weigh_events_in_training_and_in_the_area():
    a, b = plane(1000, 1), reweighted(1000, 2, 0.8)
    x, y, weights = a.x.numpy(), b.x.numpy(), weights_of(a, b)
    for model in ("trees", "mlp"):
        told, blind = auc(x, y, model=model, splits=1, weights=weights), auc(x, y, model=model, splits=1)
        assert abs(told.value - 0.5) < 4 * told.error < blind.value - 0.5
        assert abs(told.floor - 0.5) < 4 * told.floor_error
    bound = jensen_shannon_bound(x, y, splits=1, weights=weights)
    assert bound.value < min(3 * bound.error, jensen_shannon_bound(x, y, splits=1).value)


def test_acceptance_leaves_the_weighted_law():
    events = accepted(reweighted(20_000, 5, 0.5))
    assert events.weight is None
    assert len(events) > 500
    assert abs(float(events.x[:, 0].mean())) < 5 / np.sqrt(len(events))


def test_weights_without_a_meaning_are_refused_in_one_line():
    a, b = plane(200, 1), plane(200, 2)
    signs = torch.ones(200)
    signs[:3] = -1.0
    for weight, words in (
        (signs, "3 of 200 below it; average or resample"),
        (torch.zeros(200), "zeros only"),
        (torch.exp(torch.linspace(0, 80, 200)), "effective ones"),
        (torch.full((200,), float("nan")), "finite"),
    ):
        for call in (
            lambda w=weight: evaluate(a, replace(b, weight=w), PLANE),
            lambda w=weight: battery(a, replace(b, weight=w), PLANE),
        ):
            with pytest.raises(UserError, match=words) as caught:
                call()
            assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="use the trees or the mlp"):
        auc(torch.rand(100, 1, 8, 8), torch.rand(100, 1, 8, 8), model="cnn", weights=(np.arange(100.0), None))


def test_weights_flow_from_files(tmp_path):
    made = reweighted(400, 2, 0.5)
    np.savez(tmp_path / "made.npz", x=made.x.numpy(), weight=made.weight.numpy())
    np.savez(tmp_path / "real.npz", x=plane(400, 1).x.numpy())
    found, lines = judge_file(
        tmp_path / "made.npz", tmp_path / "real.npz", tmp_path / "page.html", seed=0, fast=True, limit=1000
    )
    assert found.effective["generated"] < 380
    assert failing(found) == []
    assert (tmp_path / "page.html").exists()
    assert "effective n" in lines[0]


class Echo:
    """A run that makes events out of its conditions."""

    def __init__(self, spec: DataSpec) -> None:
        self.spec = spec

    def sample(self, n: int, given: dict[str, torch.Tensor], **how: object) -> Batch:
        return Batch(torch.zeros(n, 2), given)

    def listens_to(self) -> set[str]:
        return {"at"}


def test_what_a_run_makes_takes_the_weights_of_its_conditions():
    events = replace(reweighted(100, 1, 0.5), given={"at": torch.arange(100.0)[:, None]})
    told = Echo(replace(PLANE, given={"at": Field((1,))}))
    assert counterpart(told, events, 0).weight is events.weight  # pyright: ignore[reportArgumentType]
    assert counterpart(Echo(PLANE), events, 0).weight is None  # pyright: ignore[reportArgumentType]
