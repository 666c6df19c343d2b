"""What is chosen of latents when a run is sampled, and searched among them when events are inverted."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from simulacra.batch import Batch
from simulacra.cli import run, steering
from simulacra.cli.inside import inside
from simulacra.evaluation.inversion import invert
from simulacra.evaluation.latent import truncate
from simulacra.gan import CategoricalCode, ContinuousCode, Pushforward, StandardNormal, UniformCube
from simulacra.random import draws, seed_of
from simulacra.surrogate import Surrogate
from simulacra.testing import Unchanged


def trained(out: Path, recipe: str, data: Path, *words: object) -> Path:
    told = ["train", recipe, "--data", data, "--out", out, "--rounds", 3, "--threads", 1, "--batch-size", 16, *words]
    assert run([str(word) for word in [*told, "--latent", 4]]) == 0
    return out


@pytest.fixture(scope="module")
def coded(digits, tmp_path_factory) -> Path:
    return trained(tmp_path_factory.mktemp("coded") / "run", "infogan", digits, "--width", 4, "--categories", 3)


def raw(folder: Path, out: Path, *words: object, n: int = 40) -> np.ndarray:
    assert run([str(word) for word in ["sample", folder, "-n", n, "--out", out, "--raw", *words]]) == 0
    with np.load(out) as made:
        return made["x"]


def test_a_chosen_code_changes_the_events_that_had_another(coded, tmp_path):
    out, model = tmp_path / "a.npz", Surrogate.load(coded).experiment.model
    with draws(seed_of(0, "block", 0)):
        noise = model.noise(1024)  # type: ignore[operator]
    kinds = noise["category"][:40].argmax(1).numpy()
    plain, second = raw(coded, out), raw(coded, out, "--code", "category=2")
    assert [np.array_equal(a, b) for a, b in zip(plain, second, strict=True)] == (kinds == 2).tolist()
    given = {"category": torch.eye(3)[[2]].expand(1024, 3), "continuous": noise["continuous"].clone()}
    given["continuous"][:, 1] = -1.0
    both = raw(coded, out, "--code", "category=2", "--code", "continuous=any,-1")
    with torch.no_grad():
        want = model.push({**noise, **given}).x  # type: ignore[operator]
    assert np.array_equal(both, want[:40].numpy())


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("kategory=2", "did you mean 'category'"),
        ("category=3", "from 0 to 2"),
        ("category=two", "from 0 to 2"),
        ("category", "from 0 to 2"),
        ("continuous=0.5", "expected 2 numbers"),
        ("continuous=nan,0", "expected 2 numbers"),
        ("continuous=2,any", "within -1 to 1"),
    ],
)
def test_codes_that_are_not_there_are_refused(word, line, coded, refuse, tmp_path):
    assert line in refuse("sample", coded, "--out", tmp_path / "a.png", "--code", word)


def test_only_runs_with_codes_have_them(digits, refuse, tmp_path, coded):
    folder = trained(tmp_path / "run", "dcgan", digits, "--base", 4)
    assert "dcgan has none" in refuse("sample", folder, "--out", tmp_path / "a.png", "--code", "category=1")
    wide = raw(coded, tmp_path / "a.npz", "--code", "continuous=2,any", "--extrapolate")
    assert not np.array_equal(wide, raw(coded, tmp_path / "a.npz", "--code", "continuous=1,any"))


def test_codes_have_a_row_for_each_category_and_a_column_for_each_value(coded, monkeypatch):
    shown = []
    monkeypatch.setattr("simulacra.cli.inside.image_rows", lambda *a, **k: None)
    monkeypatch.setattr("simulacra.cli.latents.image_rows", lambda rows, heads=(), **k: shown.append((rows, heads)))
    surrogate = Surrogate.load(coded)
    names = [view.name for view in inside(surrogate, 50)]
    rows, heads = shown[names.index("Codes: continuous 1") - names.index("Latent walk")]
    assert list(rows) == ["category 0", "category 1", "category 2"]
    assert (heads[0], heads[4], heads[8]) == ("-1", "+0", "+1")
    with draws(seed_of(0, "latents")), torch.no_grad():
        noise = surrogate.experiment.model.noise(50)  # type: ignore[operator]
        z, number = noise["z"][:1].expand(9, -1), noise["continuous"][:1].repeat(9, 1)
        number[:, 1] = torch.linspace(-1, 1, 9)
        kind = torch.eye(3)[[1]].expand(9, -1)
        made = surrogate.experiment.model.push({"z": z, "continuous": number, "category": kind})  # type: ignore[operator]
    assert torch.allclose(surrogate.experiment.codec.decode(made).x, rows["category 1"], atol=1e-6)


def test_truncated_normals_are_drawn_for_every_normal_latent_and_codes_are_left(coded, digits, tmp_path):
    for folder in (coded, trained(tmp_path / "big", "biggan", digits, "--width", 4, "--truncation", 0.9)):
        surrogate = Surrogate.load(folder)
        steering.truncate(surrogate, 0.5)
        with draws(1):
            noise = surrogate.experiment.model.noise(2000)  # type: ignore[operator]
        assert 0.49 < noise["z"].abs().max() <= 0.5
        assert noise["z"].std() == pytest.approx(0.2838, rel=0.03)  # of a normal within half its deviation
        assert all(z.std() > 0.4 for name, z in noise.items() if name != "z")
        made = raw(folder, tmp_path / "a.npz", "--truncation", 0.5)
        assert np.array_equal(made, surrogate.sample(40, seed=0, raw=True).x.numpy())
        assert not np.array_equal(made, raw(folder, tmp_path / "a.npz"))


def test_styles_are_truncated_in_w(digits, tmp_path):
    folder, out = trained(tmp_path / "run", "stylegan", digits, "--width", 4), tmp_path / "a.npz"
    plain, same, half = raw(folder, out), raw(folder, out, "--truncation", 1), raw(folder, out, "--truncation", 0.5)
    assert np.array_equal(plain, same)
    surrogate = Surrogate.load(folder)
    model = surrogate.experiment.model
    model.generator = model.generator.truncated(0.5)  # type: ignore[union-attr, operator]
    assert np.array_equal(half, surrogate.sample(40, seed=0, raw=True).x.numpy())
    assert not np.array_equal(half, plain)


def test_truncation_is_refused_without_a_middle_and_recorded_beside_the_seed(digits, showers, refuse, tmp_path):
    folder = trained(tmp_path / "dc", "dcgan", digits, "--base", 4)
    assert "dcgan has neither" in refuse("sample", folder, "--out", tmp_path / "a.png", "--truncation", 0.5)
    wgan = trained(tmp_path / "showers", "calorimeter_wgan", showers, "--width", 8)
    words = ["sample", wgan, "--out", tmp_path / "a.h5", "-n", 4]
    assert run([str(word) for word in [*words, "--truncation", 0.5]]) == 0
    with h5py.File(tmp_path / "a.h5") as made:
        assert (made.attrs["truncation"], made.attrs["seed"]) == (0.5, 0)
    assert "above 0" in refuse(*words, "--truncation", 0)
    assert "above 0" in refuse(*words, "--truncation", "inf")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--norm", "bach"], "did you mean 'batch'"),
        (["--activation", "gelu"], "relu or tanh"),
        (["--dense", -1], "at least 0"),
    ],
)
def test_rules_of_dcgan_that_are_not_there_are_refused(words, line, digits, refuse, tmp_path):
    assert line in refuse("train", "dcgan", "--data", digits, "--out", tmp_path / "run", *words)


class Sum(nn.Module):
    """x = A [z, u, c]: linear in a normal, a uniform and a categorical latent."""

    def __init__(self, size: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.matrix = nn.Parameter(torch.linalg.qr(torch.randn(size + 2, size)).Q)

    def forward(self, noise, given=None):
        return torch.cat([noise[name] for name in ("z", "u", "c", "k")], 1) @ self.matrix.T


@pytest.fixture
def mixed() -> Pushforward:
    latents = {"z": StandardNormal(2), "u": UniformCube(2), "c": ContinuousCode(1), "k": CategoricalCode(3)}
    return Pushforward(Sum(8), latents)


def test_the_inverse_of_an_event_is_found_among_the_latents_that_can_be_drawn(mixed):
    noise = mixed.noise(20)
    found = invert(mixed, Unchanged(), mixed.push(noise), restarts=4, steps=200)
    assert found.distance.max() < 5e-3
    for name, z in noise.items():
        assert torch.allclose(found.noise[name], z, atol=2e-2), name
    assert torch.equal(found.noise["k"], noise["k"])


def test_an_event_out_of_reach_ends_on_the_edge_of_the_prior(mixed):
    far = {"z": torch.zeros(5, 2), "u": torch.full((5, 2), 3.0), "c": torch.full((5, 1), -2.0), "k": torch.eye(3)[[1]]}
    far["k"] = 2 * far["k"].expand(5, 3)
    found = invert(mixed, Unchanged(), Batch(mixed.push(far).x.detach()), restarts=4, steps=200)
    assert torch.equal(found.noise["u"], torch.ones(5, 2))
    assert torch.equal(found.noise["c"], -torch.ones(5, 1))
    assert torch.equal(found.noise["k"], torch.eye(3)[[1]].expand(5, 3))
    left = (2 * 2.0**2 + 1 + 1) / 10  # what a clamp of u and c and one category leave, over ten numbers
    assert torch.allclose(found.distance, torch.full((5,), left).sqrt(), atol=1e-3)


def test_truncation_leaves_categories(mixed):
    noise = mixed.noise(7)
    for psi in (0.0, 0.5, 2.0):
        few = truncate(noise, psi)
        assert torch.equal(few["k"], noise["k"])
        assert torch.equal(few["z"], psi * noise["z"])


def test_a_run_with_an_encoder_of_its_own_is_inverted_by_it(digits, tmp_path, capsys):
    folder, out = trained(tmp_path / "run", "ali", digits, "--width", 4), tmp_path / "a.npz"
    capsys.readouterr()
    words = ["invert", folder, "--out", out, "-n", 5, "--starts", 1, "--steps", 1, "--encoder", 0]
    assert run([str(word) for word in words]) == 0
    lines = {line.split("  ")[1]: line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")}
    assert set(lines) == {"search, 1 starts", "its own encoder", "search from its own"}
    surrogate = Surrogate.load(folder)
    model, codec = surrogate.experiment.model, surrogate.experiment.codec
    with np.load(out) as found:
        real = codec.encode(Batch(torch.from_numpy(found["x"]), {"label": torch.zeros(5, dtype=torch.long)}))
    back = model.reconstruct(real).x  # type: ignore[operator]
    left = (back - real.x).square().flatten(1).mean(1).sqrt().mean()
    said = lines["its own encoder"].split("encoder")[1].split()[0]
    assert float(said) == pytest.approx(float(left), abs=5e-3)


def test_a_grid_of_a_coupled_gan_shows_both_domains(digits, tmp_path, monkeypatch):
    folder, seen = trained(tmp_path / "run", "cogan", digits, "--width", 4), []
    monkeypatch.setattr("simulacra.figures.image_grid", lambda *args: seen.append(args) or Figure())
    assert run(["sample", str(folder), "--out", str(tmp_path / "a.png"), "-n", "20", "--seed", "3"]) == 0
    x, _, _, _, beside, note = seen[0]
    surrogate = Surrogate.load(folder)
    made = surrogate.sample(20, seed=3, raw=True)
    assert torch.equal(x, surrogate.sample(20, seed=3).x)
    assert torch.allclose(beside, (made.given["partner"] + 1) / 2, atol=1e-6)
    assert "partner" in note
