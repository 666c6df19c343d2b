"""The adversarial autoencoder."""

from __future__ import annotations

from torch.optim import Adam

from simulacra.autoencoders import AAE, Autoencoder, CodeDensity
from simulacra.batch import DataSpec, Field
from simulacra.domains.images import ImageCodec
from simulacra.domains.standard import Standardize
from simulacra.gan import NonSaturating
from simulacra.networks import critic_for
from simulacra.recipes._autoencoders import decoder_for, encoder_for
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "autoencoder"
DOMAIN = ("vector", "image")
PAPER = "Makhzani et al. 2016 arXiv:1511.05644"


def aae(
    data: DataSpec,
    *,
    latent: int | None = None,
    width: int | None = None,
    critic_width: int = 128,
    lr: float = 1e-3,
    critic_lr: float = 5e-4,
    batch: int | None = None,
    rounds: int | None = None,
) -> Experiment:
    """An autoencoder whose codes a critic cannot tell from N(0, 1), so that draws of N(0, 1) decode to new events.

    Each round the autoencoder lowers its squared error, the critic learns to tell codes from draws of the prior, and
    the encoder to fool it (the non-saturating game, with a deterministic encoder). The prior needs no density, and may
    be anything that can be drawn. It has no likelihood.
    """
    need_layout(data, "aae", *DOMAIN)
    picture = data.layout == "image"
    codec = ImageCodec(data, size=0) if picture else Standardize(data)
    spec = codec.spec(data)
    latent, width = latent or (16 if picture else 2), width or (16 if picture else 128)
    model = Autoencoder(
        encoder_for(spec, latent, width, deterministic=True), decoder_for(spec, latent, width), CodeDensity(latent)
    )
    codes = DataSpec("codes", "vector", Field((latent,)))
    game = AAE(model, critic_for(codes, hidden=(critic_width, critic_width)), NonSaturating())
    encoder, falling = model.nets["encoder"], linear_decay(0.5)
    both, critic = Adam(model.nets.parameters(), lr), Adam(game.critic.parameters(), critic_lr, betas=(0.5, 0.999))
    fool = Adam(encoder.parameters(), critic_lr, betas=(0.5, 0.999))
    return Experiment(
        model,
        [
            Player("autoencoder", model.nets, model.loss, both, clip=100.0, schedule=falling),
            Player("critic", game.critic, game.critic_loss, critic, schedule=falling),
            Player("encoder", encoder, game.encoder_loss, fool, schedule=falling),
        ],
        codec,
        rounds or (2000 if picture else 4000),
        batch or (64 if picture else 256),
        modules(game=game),
    )
