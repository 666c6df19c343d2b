"""The variational autoencoder with a VampPrior."""

from __future__ import annotations

from dataclasses import replace

import torch

from simulacra.autoencoders import VAE
from simulacra.batch import DataSpec
from simulacra.distributions import VampPrior
from simulacra.recipes._autoencoders import by_bound, code_codec, decoder_for, encoder_for, likelihood_for, output_of
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "vae"
DOMAIN = ("vector", "image")
PAPER = "Tomczak and Welling 2018 arXiv:1705.07120"


def vamp_vae(
    data: DataSpec,
    *,
    components: int = 50,
    latent: int | None = None,
    likelihood: str = "gaussian",
    sigma: float | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    batch: int | None = None,
    rounds: int | None = None,
) -> Experiment:
    """A variational autoencoder whose prior is a VampPrior, the mean of its own posteriors at learned pseudo-inputs.

    The prior follows the aggregated posterior, instead of pulling it to a Gaussian; the divergence is estimated from
    the code that is drawn anyway. The data's conditions are left aside. The rest is as in `vae`.
    """
    need_layout(data, "vamp_vae", *DOMAIN)
    picture, reads = data.layout == "image", likelihood_for(data, likelihood, sigma)
    codec = code_codec(data, reads)
    spec = replace(codec.spec(data), given={})
    latent, width = latent or (16 if picture else 2), width or (16 if picture else 128)
    encoder = encoder_for(spec, latent, width)
    model = VAE(
        encoder,
        decoder_for(spec, latent, width, output_of(reads)),
        reads,
        VampPrior(encoder, spec.x.shape, components, torch.tanh if picture else torch.clone),
        shape=None if picture else spec.x.shape,
    )
    return by_bound(
        model, codec, lr=lr, batch=batch or (64 if picture else 256), rounds=rounds or (2000 if picture else 6000)
    )
