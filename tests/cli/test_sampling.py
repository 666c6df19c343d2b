"""A trained diffusion model is sampled in another way than it was trained with, without training it again."""

from __future__ import annotations

import json
import zipfile

import h5py
import numpy as np
import pytest
import torch

from simulacra import recipes
from simulacra.batch import Batch, DataSpec, Field
from simulacra.cli import run
from simulacra.diffusion import Ancestral, FlowDiffusion, Langevin
from simulacra.errors import UserError
from simulacra.io import hdf5
from simulacra.random import draws
from simulacra.surrogate import Surrogate, conditions

OTHER = {"ddpm": {"hidden": 8, "steps": 5}, "score_sde": {"hidden": 8, "steps": 4}}
VALUES = {
    **{"steps": 3, "eta": 0.0, "variance": "large", "guidance": 2.0, "solver": "euler", "weight": 0.5},
    **{"sampler": "langevin", "flow_steps": 3},
}


@pytest.fixture(scope="module")
def diffusion_runs(points, tmp_path_factory):
    """Runs of four rounds on labelled points."""
    place = tmp_path_factory.mktemp("sampling")
    for name, small in OTHER.items():
        words = [word for key, value in small.items() for word in (f"--{key}", str(value))]
        more = ["--out", str(place / name), "--rounds", "4", "--threads", "1"]
        assert run(["train", name, "--data", str(points), *more, *words]) == 0
    return place


def declared():
    return [name for name in recipes.builtin() if recipes.find(name).sampling]


@pytest.mark.parametrize("name", declared())
def test_what_concerns_sampling_alone_leaves_training_as_it_is(name):
    """Under another value all weights and every loss are the same, bit for bit."""
    chosen = recipes.find(name)
    assert set(chosen.sampling) <= set(chosen.parameters())
    spec = DataSpec("points", "vector", Field((2,)), {"label": Field((), "class", 3)})
    batch = Batch(torch.linspace(-1, 1, 16).view(8, 2), {"label": torch.arange(8) % 3})
    if name == "calorimeter_tree":
        from simulacra.domains import calorimeter

        data = calorimeter.open_bundled()
        spec, batch = data.spec, None

    def played(**other):
        with draws(0):
            built = chosen.build(spec, chosen.resolve(other))
        with draws(1):
            losses = [] if batch is None else [p.loss(batch).parts for p in built.players if p.when(built.clock)]
        return built.learners.state_dict(), losses

    weights, losses = played()
    for word in chosen.sampling:
        assert VALUES[word] != chosen.parameters()[word].default
        others, again = played(**{word: VALUES[word]})
        assert weights.keys() == others.keys()
        assert all(torch.equal(weights[key], others[key]) for key in weights), word
        assert [list(one.items()) for one in losses] == [list(one.items()) for one in again], word


