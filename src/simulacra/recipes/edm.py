"""EDM: the design of a diffusion model, taken apart."""

from __future__ import annotations

from simulacra.batch import DataSpec
from simulacra.diffusion import EDM, DeterministicDiffusion, FlowDiffusion, ProbabilityFlow
from simulacra.networks import denoiser_for
from simulacra.recipes._diffusion import by_denoising, network_of, turns
from simulacra.recipes._flows import density_codec
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "diffusion"
DOMAIN = ("vector", "image")
PAPER = "Karras 2022 arXiv:2206.00364"
SAMPLING = ("steps", "solver", "guidance")


def edm(
    data: DataSpec,
    *,
    steps: int = 18,
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
    """A denoiser whose input, target and loss have unit size at every noise, sampled by Heun's method.

    Noise of deviation sigma is added to the event itself. The network predicts what scaling the noisy event leaves
    open, at noises drawn where they teach most; the sampler follows the probability flow in steps that crowd at small
    noise, 2 `steps` - 1 calls in all, and is a deterministic map of its start; numbers also have their exact density.
    Conditions may be exaggerated by `guidance`.

    Args:
        data: of vectors or pictures.
        steps: of the solver, `euler`, `heun` or `rk4`.
        network: of pictures, `unet` or `transformer`.
        patch: side of the transformer's patches; chosen where left out.

    Raises:
        UserError: the events are neither vectors nor pictures.
    """
    need_layout(data, "edm", *DOMAIN)
    codec = density_codec(data)
    spec = codec.spec(data)
    kind = DeterministicDiffusion if data.layout == "image" else FlowDiffusion
    model = kind(
        denoiser_for(spec, **network_of(data, hidden, base, network, patch)),
        spec.x.shape,
        EDM(),
        "preconditioned",
        ProbabilityFlow(steps, solver),
        drop=drop if spec.given else 0.0,
        guidance=guidance,
    )
    rounds, batch_size = turns(data, rounds, batch_size)
    return by_denoising(model, codec, lr=lr, decay=decay, batch_size=batch_size, rounds=rounds)
