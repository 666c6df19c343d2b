"""The variational autoencoder with categorical codes."""

from __future__ import annotations

from simulacra.autoencoders import VAE, Anneal
from simulacra.batch import DataSpec
from simulacra.distributions import CategoricalEncoder, CategoricalPrior
from simulacra.recipes._autoencoders import body_for, by_bound, code_codec, decoder_for, likelihood_for, output_of
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "vae"
DOMAIN = ("vector", "image")
PAPER = "Jang, Gu and Poole 2017 arXiv:1611.01144; Maddison et al. 2017 arXiv:1611.00712"


def categorical_vae(
    data: DataSpec,
    *,
    choices: int | None = None,
    classes: int = 8,
    coldest: float = 0.5,
    likelihood: str = "gaussian",
    sigma: float | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    batch: int | None = None,
    rounds: int | None = None,
) -> Experiment:
    """A variational autoencoder whose code is `choices` categories of `classes`, with a gradient by the Gumbel-softmax.

    In training a category is a point inside the simplex, at a temperature that falls from 1 to `coldest` over the run;
    samples and the bound take one of the corners. The divergence from even probabilities is exact. The rest is as in
    `vae`.
    """
    need_layout(data, "categorical_vae", *DOMAIN)
    picture, reads = data.layout == "image", likelihood_for(data, likelihood, sigma)
    codec = code_codec(data, reads)
    spec = codec.spec(data)
    choices, width = choices or (16 if picture else 1), width or (16 if picture else 128)
    body = body_for(spec, width)
    encoder = CategoricalEncoder(body, body.features, choices, classes)
    model = VAE(
        encoder,
        decoder_for(spec, choices * classes, width, output_of(reads)),
        reads,
        CategoricalPrior(choices, classes),
        shape=None if picture else spec.x.shape,
    )
    return by_bound(
        model,
        codec,
        lr=lr,
        batch=batch or (64 if picture else 256),
        rounds=rounds or (2000 if picture else 4000),
        hooks=[Anneal(encoder, "temperature", lambda progress: coldest**progress)],
    )
