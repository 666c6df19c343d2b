"""The vector-quantised variational autoencoder."""

from __future__ import annotations

from torch.optim import Adam

from simulacra.autoencoders import VQVAE, Codebook, CodePrior
from simulacra.batch import DataSpec
from simulacra.networks.grid import GridDecoder, GridEncoder
from simulacra.recipes._parts import codec_for, need_layout
from simulacra.training.game import Experiment, Player, modules

FAMILY = "autoencoder"
DOMAIN = ("image",)
PAPER = "van den Oord et al. 2017 arXiv:1711.00937"


def vq_vae(
    data: DataSpec,
    *,
    codes: int = 64,
    size: int = 16,
    commitment: float = 0.25,
    width: int = 32,
    prior_width: int = 128,
    lr: float = 1e-3,
    batch: int = 64,
    rounds: int = 2000,
) -> Experiment:
    """An autoencoder whose code is a grid of indices into a learned codebook, and a model of those grids.

    Every vector of the encoder's grid, a quarter as wide and high as the picture, is replaced by the nearest of `codes`
    vectors, through which the gradient passes as if nothing had happened. Nothing pulls the codes to a prior: over the
    second half of the run a recurrent network learns which index follows which. It has no likelihood.
    """
    need_layout(data, "vq_vae", *DOMAIN)
    codec = codec_for(data)
    spec = codec.spec(data)
    channels, height, across = spec.x.shape
    model = VQVAE(
        GridEncoder(channels, size, width),
        GridDecoder(spec.x.shape, size, spec.given, width),
        Codebook(codes, size),
        CodePrior(height * across // 16, codes, spec.given, prior_width),
        commitment,
    )
    return Experiment(
        model,
        [
            Player("autoencoder", model.nets, model.loss, Adam(model.nets.parameters(), lr), clip=100.0),
            Player(
                "prior",
                model.prior,
                model.prior_loss,
                Adam(model.prior.parameters(), lr),
                when=lambda clock: clock.progress >= 0.5,
            ),
        ],
        codec,
        rounds,
        batch,
        modules(model=model),
        begin=model.begin,
    )
