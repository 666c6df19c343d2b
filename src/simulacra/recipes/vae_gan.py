"""The VAE-GAN: a variational autoencoder that compares pictures by a critic's features."""

from __future__ import annotations

from torch.optim import Adam

from simulacra.autoencoders import VAEGAN, LatentVariableModel
from simulacra.batch import DataSpec
from simulacra.distributions import Gaussian, StandardNormalPrior
from simulacra.domains.images import ImageCodec
from simulacra.gan import NonSaturating
from simulacra.networks import Critic, LinearHead
from simulacra.recipes._autoencoders import body_for, decoder_for, encoder_for
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "vae"
DOMAIN = ("image",)
PAPER = "Larsen et al. 2016 arXiv:1512.09300"


def vae_gan(
    data: DataSpec,
    *,
    weight: float = 10.0,
    latent: int = 32,
    width: int = 16,
    lr: float = 1e-3,
    batch: int = 64,
    rounds: int = 2000,
) -> Experiment:
    """A variational autoencoder whose decoder is also a generator: a critic judges what it makes, and compares for it.

    Pictures that differ by a pixel's shift are far apart in squared error, which is why a VAE blurs; the critic's
    features are a learned similarity, in which they are near. Encoder, decoder and critic each have their own loss;
    `weight` is that of the similarity in the decoder's. It has no likelihood. DCGAN networks, Adam(1e-3, 0.5); the
    paper has RMSProp at 3e-4.
    """
    need_layout(data, "vae_gan", *DOMAIN)
    codec = ImageCodec(data, size=0)
    spec = codec.spec(data)
    model = LatentVariableModel(
        encoder_for(spec, latent, width), decoder_for(spec, latent, width), Gaussian(1.0), StandardNormalPrior(latent)
    )
    body = body_for(spec, width)
    game = VAEGAN(model, Critic(body, LinearHead(body.features)), NonSaturating(), weight)
    falling, parts = linear_decay(0.5), (game.critic, model.encoder, model.decoder)
    critic, encoder, decoder = (Adam(part.parameters(), lr, betas=(0.5, 0.999)) for part in parts)
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic, schedule=falling),
            Player("encoder", model.encoder, game.encoder_loss, encoder, clip=10.0, schedule=falling),
            Player("decoder", model.decoder, game.decoder_loss, decoder, schedule=falling),
        ],
        codec,
        rounds,
        batch,
        modules(game=game),
    )
