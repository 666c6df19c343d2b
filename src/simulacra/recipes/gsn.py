"""Generative stochastic network."""

from __future__ import annotations

from simulacra.autoencoders.noise import Corruption
from simulacra.batch import DataSpec
from simulacra.domains.standard import Standardize
from simulacra.markov.gsn import GSN
from simulacra.networks import MLP, Conditions
from simulacra.recipes._discrete import binary_codec, by_likelihood
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "markov"
DOMAIN = ("vector", "image")
PAPER = "Bengio et al. 2014 arXiv:1306.1091; Bengio et al. 2013 arXiv:1305.6663"


def gsn(
    data: DataSpec,
    *,
    noise: float | None = None,
    components: int = 8,
    walkback: int | None = None,
    width: int | None = None,
    burn: int | None = None,
    binarise: str = "stochastic",
    lr: float = 1e-3,
    batch: int | None = None,
    rounds: int | None = None,
) -> Experiment:
    """A Markov chain that corrupts an event and restores it, whose stationary distribution becomes that of the data.

    A network learns what an event may have been before it was corrupted, on walks of `walkback` steps away from the
    data; samples are chains of `burn` steps. Points: Gaussian noise of width `noise` (0.5) on standardised numbers, a
    restoration by a mixture of `components`, no walkback. Pictures: black and white by `binarise`, a share `noise`
    (0.4) of pixels drawn anew, independent pixels restored by a dense network, walks of 4. It is conditional on
    whatever the data give.
    """
    need_layout(data, "gsn", *DOMAIN)
    picture = data.layout == "image"
    codec = binary_codec(data, binarise) if picture else Standardize(data)
    spec = codec.spec(data)
    amount = noise if noise is not None else 0.4 if picture else 0.5
    width = width or (500 if picture else 128)
    hidden = (width, width) if picture else (width, width, width)
    outputs = spec.x.size if picture else components * (1 + 2 * spec.x.size)
    net = MLP(spec.x.size + Conditions(spec.given).size, outputs, hidden)
    model = GSN(
        net,
        Corruption("salt_and_pepper" if picture else "gaussian", amount, low=0.0, high=1.0),
        spec.x.shape,
        binary=picture,
        components=components,
        walkback=walkback or (4 if picture else 1),
        burn=(50 if picture else 100) if burn is None else burn,
        given_fields=spec.given,
    )
    rounds = rounds or (4000 if picture else 6000)
    return by_likelihood(model, codec, lr=lr, batch=batch or (100 if picture else 256), rounds=rounds)
