"""The beta-VAE: a heavier divergence for codes that come apart into factors."""

from __future__ import annotations

from simulacra.autoencoders import KL, VAE, Anneal, Capacity
from simulacra.batch import DataSpec
from simulacra.distributions import StandardNormalPrior
from simulacra.recipes._autoencoders import by_bound, code_codec, decoder_for, encoder_for, likelihood_for, output_of
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "vae"
DOMAIN = ("vector", "image")
PAPER = "Higgins et al. 2017; Burgess et al. 2018 arXiv:1804.03599"


def beta_vae(
    data: DataSpec,
    *,
    beta: float = 4.0,
    capacity: float = 0.0,
    gamma: float = 10.0,
    latent: int | None = None,
    likelihood: str = "gaussian",
    sigma: float | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    batch: int | None = None,
    rounds: int | None = None,
) -> Experiment:
    """A variational autoencoder whose divergence is weighted by `beta` above 1: each used code costs more.

    What varies alone in the data then tends to get a number of its own, and reconstructions get worse. With a
    `capacity` above 0, in nats, the divergence is instead held at a value that grows from 0 to it over the first half
    of the run, with the weight `gamma`. A fixed `sigma` (1 for pictures unless given) keeps beta's meaning: a learned
    one would follow the error and undo it.
    """
    need_layout(data, "beta_vae", *DOMAIN)
    picture = data.layout == "image"
    if sigma is None and likelihood == "gaussian":
        sigma = 1.0 if picture else 0.1
    reads = likelihood_for(data, likelihood, sigma)
    codec = code_codec(data, reads)
    spec = codec.spec(data)
    latent, width = latent or (16 if picture else 2), width or (16 if picture else 128)
    held = Capacity(gamma)
    model = VAE(
        encoder_for(spec, latent, width),
        decoder_for(spec, latent, width, output_of(reads)),
        reads,
        StandardNormalPrior(latent),
        held if capacity else KL(beta),
        None if picture else spec.x.shape,
    )
    ramp = Anneal(held, "capacity", lambda progress: capacity * min(1.0, 2 * progress))
    return by_bound(
        model,
        codec,
        lr=lr,
        batch=batch or (64 if picture else 256),
        rounds=rounds or (2000 if picture else 6000),
        hooks=[ramp] if capacity else [],
    )
