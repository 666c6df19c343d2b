"""The Wasserstein autoencoder: codes distributed as the prior, all together instead of each."""

from __future__ import annotations

from simulacra.autoencoders import MMD, Autoencoder, CodeDensity
from simulacra.batch import DataSpec
from simulacra.domains.images import ImageCodec
from simulacra.domains.standard import Standardize
from simulacra.recipes._autoencoders import by_reconstruction, decoder_for, encoder_for
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "autoencoder"
DOMAIN = ("vector", "image")
PAPER = "Tolstikhin et al. 2018 arXiv:1711.01558"


def wae(
    data: DataSpec,
    *,
    latent: int | None = None,
    weight: float | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    batch: int | None = None,
    rounds: int | None = None,
) -> Experiment:
    """An autoencoder whose codes, taken over all events, are distributed as N(0, 1): a Wasserstein autoencoder.

    The loss is the squared error plus `weight` times the squared maximum mean discrepancy of the codes of a batch and
    as many draws of the prior. A variational autoencoder wants the posterior of every event near the prior, so that
    they overlap; here only their mean is, and the encoder may be deterministic. It has no likelihood.
    """
    need_layout(data, "wae", *DOMAIN)
    picture = data.layout == "image"
    codec = ImageCodec(data, size=0) if picture else Standardize(data)
    spec = codec.spec(data)
    latent, width = latent or (16 if picture else 2), width or (16 if picture else 128)
    model = Autoencoder(
        encoder_for(spec, latent, width, deterministic=True),
        decoder_for(spec, latent, width),
        CodeDensity(latent),
        divergence=MMD(weight if weight is not None else (100.0 if picture else 10.0)),
    )
    return by_reconstruction(
        model,
        codec,
        fitted=False,
        lr=lr,
        batch=batch or (64 if picture else 256),
        rounds=rounds or (2000 if picture else 4000),
    )
