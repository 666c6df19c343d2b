"""Progressive distillation: where the teacher's map is linear, half the steps lead to the same place."""

import json
import shutil
from itertools import pairwise

import pytest
import torch
from torch import nn

from simulacra import workflow
from simulacra.batch import Batch
from simulacra.cli import run
from simulacra.diffusion import EDM, Ancestral, Chain, DeterministicDiffusion, Straight, VariancePreserving
from simulacra.diffusion.distillation import DistilledDiffusion, Halving, ProgressiveDistillation, goal, step
from simulacra.diffusion.predictions import Denoised, prediction
from simulacra.domains import open_data
from simulacra.errors import UserError
from simulacra.protocols import NoiseMap
from simulacra.recipes.distilled_diffusion import distilled_diffusion
from simulacra.surrogate import Surrogate
from simulacra.training.game import Clock

MEAN, VARIANCE = torch.tensor([[0.7, -1.0]], dtype=torch.float64), 0.3
PATHS = {"edm": EDM(), "straight": Straight(), "preserving": VariancePreserving(), "chain": Chain("cosine")}


class Gaussian(nn.Module):
    """E[x_0 | x_t] of N(MEAN, VARIANCE): linear in x_t."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def denoise(self, x, t, given={}):
        a, s, *_ = self.path.at(t).beside(x)
        data = MEAN + a * VARIANCE / (a.square() * VARIANCE + s.square()) * (x - a * MEAN)
        return Denoised(data, (x - a * data) / s)

    def velocity(self, x, t, given={}):
        return prediction("velocity", *self.denoise(x, t), self.path.at(t))


class Student(nn.Module):
    """A network that is linear in x, apart for each of the noise levels at which it was asked in training."""

    def __init__(self, levels):
        super().__init__()
        self.levels = levels
        self.gain, self.shift = (nn.Parameter(torch.zeros(len(levels), 2, dtype=torch.float64)) for _ in range(2))

    def forward(self, x, label, given, keep=None):
        k = (label[:, None] - self.levels).abs().argmin(1)
        return self.gain[k] * x + self.shift[k]


def columns(*times, n=64):
    return [torch.full((n,), time, dtype=torch.float64) for time in times]


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("count", [2, 8])
def test_one_step_with_the_goal_ends_where_the_teachers_steps_end(name, count):
    teacher, times = Gaussian(PATHS[name]), PATHS[name].grid(8)[:count] + [PATHS[name].grid(8)[count]]
    torch.manual_seed(0)
    x, way = 3 * torch.randn(64, 2, dtype=torch.float64), columns(*times)
    data, noise = goal(teacher, x, way)
    end = x
    for t, s in pairwise(way):
        end = step(teacher, end, t, s)
    then, now = (teacher.path.at(t).beside(x) for t in (way[-1], way[0]))
    assert torch.allclose(then.alpha * data + then.sigma * noise, end, atol=1e-10)
    assert torch.allclose(now.alpha * data + now.sigma * noise, x, atol=1e-10)
    if count == 8:
        whole = Ancestral(8, eta=0.0)(teacher, x, {})
        assert torch.allclose(end, whole, atol=1e-12)


@pytest.mark.parametrize("kind", ["preconditioned", "velocity", "data"])
def test_a_linear_student_reaches_zero_loss_and_the_teachers_end(kind):
    """4 steps of a Gaussian's exact denoiser become 2 and then 1 with the same map; before, they do not."""
    path = Straight()
    finest, times = 4, path.grid(4)
    levels = torch.tensor([(torch.tensor(t) / (1 - t)).log().clamp(-10, 10) / 4 for t in times[:-1]]).double()

    def exact(x, t):
        place = path.at(t)
        size = (place.alpha.square() + place.sigma.square()).sqrt()
        return prediction(kind, *Gaussian(path).denoise(x * size[:, None], t), place)

    teacher = DeterministicDiffusion(Student(levels), (2,), path, kind, Ancestral(finest, eta=0.0))
    with torch.no_grad():
        for k, t in enumerate(times[:-1]):
            zero = exact(torch.zeros(1, 2, dtype=torch.float64), *columns(t, n=1))
            one = exact(torch.ones(1, 2, dtype=torch.float64), *columns(t, n=1))
            teacher.network.gain[k], teacher.network.shift[k] = (one - zero)[0], zero[0]
    start = torch.randn(50, 2, dtype=torch.float64)
    want = teacher.sampler(teacher, start, {})
    assert torch.allclose(want, Ancestral(4, eta=0.0)(Gaussian(path), start, {}), atol=1e-10)
    student, average = DistilledDiffusion(teacher, finest), DistilledDiffusion(teacher, finest)
    game, batch = ProgressiveDistillation(teacher, student, average, 1), Batch(torch.randn(200, 2).double())
    for clock, evaluations in ((Clock(0, 2), 2), (Clock(1, 2), 1)):
        Halving(game).before(clock)
        assert student.evaluations == evaluations
        assert game.loss(batch).parts["distillation"] > 1e-3
        assert not torch.allclose(student.push({"z": start}).x, want, atol=1e-3)
        optimizer = torch.optim.LBFGS(
            student.network.parameters(), max_iter=200, tolerance_grad=1e-14, tolerance_change=0
        )

        def closure(optimizer=optimizer):
            optimizer.zero_grad()
            torch.manual_seed(1)
            loss = game.loss(batch).parts["distillation"]
            loss.backward()
            return loss

        optimizer.step(closure)
        assert game.loss(batch).parts["distillation"] < 1e-12
        assert torch.allclose(student.push({"z": start}).x, want, atol=1e-5)
        average.load_state_dict(student.state_dict())


