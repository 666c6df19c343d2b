"""The whole judge on toy data of each kind, and what it says."""

import json
import re
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from simulacra.batch import Batch, DataSpec, Field
from simulacra.errors import UserError
from simulacra.evaluation import Evaluation, Measurement, evaluate, verdict
from simulacra.evaluation.frechet import fid, frechet
from simulacra.evaluation.images import accuracy, train_classifier
from simulacra.evaluation.modes import modes
from simulacra.evaluation.pca_gaussian import PCAGaussian
from simulacra.evaluation.views import folded

SHOWERS = DataSpec(
    "toy showers",
    "layers",
    Field((16,), unit="MeV"),
    {"energy": Field((1,), unit="MeV", range=(1e3, 5e4))},
    {"layer0": (2, 4), "layer1": (4, 2)},
    {"layers": [{"kind": "cartesian"}] * 2, "mirrors": ["x"]},
)


@dataclass(frozen=True)
class Total:
    name: str = "E_tot"
    unit: str = "MeV"
    axis: str = "energy"

    def __call__(self, batch: Batch) -> torch.Tensor:
        return batch.x.sum(1)


@dataclass(frozen=True)
class Shares:
    name: str = "share"
    unit: str = ""
    axis: str = "share"

    def __call__(self, batch: Batch) -> torch.Tensor:
        return batch.x[:, :3] / batch.x.sum(1, keepdim=True)


def showers(n: int, seed: int) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    energy = 1e3 + 4.9e4 * torch.rand(n, 1, generator=draw)
    share = torch.rand(n, 16, generator=draw) + 0.1
    visible = 0.2 * energy * (1 + 2 * torch.randn(n, 1, generator=draw) / energy.sqrt())
    return Batch(share / share.sum(1, keepdim=True) * visible, {"energy": energy})


def test_showers_are_judged_and_honest_ones_pass():
    reference, generated, train = (showers(1000, k) for k in (1, 2, 3))
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    found = evaluate(reference, generated, SHOWERS, [Total(), Shares()], train)
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()  # noqa: NPY002
    assert found == evaluate(reference, generated, SHOWERS, [Total(), Shares()], train)
    assert Evaluation.from_json(json.dumps(found.to_json())) == found
    names = {"separation/E_tot", "wasserstein/share/2", "ks/E_tot", "mean/E_tot", "response/bias", "auc/observables"}
    names |= {"response/bias/5-10GeV", "resolution/ratio/5-10GeV", "auc/observables_mlp", "auc/cells"}
    assert names | {"memorisation/ratio", "memorisation/copies"} <= set(found.metrics)
    assert found.rows == {"reference": 1000, "generated": 1000, "train": 1000}
    lines = verdict(found)
    text = "\n".join(lines)
    assert "1,000 reference against 1,000 generated events, energy 1." in lines[0]
    assert "Passes: nothing differs from real events" in text
    assert "defects planted in real events" in text
    assert "Trees on observables cannot tell the two apart" in text
    assert "No copies" in text
    assert "differs by" not in text
    assert found.sensitivity["energies 0.5 % high"].z > 3


def test_defects_are_named_with_size_and_place():
    reference, train = showers(3000, 1), showers(3000, 3)
    broken = showers(3000, 2)
    broken.x[broken.given["energy"][:, 0] > 3e4] *= 1.05
    broken.given["energy"][:100] = train.given["energy"][:100]
    broken.x[:100] = train.x[:100] * (1 + 1e-3 * torch.rand(100, 16, generator=torch.Generator().manual_seed(1)))
    text = "\n".join(verdict(evaluate(reference, broken, SHOWERS, [Total(), Shares()], train, fast=False)))
    assert "Response differs by +" in text
    assert "at 30 to 50 GeV" in text
    assert "Usable at 1 to 30 GeV" in text
    assert re.search(r"Fails in .*observables", text)
    assert "E_tot (energy): mean differs by +" in text
    assert "It copies training events" in text


def test_fast_looks_at_fewer():
    found = evaluate(showers(1500, 1), showers(1500, 2), SHOWERS, [Total()], fast=True)
    assert found.rows == {"reference": 1000, "generated": 1000}
    assert "auc/observables_mlp" not in found.metrics


def test_bad_input_is_refused_in_one_line():
    reference, generated = showers(200, 1), showers(200, 2)
    for change, words in (
        (lambda: evaluate(reference, generated, SHOWERS, [], reference[:5]), "5 of its rows were"),
        (lambda: evaluate(reference[:50], generated, SHOWERS), "at least 80"),
        (lambda: evaluate(reference, generated.with_x(generated.x[:, :3]), SHOWERS), r"shape \(16,\)"),
        (lambda: evaluate(reference, replace(generated, weight=-torch.ones(200)), SHOWERS), "200 of 200 below it"),
        (lambda: evaluate(reference, generated.with_x(generated.x / 0 - generated.x / 0), SHOWERS), "finite numbers"),
    ):
        with pytest.raises(UserError, match=words) as caught:
            change()
        assert "\n" not in str(caught.value)


def test_undecided_comes_with_the_events_that_decide():
    found = {"resolution/ratio": Measurement(1.02, 0.1, 1.0, 0.1, 1000)}
    assert "2,800 events would decide" in verdict(Evaluation(found, {"reference": 1000}))[1]


