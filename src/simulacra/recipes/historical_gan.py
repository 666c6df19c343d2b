"""The GAN whose players are held near the average of their past."""

from __future__ import annotations

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.gan import GAN, HistoricalAveraging, NonSaturating, StandardNormal
from simulacra.networks import critic_for, generator_for
from simulacra.recipes._parts import codec_for, need_layout, single, sized
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("vector", "image")
PAPER = "Salimans et al. 2016 arXiv 1606.03498"


def historical_gan(
    data: DataSpec,
    *,
    history: float = 1e-3,
    label: float = 0.9,
    latent: int | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    rounds: int | None = None,
    batch: int | None = None,
    ema: float = 0.995,
) -> Experiment:
    """Two players that pay for leaving the average of their own past, so that they settle instead of circling.

    Each loss has a term `history || theta - mean of past theta ||^2`. The critic calls real events `label`, below 1,
    and fakes 0 (one-sided label smoothing, of the same paper), so that it is never sure. Otherwise `gan` for points,
    and DCGAN networks for pictures. The rates of pictures fall to 0 over the second half. Both networks are told the
    data's conditions, such as a label, the critic of pictures by a projection (Miyato and Koyama 2018, arXiv
    1802.05637), with layer norm and Adam(0, 0.9); `--ignore label` leaves it aside.
    """
    need_layout(data, "historical_gan", *DOMAIN)
    codec, picture = codec_for(data), data.layout == "image"
    spec = codec.spec(data)
    latent, width = latent or (100 if picture else 2), width or (32 if picture else 128)
    generator_net = generator_for(spec, latent, **sized(data, width))
    critic_net = critic_for(spec, **single(data, width))
    of_critic, of_generator = (HistoricalAveraging(net, history) for net in (critic_net, generator_net))
    game = GAN(generator_net, critic_net, NonSaturating(label), StandardNormal(latent), [of_critic], [of_generator])
    model = game.averaged()
    betas = (0.0, 0.9) if picture else (0.5, 0.9)
    critic, generator = (Adam(net.parameters(), lr, betas=betas) for net in (game.critic, game.generator))
    falling = linear_decay(0.5 if picture else 1.0)
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic, after=[of_critic.remember], schedule=falling),
            Player(
                "generator",
                game.generator,
                game.generator_loss,
                generator,
                after=[of_generator.remember],
                schedule=falling,
            ),
        ],
        codec,
        rounds or (3000 if picture else 6000),
        batch or (64 if picture else 256),
        modules(game=game, model=model, of_critic=of_critic, of_generator=of_generator),
        [EMA(game.generator, model.generator, ema)],
    )
