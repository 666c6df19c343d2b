"""Every planted defect of real showers is seen, real showers pass, and the gate says which tests failed."""

import numpy as np
import pytest
import torch

from simulacra import domains
from simulacra.batch import Batch, DataSpec, Field
from simulacra.evaluation.defects import defects, sensitivity, significances, weakest
from simulacra.evaluation.gate import failing, probabilities, shapes
from simulacra.evaluation.judge import Evaluation
from simulacra.evaluation.measurement import Measurement


@pytest.fixture(scope="module")
def showers():
    data = domains.open_data("electrons")
    rows = torch.from_numpy(np.random.default_rng(3).permutation(len(data)))
    return data[rows[:2000]], data[rows[2000:6000]], data.spec


def test_every_defect_of_showers_shows_at_four_sigma(showers):
    reference, train, spec = showers
    found = sensitivity(reference, train, spec, domains.observables(spec))
    assert len(found) == 10
    weak = {name: seen for name, seen in found.items() if seen.z < 4}
    assert not weak
    assert found["5 % of soft hits dropped"].test == "obs"
    assert found["5 % identical rows"].test == "repeats"
    assert found["5 % jittered copies of training events"].test == "copies"
    assert weakest(found) == min(found, key=lambda name: found[name].z)


def test_real_showers_show_nothing(showers):
    reference, train, spec = showers
    z = significances(reference, train[:2000], train[2000:], spec, domains.observables(spec))
    assert max(z.values()) < 4
    assert {"obs", "products", "ranges", "cells", "occupancies", "conditional", "copies", "repeats", "twins"} <= set(z)


@pytest.mark.parametrize(
    "spec",
    [
        DataSpec("vector", "vector", Field((3,))),
        DataSpec("picture", "image", Field((1, 8, 8))),
        DataSpec("rings", "layers", Field((8,)), {}, {"a": (4, 2)}, {"layers": [{"kind": "polar"}]}),
    ],
    ids=lambda spec: spec.name,
)
def test_defects_change_what_they_say_and_nothing_else(spec):
    draw = torch.Generator().manual_seed(0)
    batch, train = (Batch(torch.randn(400, *spec.x.shape, generator=draw).exp()) for _ in range(2))
    before = batch.x.clone()
    for defect in defects(spec):
        made = defect.plant(batch, train, np.random.default_rng(0))
        assert made.x.shape == batch.x.shape
        assert made.x.isfinite().all()
        assert not torch.equal(made.x, before), defect.name
        assert torch.equal(batch.x, before), defect.name
        again = defect.plant(batch, train, np.random.default_rng(0))
        assert torch.equal(made.x, again.x), defect.name


def test_the_gate_names_the_families_that_fail():
    real, far = Measurement(0.001, 0.002, 0.0, 0.002, 1000), Measurement(0.3, 0.01, 0.0, 0.002, 1000)
    assert failing(Evaluation({"separation/a": real, "separation/b": real})) == []
    assert failing(Evaluation({"separation/a": real, "separation/b": far})) == ["shapes"]
    counted = {"memorisation/repeats": Measurement(30.0, 5.5, 1.0, 1.0, 1000)}
    assert failing(Evaluation(counted)) == ["repeats"]
    assert probabilities(Evaluation({"memorisation/p": Measurement(0.4, 0.0, 1.0)})) == {"copies": 0.4}
    assert shapes({"separation/a": real})["a"] > 0.1
