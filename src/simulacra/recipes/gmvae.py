"""The variational autoencoder with a mixture of Gaussians as its prior."""

from __future__ import annotations

from simulacra.autoencoders import VAE
from simulacra.batch import DataSpec
from simulacra.distributions import MixturePrior
from simulacra.recipes._autoencoders import by_bound, code_codec, decoder_for, encoder_for, likelihood_for, output_of
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "vae"
DOMAIN = ("vector", "image")
PAPER = "Dilokthanakul et al. 2016 arXiv:1611.02648; Jiang et al. 2017 arXiv:1611.05148"


def gmvae(
    data: DataSpec,
    *,
    components: int = 10,
    latent: int | None = None,
    likelihood: str = "gaussian",
    sigma: float | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    batch: int | None = None,
    rounds: int | None = None,
) -> Experiment:
    """A variational autoencoder whose prior is a learned mixture of Gaussians: its components are clusters.

    `model.prior.clusters(z)` is p(k | z), as in VaDE; the divergence is estimated from the code that is drawn anyway.
    The component is summed over exactly, instead of being inferred by a network of its own. The rest is as in `vae`.
    """
    need_layout(data, "gmvae", *DOMAIN)
    picture, reads = data.layout == "image", likelihood_for(data, likelihood, sigma)
    codec = code_codec(data, reads)
    spec = codec.spec(data)
    latent, width = latent or (16 if picture else 2), width or (16 if picture else 128)
    model = VAE(
        encoder_for(spec, latent, width),
        decoder_for(spec, latent, width, output_of(reads)),
        reads,
        MixturePrior(latent, components),
        shape=None if picture else spec.x.shape,
    )
    return by_bound(
        model, codec, lr=lr, batch=batch or (64 if picture else 256), rounds=rounds or (2000 if picture else 6000)
    )
