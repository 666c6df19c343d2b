"""Progressive distillation of a diffusion model."""

from __future__ import annotations

from typing import Any

from torch.optim import Adam

from simulacra.batch import Batch, DataSpec
from simulacra.diffusion.diffusion import Diffusion
from simulacra.diffusion.distillation import DistilledDiffusion, Halving, ProgressiveDistillation
from simulacra.errors import UserError
from simulacra.recipes._diffusion import turns
from simulacra.recipes._parts import need_layout
from simulacra.recipes._teacher import OtherRun, other_run
from simulacra.training.averaging import EMA, averaged_copy
from simulacra.training.game import Experiment, Player, modules

FAMILY = "diffusion"
DOMAIN = ("vector", "image")
PAPER = "Salimans and Ho 2022 arXiv:2202.00512"


def distilled_diffusion(
    data: DataSpec,
    *,
    teacher: OtherRun,
    finest: int = 32,
    steps: int = 4,
    lr: float = 1e-3,
    decay: float = 0.99,
    batch_size: int | None = None,
    rounds: int | None = None,
) -> Experiment:
    """A diffusion model that samples in 4, 2 or 1 steps, learnt from another run that needs many.

    A student begins as a copy of its teacher and learns to reach in one step of DDIM where the teacher arrives in two;
    then it is the teacher, and the steps are halved again, from `finest` to `steps`, at equal shares of the run. A
    sample costs `steps` calls of the network and is a deterministic map of its start. The teacher is a run of `edm`,
    of `flow_matching`, or of `ddpm` with the prediction `velocity` or `data`, on the same data; its guidance is learnt
    with it. It is copied into this run, and its folder may be deleted.

    Args:
        data: of the teacher.
        teacher: its run folder.
        finest: steps of the teacher, `steps` times a power of two.
        steps: of the last student.

    Raises:
        UserError: there is no such run, it is no diffusion model or was trained on other data, or predicts noise.
    """
    need_layout(data, "distilled_diffusion", *DOMAIN)
    taught, there = other_run(teacher, data)
    source: Any = taught.model
    if not isinstance(source, Diffusion) or isinstance(source, DistilledDiffusion):
        name = (OtherRun.from_folder(teacher) if isinstance(teacher, str) else teacher)["recipe"]
        raise UserError(f"expected a teacher that is a diffusion model, came a run of {name}; name one of edm or ddpm")
    student = DistilledDiffusion(source, finest)
    average: Any = averaged_copy(student)
    game = ProgressiveDistillation(source, student, average, steps)

    def begin(batch: Batch) -> None:
        if not there:
            raise UserError("expected the teacher's weights, its folder is gone or changed; name another --teacher")

    optimizer = Adam(student.network.parameters(), lr)
    rounds, batch_size = turns(data, rounds, batch_size, usual=3000)
    return Experiment(
        model=average,
        players=[Player("student", student.network, game.loss, optimizer, clip=1.0, schedule=game.rate)],
        codec=taught.codec,
        rounds=rounds,
        batch_size=batch_size,
        learners=modules(game=game),
        hooks=[Halving(game), EMA(student, average, decay)],
        begin=begin,
    )
