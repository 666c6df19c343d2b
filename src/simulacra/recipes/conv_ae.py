"""The convolutional autoencoder."""

from __future__ import annotations

from simulacra.autoencoders import Autoencoder, CodeDensity
from simulacra.batch import DataSpec
from simulacra.domains.images import ImageCodec
from simulacra.networks import LatentEncoder
from simulacra.networks.convolutional import ConvolutionalBody, ConvolutionalDecoder
from simulacra.recipes._autoencoders import by_reconstruction
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "autoencoder"
DOMAIN = ("image",)
PAPER = "Masci et al. 2011; stack of Fleuret, Deep learning (EPFL), lecture 7.2"


def conv_ae(
    data: DataSpec,
    *,
    latent: int = 16,
    components: int = 1,
    full: bool = True,
    width: int = 16,
    lr: float = 3e-3,
    batch: int = 64,
    rounds: int = 2000,
) -> Experiment:
    """A convolutional autoencoder: bare convolutions narrow a picture to a code, transposed ones widen it again.

    Five convolutions without padding, norm or pooling, `width` maps and a ReLU each, take 28 x 28 pixels over 24, 20, 9
    and 4 to `latent` maps of one pixel; other sizes take fewer or more. The loss is the squared error. New pictures
    come from a density fitted to the codes over the second half of the run: a Gaussian, diagonal unless `full`, or a
    mixture of `components`; nothing in the training asks for codes that have such a density. It has no likelihood.

    Raises:
        UserError: the events are not pictures, or smaller than 7 x 7.
    """
    need_layout(data, "conv_ae", *DOMAIN)
    codec = ImageCodec(data, size=0)
    spec = codec.spec(data)
    body = ConvolutionalBody(spec.x.shape, spec.given, width=width)
    model = Autoencoder(
        LatentEncoder(body, body.features, latent, deterministic=True),
        ConvolutionalDecoder(spec.x.shape, latent, spec.given, width=width),
        CodeDensity(latent, components, full),
    )
    return by_reconstruction(model, codec, lr=lr, batch=batch, rounds=rounds)