def test_fewer_steps_of_ddim_of_a_trained_chain(diffusion_runs, tmp_path, capsys):
    """The file holds what the same weights give with the sampler asked for, and says so; the run stays as it is."""
    place = diffusion_runs / "ddpm"
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    assert run(["sample", str(place), "--out", str(tmp_path / "a.npz"), "-n", "50", "--steps", "2", "--eta=0"]) == 0
    assert f"wrote 50 events to {tmp_path / 'a.npz'}; 2 calls of the network for each" in capsys.readouterr().out
    other = Surrogate.load(place)
    other.experiment.model.sampler = Ancestral(2, 0.0)
    assert np.array_equal(np.load(tmp_path / "a.npz")["x"], other.sample(50).x.numpy())
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert json.loads(json.loads(archive.comment)["sampling"]) == {"steps": "2", "eta": "0"}
    assert run(["sample", str(place), "--out", str(tmp_path / "b.npz"), "-n", "50"]) == 0
    assert "; 5 calls of the network" in capsys.readouterr().out
    assert np.array_equal(np.load(tmp_path / "b.npz")["x"], Surrogate.load(place).sample(50).x.numpy())
    assert not np.array_equal(np.load(tmp_path / "b.npz")["x"], np.load(tmp_path / "a.npz")["x"])
    assert before == {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    assert run(["data", str(tmp_path / "a.npz")]) == 0


def test_guidance_and_langevin_of_a_trained_score(diffusion_runs):
    place = diffusion_runs / "score_sde"
    plain = Surrogate.load(place)
    strong = Surrogate.load(place, sampling={"guidance": 3.0})
    model = plain.experiment.model
    assert (plain.evaluations, strong.evaluations) == (8, 16)
    model.guidance = 3.0
    assert torch.equal(plain.sample(20, {"label": "1"}).x, strong.sample(20, {"label": "1"}).x)
    walked = Surrogate.load(place, sampling={"sampler": "langevin", "steps": "2"})
    assert walked.evaluations == 2 * 40 + 1
    assert isinstance(model, FlowDiffusion)
    assert not isinstance(walked.experiment.model, FlowDiffusion)
    plain = Surrogate.load(place)
    batch = Batch(torch.randn(4, 2), {"label": torch.arange(4) % 3})
    assert torch.equal(plain.experiment.model.log_prob(batch), walked.experiment.model.log_prob(batch))
    plain.experiment.model.sampler = Langevin(2)
    assert torch.equal(plain.sample(20).x, walked.sample(20).x)


def test_the_attributes_of_showers_and_the_report_tell(shower_run, diffusion_runs, tmp_path, capsys):
    target = tmp_path / "a.h5"
    words = ["sample", str(shower_run), "--out", str(target), "-n", "5", "--flow-steps", "3"]
    assert run(words) == 0
    with h5py.File(target) as file:
        assert json.loads(hdf5.attributes(file)["sampling"]) == {"flow_steps": "3"}
    page, others = tmp_path / "page.html", tmp_path / "others.npz"
    np.savez(others, x=np.random.default_rng(1).normal(size=(200, 2)), label=np.arange(200) % 3)
    words = ["evaluate", str(diffusion_runs / "ddpm"), "--reference", str(others), "--fast", "--report", str(page)]
    assert run([*words, "--steps", "2"]) == 0
    assert "calls of the network for each event: 2" in capsys.readouterr().out
    assert "sampling.steps" in page.read_text()


def test_other_arguments_are_refused(refuse, diffusion_runs, point_run, points, tmp_path):
    def sample(place, *words):
        return refuse("sample", place, "--out", tmp_path / "a.npz", "-n", "3", *words)

    ddpm = diffusion_runs / "ddpm"
    want = "expected an argument of ddpm for sampling, came --hidden; it has --steps, --eta, --variance, --guidance"
    assert sample(ddpm, "--hidden", "16") == want
    assert sample(point_run, "--steps", "3") == "expected an argument of cgan for sampling, came --steps; it has none"
    assert "expected --steps of type int, came 'few'" in sample(ddpm, "--steps", "few")
    assert "at most the 1000 steps of the chain, came 2000" in sample(ddpm, "--steps", "2000")
    assert "expected a value after --steps" in sample(ddpm, "--steps")
    assert "langevin" in sample(diffusion_runs / "score_sde", "--sampler", "langvin")
    assert "is no run folder" in refuse("evaluate", points, "--reference", points, "--steps", "3")


def test_conditions_that_are_drawn_begin_alike_for_any_number_of_events():
    given = {"label": Field((), "class", 4), "energy": Field((1,), range=(1.0, 3.0)), "angle": Field((1,))}
    spec = DataSpec("two", "vector", Field((1,)), given)
    few, many = (conditions(spec, n, {}, seed=3) for n in (7, 1500))
    assert all(torch.equal(few[name], many[name][:7]) for name in given)
    assert not torch.equal(many["energy"], 1 + 2 * many["angle"])
    with pytest.raises(UserError, match="expected whole numbers for label, came others"):
        conditions(spec, 2, {"label": torch.tensor([0.9, 1.0])})
