"""The importance-weighted autoencoder."""

from __future__ import annotations

from simulacra.autoencoders import VAE
from simulacra.batch import DataSpec
from simulacra.distributions import StandardNormalPrior
from simulacra.recipes._autoencoders import by_bound, code_codec, decoder_for, encoder_for, likelihood_for, output_of
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "vae"
DOMAIN = ("vector", "image")
PAPER = "Burda, Grosse and Salakhutdinov 2016 arXiv:1509.00519"


def iwae(
    data: DataSpec,
    *,
    draws: int = 5,
    latent: int | None = None,
    likelihood: str = "gaussian",
    sigma: float | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    batch: int | None = None,
    rounds: int | None = None,
) -> Experiment:
    """A variational autoencoder trained on the importance-weighted bound of K `draws`, tighter than one draw's.

    The bound, `log 1/K sum_k p(x, z_k) / q(z_k | x)`, grows with K towards log p(x), and its estimate is low on
    average, as of every logarithm; the encoder need only cover the posterior, as only good codes count. The rest is as
    in `vae`.
    """
    need_layout(data, "iwae", *DOMAIN)
    picture, reads = data.layout == "image", likelihood_for(data, likelihood, sigma)
    codec = code_codec(data, reads)
    spec = codec.spec(data)
    latent, width = latent or (16 if picture else 2), width or (16 if picture else 128)
    model = VAE(
        encoder_for(spec, latent, width),
        decoder_for(spec, latent, width, output_of(reads)),
        reads,
        StandardNormalPrior(latent),
        shape=None if picture else spec.x.shape,
    )
    return by_bound(
        model,
        codec,
        lr=lr,
        batch=batch or (64 if picture else 256),
        rounds=rounds or (1500 if picture else 4000),
        loss=lambda seen: model.importance_loss(seen, draws),
    )
