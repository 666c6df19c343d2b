"""Latent diffusion."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import nn
from torch.optim import Adam

from simulacra.autoencoders import KL, VAE
from simulacra.batch import DataSpec
from simulacra.diffusion import EDM, DeterministicDiffusion, ProbabilityFlow
from simulacra.diffusion.latent import CodeScale, LatentDiffusion, MapDecoder, MapEncoder, code_field
from simulacra.distributions import Gaussian, StandardNormalPrior
from simulacra.networks import denoiser_for
from simulacra.recipes._autoencoders import decoder_for, encoder_for
from simulacra.recipes._diffusion import network_of
from simulacra.recipes._parts import codec_for, need_layout
from simulacra.training.averaging import EMA, averaged_copy
from simulacra.training.game import Clock, Experiment, Player, Solver, linear_decay, modules

FAMILY = "diffusion"
DOMAIN = ("vector", "image")
PAPER = "Rombach et al. 2022 arXiv:2112.10752"
SAMPLING = ("steps", "guidance")
BATCHES = 32
"""From which the scale of the codes is measured."""


def latent_diffusion(
    data: DataSpec,
    *,
    latent: int | None = None,
    kl: float = 1e-3,
    first: float = 0.4,
    steps: int = 18,
    drop: float = 0.1,
    guidance: float = 1.0,
    width: int | None = None,
    network: str = "unet",
    patch: int | None = None,
    hidden: int = 128,
    base: int = 32,
    lr: float = 2e-3,
    decay: float = 0.995,
    batch_size: int = 128,
    rounds: int = 4000,
) -> Experiment:
    """A diffusion model of the codes of an autoencoder, which draws in a small space what a decoder then makes large.

    Two stages share one run. First an autoencoder learns small codes by squared error, with a weak KL divergence that
    keeps them from growing; then it is frozen, its codes are scaled to unit variance, and a diffusion model learns
    them, told the conditions. Sampling runs the diffusion, 2 `steps` - 1 calls of its network, and decodes once.
    Pictures have `latent` code maps a quarter as wide and high; numbers `latent` codes. The paper's autoencoder is
    also trained on perceptual features and against a critic; this one on squared error alone, so it blurs a little.

    Args:
        data: of vectors or pictures.
        latent: code maps of a picture (4), or codes of an event of numbers (as many as it has).
        kl: weight of the divergence against half the summed squared error; 0 leaves the codes to themselves.
        first: share of the rounds in which the autoencoder learns.
        steps: of Heun's method.
        network: of pictures, `unet` or `transformer`.
        patch: side of the transformer's patches; chosen where left out.

    Raises:
        UserError: the events are neither vectors nor pictures.
    """
    need_layout(data, "latent_diffusion", *DOMAIN)
    picture = data.layout == "image"
    codec = codec_for(data)
    spec = codec.spec(data)
    latent, width = latent or (4 if picture else spec.x.size), width or (32 if picture else 128)
    untold, (layout, field) = replace(spec, given={}), code_field(spec.x.shape, latent, spec.layout)
    encoder: nn.Module = MapEncoder(spec.x.shape, latent, width) if picture else encoder_for(untold, latent, width)
    decoder: nn.Module = MapDecoder(spec.x.shape, latent, width) if picture else decoder_for(untold, latent, width)
    codes = replace(spec, layout=layout, x=field)
    autoencoder = VAE(encoder, decoder, Gaussian(1.0), StandardNormalPrior(field.size), KL(kl))
    denoiser = DeterministicDiffusion(
        denoiser_for(codes, **network_of(data, hidden, base, network, patch)),
        field.shape,
        EDM(),
        "preconditioned",
        ProbabilityFlow(steps),
        drop=drop if spec.given else 0.0,
        guidance=guidance,
    )
    average: Any = averaged_copy(denoiser)
    live = LatentDiffusion(autoencoder, denoiser, CodeScale(field.shape))
    model = LatentDiffusion(autoencoder, average, live.scale)

    def frozen(clock: Clock) -> bool:
        return clock.progress >= first

    def now(clock: Clock) -> bool:
        return frozen(clock) and not frozen(clock._replace(round=clock.round - 1))

    def falling(progress: float) -> float:
        return linear_decay(0.5)(min(progress / first, 1.0))

    return Experiment(
        model,
        [
            Player(
                "autoencoder",
                autoencoder,
                autoencoder.loss,
                Adam(autoencoder.parameters(), lr),
                when=lambda clock: not frozen(clock),
                clip=100.0,
                schedule=falling,
            ),
            Solver("scale", live.scale, live.collect, live.scale.solve, repeats=BATCHES, when=now),
            Player(
                "diffusion",
                denoiser,
                live.loss,
                Adam(denoiser.parameters(), lr),
                when=frozen,
                clip=1.0,
                schedule=linear_decay(start=(1 + first) / 2),
            ),
        ],
        codec,
        rounds,
        batch_size,
        modules(live=live, average=average),
        [EMA(denoiser, average, decay)],
    )