def test_folding_undoes_a_mirror():
    x = showers(50, 1).x.numpy()
    grids = [x[:, :8].reshape(-1, 2, 4), x[:, 8:].reshape(-1, 4, 2)]
    mirrored = np.concatenate([np.flip(g, 2).reshape(50, -1) for g in grids], axis=1)
    np.testing.assert_array_equal(folded(x, SHOWERS), folded(mirrored, SHOWERS))
    assert not np.array_equal(folded(x, SHOWERS), x)


def test_modes_of_known_mixtures_are_counted():
    draw = np.random.default_rng(0)
    centres = np.array([[i, j] for i in range(5) for j in range(5)]) * 2.0
    real, few = draw.integers(25, size=10_000), draw.integers(7, size=10_000)
    points = centres[real] + 0.05 * draw.normal(size=(10_000, 2))
    collapsed = centres[few] + 0.05 * draw.normal(size=(10_000, 2))
    collapsed[:2000] += 0.7
    found = modes(points, collapsed, centres, 0.05)
    assert found["modes/covered"].value == 7
    assert found["modes/covered"].floor == 25
    assert found["modes/high_quality"].value == pytest.approx(0.8 * (1 - np.exp(-4.5)), abs=0.02)
    assert found["modes/high_quality"].floor == pytest.approx(1 - np.exp(-4.5), abs=0.004)
    rare = np.concatenate([np.repeat(centres[:1], 9960, 0), np.repeat(centres[1:2], 40, 0)])
    assert modes(points, rare, centres, 0.05)["modes/covered"].value == 1
    assert modes(points, np.concatenate([rare, centres[1:2]]), centres, 0.05)["modes/covered"].value == 2
    spec = DataSpec("toys:grid", "vector", Field((2,)), geometry={"modes": centres.tolist(), "sigma": 0.05})
    x = [Batch(torch.from_numpy(p[-1000:]).float()) for p in (points, collapsed)]
    judged = evaluate(*x, spec, fast=True)
    assert judged.metrics["modes/covered"].value == 7
    assert any("7 of 25 modes covered" in line for line in verdict(judged))


def test_fid_of_gaussians_is_known():
    a, b = np.diag([1.0, 4.0]), np.diag([9.0, 1.0])
    assert frechet(np.zeros(2), a, np.array([1.0, 2.0]), b) == pytest.approx(5 + 4 + 1)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    assert frechet(np.zeros(2), turn @ a @ turn.T, np.zeros(2), turn @ b @ turn.T) == pytest.approx(5)
    draw = np.random.default_rng(1)
    x, y, z = (draw.normal(size=(3000, 3)) for _ in range(3))
    found = fid(x, 2 * y + [1.0, 0, 0], z)
    assert found.value == pytest.approx(4, abs=4 * found.error)
    same = fid(x, y, z)
    assert abs(same.above_floor) < 3
    assert same.value > 0


def pictures(n: int, seed: int) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    label = torch.randint(2, (n,), generator=draw)
    x = 0.3 * torch.rand(n, 1, 14, 14, generator=draw)
    x[label == 0, :, :7] += 0.6
    x[label == 1, :, 7:] += 0.6
    return Batch(x, {"label": label})


def test_pictures_are_judged_by_a_classifier(tmp_path):
    spec = DataSpec("pictures", "image", Field((1, 14, 14)), {"label": Field((), "class", 2)})
    train, reference, generated = pictures(1500, 1), pictures(400, 2), pictures(400, 3)
    path = tmp_path / "cache" / "classifier.safetensors"
    model = train_classifier(train, path=path)
    assert accuracy(model, reference.x, reference.given["label"]) > 0.95
    again = train_classifier(train, path=path)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    good = evaluate(reference, generated, spec, train=train, fast=True, classifier_path=tmp_path / "judge.safetensors")
    assert good.metrics["fid"].above_floor < 3
    assert good.metrics["classes/as_asked"].value > 0.9
    one = generated.with_x(generated.x[generated.given["label"] == 0][:1].expand(400, -1, -1, -1).contiguous())
    bad = evaluate(reference, one, spec, train=train, fast=True, classifier_path=tmp_path / "judge.safetensors")
    assert bad.metrics["fid"].above_floor > 5
    assert bad.metrics["classes/1"].value == 0
    with pytest.raises(UserError, match="with a label"):
        train_classifier(Batch(train.x))


def test_a_class_of_one_event_is_drawn_as_all_are():
    x = torch.randn(200, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    x[3] = 50
    label = torch.full((200,), 2)
    label[3] = 0
    drawn = PCAGaussian.fit(Batch(x, {"label": label}), components=4).sample(300, {"label": torch.arange(300) % 3})
    assert bool(drawn.x[2::3].abs().max() < 10)
    assert float(drawn.x[::3].std()) == pytest.approx(float(x.std()), rel=0.2)


def test_pca_gaussian_has_the_moments_of_its_data():
    draw = torch.Generator().manual_seed(1)
    data = Batch(torch.randn(4000, 1, 2, 3, generator=draw) @ torch.tensor([[1.0, 0.5, 0], [0, 1, 0], [0, 0, 2]]) + 3)
    torch.manual_seed(0)
    made = PCAGaussian.fit(data, components=6).sample(4000).x.flatten(1)
    assert torch.allclose(made.mean(0), data.x.flatten(1).mean(0), atol=0.15)
    assert torch.allclose(torch.cov(made.T), torch.cov(data.x.flatten(1).T), atol=0.4)
    assert PCAGaussian.fit(data, components=2).sample(3).x.shape == (3, 1, 2, 3)
