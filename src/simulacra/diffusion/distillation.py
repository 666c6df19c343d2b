"""Progressive distillation: a student learns to take two steps of its teacher in one, again and again."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from simulacra.batch import Batch, Given
from simulacra.diffusion.diffusion import DeterministicDiffusion, Diffusion
from simulacra.diffusion.predictions import Denoised, prediction
from simulacra.diffusion.samplers import Field
from simulacra.diffusion.weightings import measured_in
from simulacra.errors import UserError
from simulacra.training.game import Clock, Experiment, Loss

KINDS = ("data", "velocity", "preconditioned")
"""Predictions that still say something of the event where there is nothing but noise, as one step must."""


def step(field: Field, x: Tensor, t: Tensor, s: Tensor, given: Given = {}) -> Tensor:
    """One step of DDIM from times t [B] to s [B]: `alpha_s x_0 + sigma_s e`, x_0 and e as `field` expects at x_t."""
    data, noise = field.denoise(x, t, given)
    place = field.path.at(s).beside(x)
    return place.alpha * data + place.sigma * noise


def goal(field: Field, x: Tensor, times: list[Tensor], given: Given = {}) -> Denoised:
    """Event and noise that one step of DDIM must expect at x, to end where steps along `times` (each [B]) end.

        x_0~ = (x_s - r x_t) / (alpha_s - r alpha_t),   r = sigma_s / sigma_t,   e~ = (x_t - alpha_t x_0~) / sigma_t

    Source: Salimans and Ho (2022), arXiv:2202.00512, appendix G.
    """
    end = x
    for t, s in pairwise(times):
        end = step(field, end, t, s, given)
    now, then = (field.path.at(time).beside(x) for time in (times[0], times[-1]))
    ratio = then.sigma / now.sigma
    data = (end - ratio * x) / (then.alpha - ratio * now.alpha)
    return Denoised(data, (x - now.alpha * data) / now.sigma)


class Strides:
    """DDIM in as many steps as a distilled model has been taught, on every so many of its times."""

    def __call__(self, field: DistilledDiffusion, x: Tensor, given: Given) -> Tensor:
        for t, s in pairwise(field.times[:: field.finest // field.evaluations]):
            x = step(field, x, torch.full_like(x.flatten(1)[:, 0], t), torch.full_like(x.flatten(1)[:, 0], s), given)
        return x


class DistilledDiffusion(DeterministicDiffusion):
    """A diffusion model that samples in the few steps which it was taught, one call of the network each.

    Network, path and prediction are those of `teacher`, the weights a copy of its. Its times are the `finest` steps of
    the teacher's path, of which every second, fourth ... is used; conditions are told without guidance, which is
    learnt.

    Args:
        teacher: trained.
        finest: steps of the teacher.

    Attributes:
        evaluations: calls of the network for one sample.
    """

    steps: Tensor

    def __init__(self, teacher: Diffusion, finest: int) -> None:
        network = copy.deepcopy(teacher.network).requires_grad_(True)
        super().__init__(network, teacher.shape, teacher.path, teacher.kind, Strides())
        self.finest, self.times = finest, teacher.path.grid(finest)
        self.register_buffer("steps", torch.tensor(finest // 2))

    @property
    def evaluations(self) -> int:
        return int(self.steps)


class ProgressiveDistillation(nn.Module):
    """Progressive distillation: the student learns to make two DDIM steps of its teacher in one, then is the teacher.

        loss = (alpha^2 / sigma^2 + 1) |x_0(x_t) - x_0~|^2 / D,   x_t = alpha x + sigma e,

    x_0~ being what leads to the end of the teacher's two steps (see `goal`); the weight is that of a unit error of the
    preconditioned prediction, and of the velocity on a chain. The steps are halved at equal
    shares of the run, where teacher and student become the student's average.

    Args:
        teacher: a frozen diffusion model, whose guidance is learnt in the first stage.
        student, average: copies of it.
        steps: of the last stage; the teacher's are `student.finest`, a power of two times as many.

    Raises:
        UserError: the numbers of steps are not a power of two apart, or the teacher predicts noise or score, which
            say nothing of the event where all is noise.

    Source: Salimans and Ho (2022), arXiv:2202.00512, algorithm 2; guidance: Meng et al. (2023), arXiv:2210.03142.
    """

    taught: Tensor

    def __init__(
        self, teacher: Diffusion, student: DistilledDiffusion, average: DistilledDiffusion, steps: int
    ) -> None:
        super().__init__()
        finest = student.finest
        ratio = finest // max(steps, 1)
        if steps < 1 or ratio < 2 or ratio * steps != finest or ratio & (ratio - 1):
            raise UserError(f"expected steps that halve {finest} some times, came {steps}; such as {finest // 2}")
        if teacher.kind not in KINDS:
            raise UserError(
                f"expected a teacher that predicts {', '.join(KINDS)}, came one of {teacher.kind}; "
                "train ddpm with --prediction velocity, or edm"
            )
        self.teacher: Diffusion = teacher.eval().requires_grad_(False)
        self.student, self.average = student, average
        self.stages, self.guidance = ratio.bit_length() - 1, teacher.guidance
        self.register_buffer("taught", torch.tensor(finest))

    def loss(self, batch: Batch) -> Loss:
        """The error at random times of the student's steps; watches the evaluations of a sample."""
        x, e, student = batch.x, torch.randn_like(batch.x), self.student
        times = x.new_tensor(student.times)
        stride, inner = student.finest // int(student.steps), student.finest // int(self.taught)
        first = stride * torch.randint(int(student.steps), (len(x),), device=x.device)
        t = times[first]
        place = student.path.at(t)
        wide = place.beside(x)
        noisy = wide.alpha * x + wide.sigma * e
        with torch.no_grad():
            self.teacher.guidance = self.guidance if int(self.taught) == student.finest else 1.0
            way = [times[first + k] for k in range(0, stride + 1, inner)]
            target = prediction(student.kind, *goal(self.teacher, noisy, way, batch.given), place)
        error = (student.predict(noisy, place, batch.given) - target).square().flatten(1).mean(1)
        weight = measured_in("preconditioned")(student.kind, place)
        return Loss({"distillation": batch.mean(weight * error)}, {"evaluations": student.steps.to(x.dtype)})

    def rate(self, progress: float) -> float:
        """A factor on the learning rate that falls from 1 to 0 in each stage."""
        place = min(progress, 1.0) * self.stages
        return 1.0 - (place - min(int(place), self.stages - 1))

    @torch.no_grad()
    def halve(self, clock: Clock) -> None:
        """Where a stage begins, the student's average becomes teacher and student, and the steps are halved."""
        stage = min(int(clock.progress * self.stages + 1e-9), self.stages - 1)
        wanted = self.student.finest // 2 >> stage
        if int(self.student.steps) != wanted:
            self.taught.copy_(self.student.steps)
            self.student.steps.fill_(wanted)
            state = self.average.network.state_dict()
            self.teacher.network.load_state_dict(state)
            self.student.network.load_state_dict(state)


class Halving:
    """The hook that lets a `ProgressiveDistillation` halve its steps before a round; its state is in buffers."""

    def __init__(self, game: ProgressiveDistillation) -> None:
        self.game = game

    def start(self, experiment: Experiment) -> None:
        pass

    def before(self, clock: Clock) -> None:
        self.game.halve(clock)

    def after(self, clock: Clock) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pass
