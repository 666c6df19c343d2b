"""Flow matching on straight lines."""

from __future__ import annotations

from simulacra.batch import DataSpec
from simulacra.diffusion import DeterministicDiffusion, FlowDiffusion, ProbabilityFlow, Straight
from simulacra.diffusion.pairing import optimal_pairing
from simulacra.errors import UserError
from simulacra.networks import denoiser_for
from simulacra.recipes._diffusion import by_denoising, network_of, turns
from simulacra.recipes._flows import density_codec
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "diffusion"
DOMAIN = ("vector", "image")
PAPER = "Lipman 2023 arXiv:2210.02747"
SAMPLING = ("steps", "solver", "guidance")


def flow_matching(
    data: DataSpec,
    *,
    paired: bool = False,
    steps: int = 20,
    solver: str = "heun",
    drop: float = 0.1,
    guidance: float = 1.0,
    network: str = "unet",
    patch: int | None = None,
    hidden: int = 128,
    base: int = 16,
    lr: float = 2e-3,
    decay: float = 0.995,
    batch_size: int | None = None,
    rounds: int | None = None,
) -> Experiment:
    """A continuous flow that is learnt by regression: a network predicts the velocity of straight lines to noise.

    Each event is joined to a draw of noise by a line; the mean velocity of all lines through a point is a field that
    carries the noise to the data, without an equation to be solved in training. With `paired`, the ends of a batch are
    matched by optimal transport, so that lines hardly cross and few steps suffice. It is a deterministic map of noise,
    of 2 `steps` - 1 calls; numbers also have their exact density.

    Args:
        data: of vectors or pictures.
        paired: whether noise and events of a batch are paired; not for data with conditions.
        steps: of the solver, `euler`, `heun` or `rk4`.
        network: of pictures, `unet` or `transformer`.
        patch: side of the transformer's patches; chosen where left out.

    Raises:
        UserError: the events are neither vectors nor pictures, or pairing is asked of data with conditions.
    """
    need_layout(data, "flow_matching", *DOMAIN)
    if paired and data.given:
        raise UserError(f"expected data without conditions to pair, came {', '.join(data.given)}; leave paired out")
    codec = density_codec(data)
    spec = codec.spec(data)
    kind = DeterministicDiffusion if data.layout == "image" else FlowDiffusion
    model = kind(
        denoiser_for(spec, **network_of(data, hidden, base, network, patch)),
        spec.x.shape,
        Straight(),
        "velocity",
        ProbabilityFlow(steps, solver),
        drop=drop if spec.given else 0.0,
        guidance=guidance,
        pairing=optimal_pairing if paired else None,
    )
    rounds, batch_size = turns(data, rounds, batch_size)
    return by_denoising(model, codec, lr=lr, decay=decay, batch_size=batch_size, rounds=rounds)
