"""The undercomplete autoencoder, sampled from a density fitted to its codes."""

from __future__ import annotations

from simulacra.autoencoders import Autoencoder, CodeDensity
from simulacra.batch import DataSpec
from simulacra.domains.images import ImageCodec
from simulacra.domains.standard import Standardize
from simulacra.recipes._autoencoders import by_reconstruction, decoder_for, encoder_for
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "autoencoder"
DOMAIN = ("vector", "image")
PAPER = "Hinton and Salakhutdinov 2006"


def ae(
    data: DataSpec,
    *,
    latent: int | None = None,
    components: int = 1,
    full: bool = True,
    width: int | None = None,
    lr: float = 1e-3,
    batch: int | None = None,
    rounds: int | None = None,
) -> Experiment:
    """An encoder and a decoder with a narrow code between them learn to give back what goes in, by squared error.

    The autoencoder is undercomplete: `latent` is below the numbers of an event (1 of the plane's 2, 16 for pictures).
    Over the second half of the run a density of the codes is fitted, from which new events are made: a Gaussian,
    diagonal unless `full`, or a mixture of `components`. It has no likelihood.
    """
    need_layout(data, "ae", *DOMAIN)
    picture = data.layout == "image"
    codec = ImageCodec(data, size=0) if picture else Standardize(data)
    spec = codec.spec(data)
    latent, width = latent or (16 if picture else max(1, spec.x.size // 2)), width or (16 if picture else 128)
    model = Autoencoder(
        encoder_for(spec, latent, width, deterministic=True),
        decoder_for(spec, latent, width),
        CodeDensity(latent, components, full),
    )
    return by_reconstruction(
        model, codec, lr=lr, batch=batch or (64 if picture else 256), rounds=rounds or (2000 if picture else 4000)
    )
