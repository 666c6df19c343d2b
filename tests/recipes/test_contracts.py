"""What every recipe that comes with the package keeps: a new recipe joins by one line in the tables of cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from case import Case
from cases import CASES, SOLVED
from sklearn.datasets import load_digits

from simulacra import recipes, workflow
from simulacra.batch import join
from simulacra.domains import calorimeter, open_data
from simulacra.domains.text import tokens_of
from simulacra.surrogate import Surrogate, generate
from simulacra.testing import check_gradients, check_resume, state_of
from simulacra.training.game import Solver


def test_what_is_solved_has_no_player_who_steps(files):
    for case in CASES.values():
        solved = [isinstance(player, Solver) for player in building(case, files)[0]().players]
        assert all(solved) == (case.recipe in SOLVED), case.recipe


def test_every_recipe_has_a_case():
    assert {case.recipe for case in CASES.values()} == set(recipes.builtin())


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """Small data of each kind."""
    place = tmp_path_factory.mktemp("data")
    digits, labels = load_digits(return_X_y=True)
    small = digits[:160].reshape(-1, 8, 8) / 16
    np.savez(place / "digits.npz", x=small, label=labels[:160])
    np.savez(place / "digits16.npz", x=small.repeat(2, 1).repeat(2, 2), label=labels[:160])
    calorimeter.save(place / "showers.h5", calorimeter.open_bundled()[:64], calorimeter.LAR3)
    (place / "pairs.tsv").write_text("".join(f"{'ab' * (k % 3 + 1)}\t{k * 104729 % 10**8}\n" for k in range(60)))
    (place / "words.txt").write_text("the quick brown fox jumps over the lazy dog. " * 80)
    for _ in workflow.begin(
        place / "teacher", "edm", "toys:ring8", {"hidden": 8}, rounds=5, threads=1, rows=200
    ).rounds():
        pass
    return place


def arguments(case: Case, files: Path) -> dict[str, Any]:
    """Those of the case, with the folder of a teacher among the files."""
    return {name: str(files / value) if name == "teacher" else value for name, value in case.arguments.items()}


def source(case: Case, files: Path) -> tuple[str, dict[str, Any]]:
    """The name by which the data are opened, and its options."""
    toy = case.data.startswith("toys:")
    return (case.data, {"rows": 200}) if toy else (str(files / case.data), {})


def building(case: Case, files: Path):
    """A function that builds the experiment again, and its data."""
    name, options = source(case, files)
    dataset = open_data(name, **options)
    chosen = recipes.find(case.recipe)
    return lambda: chosen.build(dataset.spec, chosen.resolve(arguments(case, files))), dataset


@pytest.mark.parametrize("name", CASES)
def test_a_cut_run_goes_on_byte_for_byte(name, files):
    build, dataset = building(CASES[name], files)
    check_resume(build, dataset, 8, [1, 4])


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.recipe not in SOLVED])
def test_every_parameter_feels_a_gradient(name, files):
    build, dataset = building(CASES[name], files)
    check_gradients(build, dataset, CASES[name].gradients)


@pytest.fixture(scope="module", params=list(CASES))
def trained(request, files, tmp_path_factory) -> workflow.Training:
    """A run of three rounds in a folder."""
    case = CASES[request.param]
    name, options = source(case, files)
    folder = tmp_path_factory.mktemp("runs") / "run"
    training = workflow.begin(folder, case.recipe, name, arguments(case, files), rounds=3, threads=1, **options)
    for _ in training.rounds():
        pass
    return training


@pytest.fixture(scope="module")
def surrogate(trained) -> Surrogate:
    return trained.surrogate()


def conditions(surrogate: Surrogate, n: int) -> dict[str, torch.Tensor]:
    """Conditions of n events, spread over what was seen in training."""
    out = {}
    for name, one in surrogate.spec.given.items():
        if one.kind in ("class", "token"):
            out[name] = (torch.arange(n * one.size) % one.levels).view(n, *one.shape)
        else:
            low, high = one.range or (0.0, 1.0)
            out[name] = torch.linspace(low, high, n)[:, None].expand(n, *one.shape).contiguous()
    return out


def test_what_is_loaded_is_what_was_trained(trained, surrogate):
    config, experiment = trained.config, trained.experiment
    assert surrogate.config == config
    for kind in ("learners", "codec"):
        want, have = getattr(experiment, kind).state_dict(), getattr(surrogate.experiment, kind).state_dict()
        assert want.keys() == have.keys()
        assert all(torch.equal(want[key], have[key]) for key in want)
    given = conditions(surrogate, 20)
    experiment.learners.eval()
    live = join(list(generate(experiment.model, experiment.codec, 20, given, seed=3)))
    assert torch.equal(live.x, surrogate.sample(20, given, seed=3).x)


def test_samples_are_events_of_the_data(surrogate):
    made = surrogate.sample(30)
    surrogate.spec.check(made)
    assert torch.isfinite(made.x).all()
    if surrogate.spec.layout == "layers":
        assert made.x.min() >= 0


def test_sampling_twice_is_equal_and_another_seed_is_not(surrogate):
    given = conditions(surrogate, 50)
    torch.rand(3)
    first = surrogate.sample(50, given, seed=1).x
    torch.rand(3)
    assert torch.equal(first, surrogate.sample(50, given, seed=1).x)
    assert not torch.equal(first, surrogate.sample(50, given, seed=2).x)


def test_the_first_of_many_are_the_first_of_few(trained, surrogate):
    given = conditions(surrogate, 3000)
    many = surrogate.sample(3000, given, seed=4)
    for few in (100, 1024, 1025):
        some = surrogate.sample(few, {name: value[:few] for name, value in given.items()}, seed=4)
        assert torch.equal(some.x, many.x[:few])
    blocks = many.x[:1024], many.x[1024:2048]
    assert not torch.equal(*blocks)
    if trained.config.recipe != "resampler":  # which has no more events than it was given
        assert len(many.x.flatten(1).unique(dim=0)) > 2500
    drawn = surrogate.sample(100, seed=4), surrogate.sample(300, seed=4)[:100]
    assert torch.equal(drawn[0].x, drawn[1].x), "conditions that nobody asked for depend on how many are drawn"


def test_sampling_leaves_the_run_and_the_generators_alone(trained, surrogate):
    before, draws = state_of(surrogate.experiment, {}), torch.get_rng_state()
    surrogate.sample(10)
    surrogate.milliseconds(2, repeats=1)
    assert torch.equal(draws, torch.get_rng_state())
    after = state_of(surrogate.experiment, {})
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_conditions_are_listened_to(trained, surrogate):
    given = surrogate.spec.given
    if not given:
        assert surrogate.sample(5).given == {}
        return
    name, one = next(iter(given.items()))
    ends: dict[str, tuple[Any, Any]] = {"class": (0, one.levels - 1), "token": ("ab", "ababab")}
    low, high = ends.get(one.kind, one.range)
    few, much = surrogate.sample(40, {name: low}, seed=5), surrogate.sample(40, {name: high}, seed=5)
    assert (few.given[name] == (tokens_of(low, one) if one.kind == "token" else low)).all()
    deaf = (
        "ali",
        "boltzmann",
        "cogan",
        "dcgan",
        "infogan",
        "pca",
        "rbm",
        "sgan",
        "vamp_vae",
        "vbn_gan",
    )  # as they say
    listens = trained.config.recipe not in deaf
    assert torch.equal(few.x, much.x) != listens
    if one.unit == "MeV":
        assert much.x.sum(1).mean() > 5 * few.x.sum(1).mean()
