"""The variational autoencoder."""

from __future__ import annotations

from simulacra.autoencoders import VAE
from simulacra.batch import DataSpec
from simulacra.distributions import StandardNormalPrior
from simulacra.recipes._autoencoders import by_bound, code_codec, decoder_for, encoder_for, likelihood_for, output_of
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "vae"
DOMAIN = ("vector", "image")
PAPER = "Kingma and Welling 2014 arXiv:1312.6114; Rezende et al. 2014 arXiv:1401.4082"


def vae(
    data: DataSpec,
    *,
    latent: int | None = None,
    likelihood: str = "gaussian",
    sigma: float | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    batch: int | None = None,
    rounds: int | None = None,
) -> Experiment:
    """A decoder of Gaussian codes and an encoder that guesses the code, trained together on a bound of log p(x).

    The loss is `-log p(x | z)` summed over all numbers of an event, plus `KL(q(z | x) | N(0, 1))`. p(x | z) is
    `gaussian` with a learned `sigma` (or a given one: 1 is half the squared error) or, for pictures, `bernoulli`.
    Conditions are told to both networks. Points: three layers of 128 and 2 codes; samples are draws of p(x | z).
    Pictures: DCGAN networks with layer norm, 16 codes; samples are means.
    """
    need_layout(data, "vae", *DOMAIN)
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
        model, codec, lr=lr, batch=batch or (64 if picture else 256), rounds=rounds or (2000 if picture else 6000)
    )
