"""The beta-TCVAE: only the total correlation of the code is weighted."""

from __future__ import annotations

from simulacra.autoencoders import VAE, TotalCorrelation
from simulacra.batch import DataSpec
from simulacra.distributions import StandardNormalPrior
from simulacra.recipes._autoencoders import by_bound, code_codec, decoder_for, encoder_for, likelihood_for, output_of
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "vae"
DOMAIN = ("vector", "image")
PAPER = "Chen et al. 2018 arXiv:1802.04942"


def beta_tcvae(
    data: DataSpec,
    *,
    beta: float = 6.0,
    latent: int | None = None,
    likelihood: str = "gaussian",
    sigma: float | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    batch: int | None = None,
    rounds: int | None = None,
) -> Experiment:
    """A variational autoencoder of whose divergence only one part, the total correlation of the code, weighs `beta`.

    The KL is what the code knows of the event, plus how far its numbers depend on each other, plus how far each is from
    its prior; the first stays unpunished, so that reconstructions suffer less than in `beta_vae`. The aggregated
    posterior is estimated from the batch. `sigma` is fixed, so that beta keeps its meaning: 1 for pictures, 0.1 for
    points. The rest is as in `vae`.
    """
    need_layout(data, "beta_tcvae", *DOMAIN)
    picture = data.layout == "image"
    if sigma is None and likelihood == "gaussian":
        sigma = 1.0 if picture else 0.1
    reads = likelihood_for(data, likelihood, sigma)
    codec = code_codec(data, reads)
    spec = codec.spec(data)
    latent, width = latent or (16 if picture else 2), width or (16 if picture else 128)
    model = VAE(
        encoder_for(spec, latent, width),
        decoder_for(spec, latent, width, output_of(reads)),
        reads,
        StandardNormalPrior(latent),
        TotalCorrelation(data.rows, beta=beta),
        None if picture else spec.x.shape,
    )
    return by_bound(
        model, codec, lr=lr, batch=batch or (64 if picture else 256), rounds=rounds or (2000 if picture else 6000)
    )
