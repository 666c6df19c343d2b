"""The conditional variational autoencoder."""

from __future__ import annotations

from simulacra.autoencoders import VAE
from simulacra.batch import DataSpec
from simulacra.distributions import ConditionalPrior, StandardNormalPrior
from simulacra.errors import UserError
from simulacra.recipes._autoencoders import by_bound, code_codec, decoder_for, encoder_for, likelihood_for, output_of
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "vae"
DOMAIN = ("vector", "image")
PAPER = "Sohn, Lee and Yan 2015"


def cvae(
    data: DataSpec,
    *,
    learned_prior: bool = True,
    latent: int | None = None,
    likelihood: str = "gaussian",
    sigma: float | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    batch: int | None = None,
    rounds: int | None = None,
) -> Experiment:
    """A variational autoencoder of p(x | given): encoder, decoder and prior are all told the conditions.

    The code holds what the conditions do not say. Its prior p(z | given) is an MLP of the conditions, or N(0, 1)
    without `learned_prior`. The rest is as in `vae`.

    Raises:
        UserError: the data have no condition.
    """
    need_layout(data, "cvae", *DOMAIN)
    if not data.given:
        raise UserError(f"expected data with a condition for cvae, {data.name} has none; use vae or other data")
    picture, reads = data.layout == "image", likelihood_for(data, likelihood, sigma)
    codec = code_codec(data, reads)
    spec = codec.spec(data)
    latent, width = latent or (16 if picture else 2), width or (16 if picture else 128)
    model = VAE(
        encoder_for(spec, latent, width),
        decoder_for(spec, latent, width, output_of(reads)),
        reads,
        ConditionalPrior(latent, spec.given) if learned_prior else StandardNormalPrior(latent),
        shape=None if picture else spec.x.shape,
    )
    return by_bound(
        model, codec, lr=lr, batch=batch or (64 if picture else 256), rounds=rounds or (2000 if picture else 6000)
    )
