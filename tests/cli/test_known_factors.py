"""The mutual information gap of `simulacra evaluate`: of encoders that know the factors, of others, and of none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from simulacra.batch import Batch
from simulacra.cli import run
from simulacra.cli.evaluate import codes_of
from simulacra.domains import open_data
from simulacra.domains.images import ImageCodec
from simulacra.evaluation import Evaluation, Measurement, verdict
from simulacra.networks import PointMass
from simulacra.report.tables import row

KNOWING = '''
import torch
from torch import nn

from simulacra.batch import Batch
from simulacra.domains import open_data
from simulacra.domains.images import ImageCodec
from simulacra.networks import PointMass
from simulacra.training.game import Experiment, Loss, Player, modules


class Knowing(nn.Module):
    """Looks every picture up among all that there are, and has its factors as code."""

    def __init__(self, name):
        super().__init__()
        self.all = open_data(name)[:]
        self.bias = nn.Parameter(torch.zeros(()))

    def encode(self, batch):
        rows = torch.cdist(batch.x.flatten(1), 2 * self.all.x.flatten(1) - 1).argmin(1)
        return PointMass(torch.cat(list(self.all.given.values()), 1)[rows])

    def sample(self, n, given={}):
        return Batch(2 * self.all.x[torch.randint(len(self.all), (n,))] - 1 + self.bias, given)

    def loss(self, batch):
        return Loss({"bias": self.bias.square()})


def knowing(data):
    """An encoder that knows."""
    model = Knowing(data.name)
    player = Player("knowing", model, model.loss, torch.optim.SGD(model.parameters(), 0.1))
    return Experiment(model, [player], ImageCodec(data, size=0), 1, 64, modules(model=model))
'''


def test_a_run_that_knows_the_factors_has_the_whole_gap(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file, out = tmp_path / "knowing.py", tmp_path / "run"
    file.write_text(KNOWING)
    recipe = f"{file}:knowing"
    assert run(["train", recipe, "--data", "faces:16", "--out", str(out), "--threads", "1"]) == 0
    capsys.readouterr()
    words = ["evaluate", str(out), "--recipe", recipe, "--fast", "--limit", "1000"]
    assert run([*words, "--json"]) == 0
    found = {k: Measurement.from_json(m) for k, m in json.loads(capsys.readouterr().out).items()}
    assert found["mig"].value == pytest.approx(1.0, abs=0.1)
    assert found["mig"].error < 0.05
    assert found["mig"].floor < 0.05
    assert found["mig"].n == 1000
    assert found["mig/pca"].value < 0.7
    page = (out / "report.html").read_text()
    assert "Mutual information gap" in page


class Told(nn.Module):
    """Codes that are any function of the factors, told beside the picture as a test may do."""

    def __init__(self, codes: torch.Tensor, x: torch.Tensor) -> None:
        super().__init__()
        self.held, self.x = codes, 2 * x.flatten(1) - 1

    def encode(self, batch: Batch) -> PointMass:
        return PointMass(self.held[torch.cdist(batch.x.flatten(1), self.x).argmin(1)])


EVENTS, TRAIN = (open_data("faces:16", rows=1500, seed=seed)[:] for seed in (1, 2))
SPEC = open_data("faces:16", rows=1500).spec
FACTORS = torch.cat(list(EVENTS.given.values()), 1)


def found(codes: torch.Tensor, events: Batch = EVENTS, spec: Any = SPEC, model: Any = None) -> dict[str, Measurement]:
    """What a run with these codes of the events is credited with."""
    held = SimpleNamespace(model=model or Told(codes, EVENTS.x), codec=ImageCodec(SPEC, size=0))
    surrogate: Any = SimpleNamespace(spec=spec, experiment=held)
    return codes_of(surrogate, events, TRAIN, 0)


def test_factors_have_the_whole_gap_turned_ones_none_and_those_of_others_the_floor():
    whole, turned = found(FACTORS)["mig"], found(FACTORS @ torch.tensor([[1.0, 1.0], [-1.0, 1.0]]))["mig"]
    assert whole.value == pytest.approx(1.0, abs=0.05)
    assert whole.above_floor > 20
    assert turned.value < 0.05
    order = torch.randperm(len(FACTORS), generator=torch.Generator().manual_seed(0))
    others = found(FACTORS[order])["mig"]
    assert others.value < 0.02
    assert abs(others.above_floor) < 4


def test_principal_components_as_codes_have_their_gap():
    both = found(FACTORS)
    x, seen = EVENTS.x.flatten(1), TRAIN.x.flatten(1)
    basis = torch.linalg.svd(seen - seen.mean(0), full_matrices=False)[2][:2]
    assert found((x - seen.mean(0)) @ basis.T)["mig"].value == pytest.approx(both["mig/pca"].value, abs=1e-3)


def test_who_is_told_or_does_not_encode_is_not_credited():
    told = open_data("faces:16:told", rows=1500).spec
    assert found(FACTORS, spec=told) == {}
    assert found(FACTORS, spec=replace(SPEC, geometry={"kind": "image"})) == {}
    assert found(FACTORS, events=Batch(EVENTS.x)) == {}
    assert found(FACTORS, events=EVENTS[:100]) == {}
    assert found(FACTORS, model=nn.Identity()) == {}
    assert found(FACTORS[:, :1]) == {}


def test_the_verdict_says_it_and_the_page_does_not_warn_of_it():
    metrics = {"mig": Measurement(0.5, 0.01, 0.01, 0.01, 1000), "mig/pca": Measurement(0.25, 0.01, 0.01, 0.01, 1000)}
    lines = verdict(Evaluation(metrics, {"reference": 1000}))
    assert any("gap of codes" in line and "0.500 ± 0.010" in line and "have 0.25" in line for line in lines)
    assert not any(row(name, m).alarming for name, m in metrics.items())
    assert row("fid", metrics["mig"]).alarming
