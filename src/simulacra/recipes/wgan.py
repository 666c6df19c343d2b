"""The Wasserstein GAN with weight clipping."""

from __future__ import annotations

from torch.optim import RMSprop

from simulacra.batch import DataSpec
from simulacra.gan import GAN, StandardNormal, Wasserstein, WeightClipping
from simulacra.networks import critic_for, generator_for
from simulacra.recipes._parts import codec_for, need_layout, sized
from simulacra.training.averaging import EMA
from simulacra.training.game import Clock, Experiment, Player, modules

FAMILY = "gan"
DOMAIN = ("vector", "image")
PAPER = "Arjovsky, Chintala and Bottou 2017 arXiv 1701.07875"


def wgan(
    data: DataSpec,
    *,
    latent: int | None = None,
    n_critic: int | None = None,
    warm: int | None = None,
    clip: float | None = None,
    lr: float | None = None,
    width: int | None = None,
    rounds: int = 3000,
    batch: int = 64,
    ema: float = 0.99,
) -> Experiment:
    """A critic whose weights are clipped to [-clip, clip] estimates the Wasserstein distance up to a factor.

    RMSprop without momentum, `n_critic` critic turns per round, `warm` in the first 25 rounds and in every 500th, so
    that the critic is near its optimum. Defaults follow the layout. Points: clip 0.1, lr 5e-4, 5 turns and 100, with
    three hidden layers of 128. Pictures: the paper's clip 0.01 with DCGAN networks, lr 1e-3, 2 turns and 20; the
    paper's 5e-5, 5 and 100 take longer than a CPU has. Both networks are told the data's conditions, such as a label;
    `--ignore label` leaves it aside.
    """
    need_layout(data, "wgan", *DOMAIN)
    codec, picture = codec_for(data), data.layout == "image"
    spec = codec.spec(data)
    latent, width = latent or (100 if picture else 2), width or (32 if picture else 128)
    options = sized(data, width)
    game = GAN(
        generator_for(spec, latent, **options),
        critic_for(spec, offset=False, **options),
        Wasserstein(),
        StandardNormal(latent),
    )
    model, rate = game.averaged(), lr or (1e-3 if picture else 5e-4)
    few, many = n_critic or (2 if picture else 5), (20 if picture else 100) if warm is None else warm
    clipping = WeightClipping(game.critic, clip or (0.01 if picture else 0.1))
    critic, generator = (RMSprop(net.parameters(), rate) for net in (game.critic, game.generator))

    def turns(clock: Clock) -> int:
        return many if clock.round < 25 or clock.round % 500 == 0 else few

    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic, repeats=turns, after=[clipping]),
            Player("generator", game.generator, game.generator_loss, generator),
        ],
        codec,
        rounds,
        batch,
        modules(game=game, model=model),
        [EMA(game.generator, model.generator, ema)],
    )