def test_steps_are_halved_at_equal_shares_also_in_runs_too_short_for_it():
    source = DeterministicDiffusion(nn.Linear(1, 1), (2,), EDM(), "preconditioned", Ancestral(8, eta=0.0))
    for rounds, want in ((9, [4, 4, 4, 2, 2, 2, 1, 1, 1]), (2, [4, 2]), (1, [4])):
        student, average = DistilledDiffusion(source, 8), DistilledDiffusion(source, 8)
        game = ProgressiveDistillation(source, student, average, 1)
        seen, rates = [], []
        for k in range(rounds):
            Halving(game).before(Clock(k, rounds))
            seen.append(student.evaluations)
            rates.append(game.rate(k / rounds))
        assert seen == want
        assert int(game.taught) == 2 * seen[-1]
        assert all(0 < rate <= 1 for rate in rates)
    assert game.rate(1.0) == 0


def test_guidance_is_learnt_in_the_first_stage():
    """The goal is that of the guided teacher; afterwards one call per step gives what took two."""

    class Told(nn.Module):
        def __init__(self):
            super().__init__()
            self.size = nn.Parameter(torch.zeros(()))

        def forward(self, x, label, given, keep=None):
            return self.size + (given["label"] if keep is None else keep)[:, None].to(x) * torch.ones_like(x)

    path = Straight()
    source = DeterministicDiffusion(Told(), (1,), path, "velocity", Ancestral(4, eta=0.0), drop=0.5, guidance=3.0)
    student = DistilledDiffusion(source, 4)
    game = ProgressiveDistillation(source, student, DistilledDiffusion(source, 4), 1)
    batch = Batch(torch.randn(100, 1), {"label": torch.ones(100)})
    torch.manual_seed(0)
    first = game.loss(batch).parts["distillation"]
    assert first > 1  # |1 - 3|^2 times a weight from 1/2 to 1
    game.halve(Clock(1, 2))
    assert game.loss(batch).parts["distillation"] < 1e-10
    assert source.evaluations == 4
    assert student.evaluations == 1


@pytest.mark.parametrize("finest", [1, 6, 7])
def test_steps_that_do_not_halve_are_refused(finest):
    source = DeterministicDiffusion(nn.Linear(1, 1), (2,), EDM(), "preconditioned", Ancestral(8, eta=0.0))
    student = DistilledDiffusion(source, finest)
    with pytest.raises(UserError, match=f"expected steps that halve {finest} some times, came 2"):
        ProgressiveDistillation(source, student, student, 2)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs")
    for name, arguments in (("edm", {"hidden": 8}), ("ddpm", {"hidden": 8}), ("vae", {"width": 8})):
        training = workflow.begin(place / name, name, "toys:ring8", arguments, rounds=2, threads=1)
        for _ in training.rounds():
            pass
    return place


def test_what_cannot_teach_is_refused_in_one_line(runs, tmp_path, capsys):
    for words, message in (
        ([], "expected --teacher for distilled_diffusion, came nothing"),
        (["--teacher", str(tmp_path / "none")], "expected a run folder with run.json, came"),
        (["--teacher", str(runs / "vae")], "expected a teacher that is a diffusion model, came a run of vae"),
        (["--teacher", str(runs / "ddpm")], "came one of noise; train ddpm with --prediction velocity, or edm"),
        (["--teacher", str(runs / "edm"), "--steps", "3"], "expected steps that halve 32 some times, came 3"),
    ):
        out = tmp_path / "run"
        base = ["train", "distilled_diffusion", "--data", "toys:ring8", "--out", str(out)]
        assert run([*base, "--rounds", "1", "--threads", "1", *words]) == 2
        said = capsys.readouterr().err.strip()
        assert message in said.replace("\n", " "), said
    with pytest.raises(UserError, match="expected a run on the same data toys:moons"):
        distilled_diffusion(open_data("toys:moons", rows=100).spec, teacher=str(runs / "edm"))


def test_the_teachers_folder_may_be_deleted(runs, tmp_path):
    """The student keeps its teacher: it is loaded and resumed without it, but not begun anew."""
    shutil.copytree(runs / "edm", tmp_path / "teacher")
    arguments = {"teacher": str(tmp_path / "teacher"), "finest": 4, "steps": 2}
    training = workflow.begin(tmp_path / "run", "distilled_diffusion", "toys:ring8", arguments, rounds=2, threads=1)
    source = Surrogate.load(runs / "edm").experiment
    for want, have in zip(
        source.model.network.parameters(), training.experiment.learners.game.teacher.network.parameters(), strict=True
    ):
        assert torch.equal(want, have)
    for _ in training.rounds():
        pass
    shutil.rmtree(tmp_path / "teacher")
    surrogate = training.surrogate()
    assert isinstance(surrogate.experiment.model, NoiseMap)
    assert surrogate.experiment.model.evaluations == 2
    assert torch.equal(surrogate.experiment.codec.x.mean, source.codec.x.mean)
    assert surrogate.sample(5).x.shape == (5, 2)
    again = json.loads((tmp_path / "run" / "run.json").read_text())["arguments"]
    fresh = workflow.begin(tmp_path / "fresh", "distilled_diffusion", "toys:ring8", again, rounds=2, threads=1)
    with pytest.raises(UserError, match="expected the teacher's weights, its folder is gone"):
        next(fresh.rounds())
