"""Score-based models by stochastic differential equations."""

from __future__ import annotations

from simulacra.batch import DataSpec
from simulacra.diffusion import (
    FlowDiffusion,
    Langevin,
    ProbabilityFlow,
    ScoreDiffusion,
    VarianceExploding,
    VariancePreserving,
)
from simulacra.diffusion.weightings import likelihood, measured_in
from simulacra.errors import UserError, nearest
from simulacra.networks import denoiser_for
from simulacra.recipes._diffusion import by_denoising
from simulacra.recipes._flows import density_codec
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "diffusion"
DOMAIN = ("vector",)
PAPER = "Song 2021 arXiv:2011.13456"
SAMPLING = ("sampler", "steps", "solver", "guidance")


def score_sde(
    data: DataSpec,
    *,
    sde: str = "preserving",
    weighting: str = "noise",
    sampler: str = "flow",
    steps: int = 50,
    solver: str = "heun",
    drop: float = 0.1,
    guidance: float = 1.0,
    hidden: int = 128,
    lr: float = 2e-3,
    decay: float = 0.995,
    batch_size: int = 256,
    rounds: int = 4000,
) -> Experiment:
    """A stochastic equation turns data into noise; its reverse needs only the score, the gradient of log p_t.

    A network learns the score at all times by denoising. The probability flow, an equation without noise and with the
    same distribution at every time, makes events and gives their exact density, with the exact trace of its Jacobian.
    The network predicts the noise, `e = -sigma score`, where the variance explodes, and the flow's velocity where it is
    preserved: an error of the noise would be multiplied by b / (2 sigma), 10 at t = 1. `weighting` says in which
    quantity the error is measured in training.

    Args:
        data: of vectors.
        sde: `preserving` or `exploding` the variance.
        weighting: `noise`, `data`, `score`, or `likelihood`, which bounds the KL divergence from data to samples.
        sampler: `flow`, or `langevin`, annealed Langevin dynamics: random steps up the score, 40 at each of `steps`
            falling noises; the density stays that of the flow.
        steps: of the flow's solver, `euler`, `heun` or `rk4`.

    Raises:
        UserError: the events are no vectors, or there is no such equation, weighting or sampler.
    """
    need_layout(data, "score_sde", *DOMAIN)
    paths = {"preserving": VariancePreserving(), "exploding": VarianceExploding()}
    weights = {"likelihood": likelihood, **{word: measured_in(word) for word in ("noise", "data", "score")}}
    samplers = {"flow": ProbabilityFlow(steps, solver, to_zero=sde == "exploding"), "langevin": Langevin(steps)}
    for word, known in ((sde, paths), (weighting, weights), (sampler, samplers)):
        if word not in known:
            raise UserError(f"expected one of {', '.join(known)}, came {word!r}; {nearest(word, known)}")
    codec = density_codec(data)
    spec = codec.spec(data)
    kind = FlowDiffusion if sampler == "flow" else ScoreDiffusion
    model = kind(
        denoiser_for(spec, hidden=hidden),
        spec.x.shape,
        paths[sde],
        "velocity" if sde == "preserving" else "noise",
        samplers[sampler],
        weighting=weights[weighting],
        drop=drop if spec.given else 0.0,
        guidance=guidance,
    )
    return by_denoising(model, codec, lr=lr, decay=decay, batch_size=batch_size, rounds=rounds)
