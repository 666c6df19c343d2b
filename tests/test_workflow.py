"""From data to a trained run, in Python."""

from __future__ import annotations

import pytest
import torch

import simulacra
from simulacra import workflow
from simulacra.domains import calorimeter, open_data
from simulacra.domains.calorimeter import format as shower_format
from simulacra.errors import UserError


@pytest.fixture(scope="module")
def moons(tmp_path_factory):
    place = tmp_path_factory.mktemp("run") / "moons"
    return simulacra.fit("realnvp", "toys:moons", place, rounds=30, threads=1, arguments={"layers": "2", "hidden": "8"})


def test_the_first_k_of_n_events_are_the_first_k_of_any_n(moons):
    few, many = moons.sample(100, seed=3), moons.sample(3000, seed=3)
    assert torch.equal(few.x, many.x[:100])
    assert not torch.equal(few.x, moons.sample(100, seed=4).x)


def test_sampling_leaves_the_global_generator_alone(moons):
    torch.manual_seed(0)
    want = torch.rand(3)
    torch.manual_seed(0)
    moons.sample(10)
    assert torch.equal(torch.rand(3), want)


def test_a_run_folder_shows_its_losses_to_tensorboard(moons):
    assert list((moons.folder / "events").glob("events.*"))
    assert len((moons.folder / "losses.jsonl").read_text().splitlines()) == 30


def test_showers_on_disk_train_as_well_as_in_memory(tmp_path, monkeypatch):
    data = open_data("electrons")
    path = tmp_path / "few.h5"
    calorimeter.save(path, data[slice(0, 700)], calorimeter.LAR3)
    small = {"hidden": "8", "depth": "1", "flow_hidden": "8"}
    memory = workflow.begin(tmp_path / "a", "calorimeter_tree", str(path), small, rounds=3, threads=1)
    monkeypatch.setattr(shower_format, "MEMORY", 0)
    disk = workflow.begin(tmp_path / "b", "calorimeter_tree", str(path), small, rounds=3, threads=1)
    assert disk.config.spec == memory.config.spec
    assert disk.streams["data"].block > 0
    assert memory.streams["data"].block == 0
    assert [step.clock.round for step in disk.rounds()] == [1, 2, 3]
    again = workflow.proceed(tmp_path / "b")
    assert again.experiment.clock.round == 3
    for name, value in memory.experiment.codec.state_dict().items():
        assert value.shape == disk.experiment.codec.state_dict()[name].shape


def test_changed_data_are_refused_on_resume(tmp_path):
    data = open_data("electrons")
    path = tmp_path / "few.h5"
    calorimeter.save(path, data[slice(0, 300)], calorimeter.LAR3)
    small = {"hidden": "8", "depth": "1", "flow_hidden": "8"}
    for step in workflow.begin(tmp_path / "a", "calorimeter_tree", str(path), small, rounds=4, threads=1).rounds():
        if step.clock.round == 2:
            break
    calorimeter.save(path, data[slice(300, 600)], calorimeter.LAR3)
    with pytest.raises(UserError, match="has changed"):
        workflow.proceed(tmp_path / "a")


def test_threads_are_measured(monkeypatch):
    from simulacra.testing import tiny_game

    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    games = [tiny_game(10_000) for _ in range(2)]
    pairs = iter(games)
    current = {}

    def make():
        current["game"] = next(pairs)
        return current["game"][0]

    assert workflow.measured_threads(make, lambda e: current["game"][1], seconds=0.05) in (1, 2)
    torch.set_num_threads(1)


def test_a_conditional_model_listens_and_an_unconditional_one_does_not(tmp_path):
    import numpy as np

    pictures = np.random.default_rng(0).integers(0, 255, (60, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "p.npz", x=pictures, label=np.arange(60) % 3)
    for recipe, heard in (("dcgan", []), ("cgan", ["label"])):
        tiny = {"latent": "4", "base" if recipe == "dcgan" else "width": "8"}
        training = workflow.begin(tmp_path / recipe, recipe, str(tmp_path / "p.npz"), tiny, rounds=2, threads=1)
        for _ in training.rounds():
            pass
        assert training.surrogate().listens_to() == heard


@pytest.mark.parametrize(
    ("recipe", "data"), [("wgan_gp", "toys:ring8"), ("realnvp", "toys:moons"), ("gan", "toys:ring8")]
)
def test_half_precision_trains_and_stays_finite(tmp_path, recipe, data):
    training = workflow.begin(tmp_path / "r", recipe, data, rounds=4, precision="bf16", threads=1, batch_size=32)
    losses = [float(v) for step in training.rounds() for v in step.losses.values()]
    assert torch.isfinite(torch.tensor(losses)).all()
    kinds = {p.dtype for p in training.experiment.learners.parameters()}
    assert kinds == {torch.float32}
    assert training.surrogate().sample(10).x.dtype == torch.float32
