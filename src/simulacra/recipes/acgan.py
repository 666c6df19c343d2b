"""The GAN with an auxiliary classifier."""

from __future__ import annotations

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.errors import UserError
from simulacra.gan import GAN, AuxiliaryClassifier, NonSaturating, StandardNormal
from simulacra.networks import critic_for, generator_for
from simulacra.recipes._parts import codec_for, need_layout, sized
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("vector", "image")
PAPER = "Odena, Olah and Shlens 2017 arXiv 1610.09585"


def acgan(
    data: DataSpec,
    *,
    latent: int | None = None,
    auxiliary: float = 1.0,
    width: int | None = None,
    lr: float | None = None,
    rounds: int = 4000,
    batch: int | None = None,
    ema: float = 0.999,
) -> Experiment:
    """The critic is not told the conditions but reads them off the event, and both players want it to read them well.

    Classes by a softmax and real conditions by regression, all at once, beside the score and from the same features;
    `auxiliary` weighs `-log Q(y | x)` of real and generated events against the non-saturating game. Pictures: DCGAN
    networks, Adam(1e-3, 0.5), where the paper has 2e-4 and ten times the rounds; points: MLPs of three hidden layers,
    5e-4. Where classes overlap, fakes avoid the overlap: `projection_gan` does not. The rates of pictures fall to 0
    over the second half.
    """
    need_layout(data, "acgan", *DOMAIN)
    if not data.given:
        raise UserError(f"expected data with a condition for acgan, {data.name} has none; use dcgan, gan or wgan_gp")
    codec, picture = codec_for(data), data.layout == "image"
    spec = codec.spec(data)
    latent, options = latent or (100 if picture else 2), sized(data, width or (32 if picture else 128))
    game = GAN(
        generator_for(spec, latent, **options),
        critic_for(spec, reads=spec.given, **options),
        NonSaturating(),
        StandardNormal(latent),
        [AuxiliaryClassifier(spec.given, auxiliary)],
        [AuxiliaryClassifier(spec.given, auxiliary, real=False)],
    )
    model, rate = game.averaged(), lr or (1e-3 if picture else 5e-4)
    critic, generator = (Adam(net.parameters(), rate, betas=(0.5, 0.999)) for net in (game.critic, game.generator))
    falling = linear_decay(0.5 if picture else 1.0)
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic, schedule=falling),
            Player("generator", game.generator, game.generator_loss, generator, schedule=falling),
        ],
        codec,
        rounds,
        batch or (64 if picture else 256),
        modules(game=game, model=model),
        [EMA(game.generator, model.generator, ema)],
    )
