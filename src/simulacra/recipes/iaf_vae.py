"""The variational autoencoder with an inverse autoregressive flow as its posterior."""

from __future__ import annotations

from simulacra.autoencoders import VAE
from simulacra.autoencoders.posterior import FlowEncoder
from simulacra.batch import DataSpec
from simulacra.distributions import StandardNormalPrior
from simulacra.recipes._autoencoders import body_for, by_bound, code_codec, decoder_for, likelihood_for, output_of
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "vae"
DOMAIN = ("vector", "image")
PAPER = "Kingma et al. 2016 arXiv:1606.04934"


def iaf_vae(
    data: DataSpec,
    *,
    steps: int = 2,
    hidden: tuple[int, ...] = (64,),
    context: int = 16,
    latent: int | None = None,
    likelihood: str = "gaussian",
    sigma: float | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    batch: int | None = None,
    rounds: int | None = None,
) -> Experiment:
    """A variational autoencoder whose posterior is a Gaussian bent by an inverse autoregressive flow.

    The numbers of a code may then depend on each other given the event, in other shapes than a Gaussian's: the gap
    between the bound and log p(x) can close further. The encoder gives mean, width and a `context`, which all `steps`
    of the flow are told; draws and their density cost one pass for each step. The rest is as in
    `vae`.

    Raises:
        UserError: the layout has no networks, or the likelihood does not fit the data.
    """
    need_layout(data, "iaf_vae", *DOMAIN)
    picture, reads = data.layout == "image", likelihood_for(data, likelihood, sigma)
    codec = code_codec(data, reads)
    spec = codec.spec(data)
    latent, width = latent or (16 if picture else 2), width or (16 if picture else 128)
    body = body_for(spec, width)
    model = VAE(
        FlowEncoder(body, body.features, latent, steps, hidden, context),
        decoder_for(spec, latent, width, output_of(reads)),
        reads,
        StandardNormalPrior(latent),
        shape=None if picture else spec.x.shape,
    )
    return by_bound(
        model, codec, lr=lr, batch=batch or (64 if picture else 256), rounds=rounds or (2000 if picture else 6000)
    )
