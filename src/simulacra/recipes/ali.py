"""Adversarially learned inference: a GAN that learns its own encoder."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.gan import ALI, Bidirectional, NonSaturating, StandardNormal
from simulacra.networks import Critic, LatentEncoder, LinearHead, PairBody, critic_for, generator_for
from simulacra.recipes._parts import codec_for, need_layout, sized
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("vector", "image")
PAPER = "Dumoulin et al. 2017 arXiv 1606.00704; Donahue et al. 2017 arXiv 1605.09782"


def ali(
    data: DataSpec,
    *,
    deterministic: bool = False,
    dropout: float | None = None,
    latent: int | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    rounds: int | None = None,
    batch: int | None = None,
    ema: float = 0.999,
) -> Experiment:
    """A critic tells pairs (x, z ~ q(z | x)) from pairs (g(z), z): generator and encoder move until it cannot.

    The encoder is then the generator's posterior, though no reconstruction is ever asked for; `model.encode` gives it
    and `model.reconstruct` goes there and back. q(z | x) is a Gaussian, with `deterministic` a point (BiGAN). Both are
    one player with the critic's loss, its labels swapped. Adam(1e-3, 0.5). Pictures: DCGAN networks, and `dropout` in
    the critic's common layers; the paper has deeper networks at 1e-4. Points: MLPs of three hidden layers. The data's
    conditions are left aside. The rates of pictures fall to 0 over the second half.
    """
    need_layout(data, "ali", *DOMAIN)
    codec, picture = codec_for(data), data.layout == "image"
    spec = replace(codec.spec(data), given={})
    dropout = dropout if dropout is not None else (0.2 if picture else 0.0)
    latent, options = latent or (64 if picture else 2), sized(data, width or (32 if picture else 128))
    bodies: list[Any] = [critic_for(spec, **options).body for _ in range(2)]
    seen, told = bodies
    encoder = LatentEncoder(seen, seen.features, latent, deterministic)
    pairs = PairBody(told, told.features, latent, 256 if picture else width or 128, dropout)
    game = ALI(
        Bidirectional(generator_for(spec, latent, **options), encoder, StandardNormal(latent)),
        Critic(pairs, LinearHead(pairs.features)),
        NonSaturating(),
    )
    model = game.averaged()
    critic, pair = (Adam(net.parameters(), lr, betas=(0.5, 0.999)) for net in (game.critic, game.pair))
    falling = linear_decay(0.5 if picture else 1.0)
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic, schedule=falling),
            Player("pair", game.pair, game.swapped_loss, pair, schedule=falling),
        ],
        codec,
        rounds or (3000 if picture else 6000),
        batch or (64 if picture else 256),
        modules(game=game, model=model),
        [EMA(game.pair, model, ema)],
    )
