"""The deep autoencoder with shortcuts."""

from __future__ import annotations

from simulacra.autoencoders import CodeDensity
from simulacra.autoencoders.shortcuts import DeepAutoencoder
from simulacra.batch import DataSpec
from simulacra.domains.images import ImageCodec
from simulacra.networks.framed import square
from simulacra.networks.shortcuts import DeepDecoder, DeepEncoder
from simulacra.recipes._autoencoders import by_reconstruction
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "autoencoder"
DOMAIN = ("image",)
PAPER = "He et al. 2016 arXiv:1512.03385; across: Ronneberger et al. 2015 arXiv:1505.04597"


def shortcut_ae(
    data: DataSpec,
    *,
    depth: int = 8,
    shortcuts: bool = True,
    across: bool = False,
    latent: int = 16,
    components: int = 1,
    full: bool = True,
    width: int = 16,
    lr: float = 1e-3,
    batch: int = 64,
    rounds: int = 2000,
) -> Experiment:
    """A deep autoencoder with shortcuts around the blocks of each half, and none across the code.

    Deep autoencoders underfit: what the first layers know is lost on its way. `depth` blocks of two convolutions in the
    encoder and as many in the decoder, each with a shortcut, train at depths where the same layers without `shortcuts`
    do not, and everything that comes back still goes through `latent` numbers. With `across` the decoder is also given
    the encoder's maps, as in a U-Net: a control, whose small error says nothing, since its code may be empty. New
    pictures come from a Gaussian, diagonal unless `full`, or a mixture of `components`, fitted to the codes.

    Raises:
        UserError: the events are not pictures, or the depth is below one.
    """
    need_layout(data, "shortcut_ae", *DOMAIN)
    codec = ImageCodec(data, size=square(data.x.shape)[1])
    spec = codec.spec(data)
    encoder, decoder = (
        half(spec.x.shape, latent, spec.given, width=width, depth=depth, shortcuts=shortcuts)
        for half in (DeepEncoder, DeepDecoder)
    )
    model = DeepAutoencoder(encoder, decoder, CodeDensity(latent, components, full), across)
    return by_reconstruction(model, codec, lr=lr, batch=batch, rounds=rounds)
