"""Denoising diffusion probabilistic models."""

from __future__ import annotations

from simulacra.batch import DataSpec
from simulacra.diffusion import Ancestral, Chain, DeterministicChain, DiffusionChain
from simulacra.diffusion.weightings import min_snr, simple
from simulacra.networks import denoiser_for
from simulacra.recipes._diffusion import by_denoising, network_of, turns
from simulacra.recipes._flows import density_codec
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "diffusion"
DOMAIN = ("vector", "image")
PAPER = "Ho, Jain and Abbeel 2020 arXiv:2006.11239"
SAMPLING = ("steps", "eta", "variance", "guidance")


def ddpm(
    data: DataSpec,
    *,
    schedule: str = "linear",
    chain: int = 1000,
    prediction: str = "noise",
    gamma: float = 0.0,
    steps: int = 100,
    eta: float = 1.0,
    variance: str = "small",
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
    """A chain of small steps turns events into noise; a network that predicts the noise walks it back.

    The loss is the mean squared error of the noise at a random step, a reweighted variational bound; the bound itself
    is `log_prob_bound`. Sampling takes `steps` of the chain's steps, with fresh noise as in the paper (`eta` 1) or
    without any, where it is DDIM and a map of its start. Conditions are dropped for a share of the events, so that
    `guidance` may exaggerate them. Pictures go through a U-Net or a transformer, their grey levels blurred; numbers
    through an MLP. The authors' network is a thousand times larger.

    Args:
        data: of vectors or pictures.
        schedule: `linear` or `cosine`.
        chain: steps of the chain.
        prediction: `noise`, `data`, `velocity`, `score` or `preconditioned`.
        gamma: above 0, min-SNR weights.
        steps: of the sampler, one call of the network each.
        variance: of the chain that samples, and of its bound: `small`, the posterior's, or `large`, that of a step of
            the noise, whose bound is tighter by half a nat for each number that has a smooth density.
        network: of pictures, `unet` or `transformer`.
        patch: side of the transformer's patches; chosen where left out.

    Raises:
        UserError: the events are neither vectors nor pictures, or the sampler has more steps than the chain.
    """
    need_layout(data, "ddpm", *DOMAIN)
    codec = density_codec(data)
    spec = codec.spec(data)
    clip = 1.0 if data.layout == "image" else None
    path, sampler = Chain(schedule, chain), Ancestral(steps, eta, clip, variance)
    path.grid(steps)
    kind = DiffusionChain if eta else DeterministicChain
    model = kind(
        denoiser_for(spec, **network_of(data, hidden, base, network, patch)),
        spec.x.shape,
        path,
        prediction,
        sampler,
        weighting=min_snr(gamma) if gamma else simple,
        drop=drop if spec.given else 0.0,
        guidance=guidance,
    )
    rounds, batch_size = turns(data, rounds, batch_size)
    return by_denoising(model, codec, lr=lr, decay=decay, batch_size=batch_size, rounds=rounds)
