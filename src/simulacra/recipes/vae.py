"""The variational autoencoder."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from simulacra.autoencoders import VAE
from simulacra.autoencoders.posterior import FlowEncoder, MixtureEncoder, PlanarEncoder
from simulacra.autoencoders.prior import FlowPrior, couplings
from simulacra.batch import DataSpec
from simulacra.distributions import MixturePrior, StandardNormalPrior, VampPrior
from simulacra.errors import UserError
from simulacra.networks import LatentEncoder
from simulacra.recipes._autoencoders import body_for, by_bound, code_codec, decoder_for, likelihood_for, output_of
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "vae"
DOMAIN = ("vector", "image")
PAPER = "Kingma and Welling 2014 arXiv:1312.6114; Rezende et al. 2014 arXiv:1401.4082"

PRIORS = {"normal": 0, "mixture": 10, "vamp": 50, "flow": 4}
"""How many components, pseudo-inputs or couplings each has."""
POSTERIORS = {"gaussian": 0, "planar": 8, "iaf": 2, "mixture": 2}
"""How many steps or components each has."""


def vae(
    data: DataSpec,
    *,
    prior: str = "normal",
    prior_parts: int | None = None,
    posterior: str = "gaussian",
    posterior_parts: int | None = None,
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

    Any prior goes with any posterior. Where the KL has no closed form it is estimated from the code that is drawn
    anyway. With a VampPrior conditions are told to the decoder only, as its pseudo-inputs have none.

    Args:
        prior: of codes: `normal`, N(0, 1); or learned: a `mixture` of Gaussians, `vamp`, the mean of posteriors at
            pseudo-inputs, or `flow`, spline couplings.
        prior_parts: components of a mixture (10), pseudo-inputs (50), couplings (4).
        posterior: `gaussian`, independent; bent by a `planar` or inverse autoregressive flow (`iaf`); or a `mixture`.
        posterior_parts: steps of a planar (8) or inverse autoregressive flow (2), components of a mixture (2).

    Raises:
        UserError: the layout has no networks, the likelihood does not fit the data, or there is no such prior
            or posterior.
    """
    need_layout(data, "vae", *DOMAIN)
    many = _parts("prior", prior, prior_parts, PRIORS), _parts("posterior", posterior, posterior_parts, POSTERIORS)
    picture, reads = data.layout == "image", likelihood_for(data, likelihood, sigma)
    codec = code_codec(data, reads)
    spec = codec.spec(data)
    latent, width = latent or (16 if picture else 2), width or (16 if picture else 128)
    body = body_for(replace(spec, given={}) if prior == "vamp" else spec, width)
    encoders = {
        "gaussian": lambda: LatentEncoder(body, body.features, latent),
        "planar": lambda: PlanarEncoder(body, body.features, latent, many[1]),
        "iaf": lambda: FlowEncoder(body, body.features, latent, many[1]),
        "mixture": lambda: MixtureEncoder(body, body.features, latent, many[1]),
    }
    encoder: nn.Module = encoders[posterior]()
    decoder = decoder_for(spec, latent, width, output_of(reads))
    priors = {
        "normal": lambda: StandardNormalPrior(latent),
        "mixture": lambda: MixturePrior(latent, many[0]),
        "vamp": lambda: VampPrior(encoder, spec.x.shape, many[0], torch.tanh if picture else torch.clone),
        "flow": lambda: FlowPrior(latent, couplings(latent, many[0])),
    }
    model = VAE(encoder, decoder, reads, priors[prior](), shape=None if picture else spec.x.shape)
    return by_bound(
        model, codec, lr=lr, batch=batch or (64 if picture else 256), rounds=rounds or (2000 if picture else 6000)
    )


def _parts(kind: str, name: str, parts: int | None, known: dict[str, int]) -> int:
    """How many parts a prior or a posterior of this name has."""
    if name not in known:
        raise UserError(f"expected a {kind} among {', '.join(known)}, came {name!r}; choose one")
    if parts is None:
        return known[name]
    if not known[name]:
        raise UserError(f"expected no parts of a {kind} that is {name}, came {parts}; leave --{kind}-parts out")
    return parts
