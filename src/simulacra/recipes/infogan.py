"""The information-maximising GAN."""

from __future__ import annotations

from dataclasses import replace

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.errors import UserError
from simulacra.gan import (
    GAN,
    CategoricalCode,
    Code,
    Coded,
    ContinuousCode,
    MutualInformation,
    NonSaturating,
    StandardNormal,
)
from simulacra.gan.codes import fields_of
from simulacra.networks import critic_for, generator_for
from simulacra.recipes._parts import codec_for, need_layout, sized
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, modules

FAMILY = "gan"
DOMAIN = ("vector", "image")
PAPER = "Chen et al. 2016 arXiv 1606.03657"


def infogan(
    data: DataSpec,
    *,
    categories: int = 10,
    continuous: int = 2,
    information: float = 1.0,
    latent: int | None = None,
    width: int | None = None,
    lr: float = 2e-4,
    generator_lr: float = 1e-3,
    rounds: int = 4000,
    batch: int | None = None,
    ema: float = 0.995,
) -> Experiment:
    """Some latent numbers are codes that can be read off the events: they come to mean something, without labels.

    A code of `categories` kinds and `continuous` numbers from U(-1, 1) beside z; a head of the critic reads them off
    generated events, and both players raise the bound on the mutual information. `information` is the generator's
    weight: at 0 the critic still reads, and finds nothing. The data's conditions are left aside. Adam with 2e-4 for the
    critic and 1e-3 for the generator and latent 62 as in the paper for digits; batch 64 in place of 128, which gives
    twice the turns for as many pictures and finds more of the digits. The networks are DCGAN's; for points three hidden
    layers and batch 128.
    """
    need_layout(data, "infogan", *DOMAIN)
    if categories < 2 and continuous < 1:
        raise UserError("expected a code for infogan, came none; give at least 2 --categories or 1 --continuous")
    codec, picture = codec_for(data), data.layout == "image"
    latent, options = latent or (62 if picture else 2), sized(data, width or (32 if picture else 128))
    codes: dict[str, Code] = {}
    if categories > 1:
        codes["category"] = CategoricalCode(categories)
    if continuous:
        codes["continuous"] = ContinuousCode(continuous)
    spec = replace(codec.spec(data), given={})
    game = GAN(
        Coded(generator_for(replace(spec, given=fields_of(codes)), latent, **options)),
        critic_for(spec, reads=fields_of(codes), **options),
        NonSaturating(),
        {"z": StandardNormal(latent), **codes},
        [MutualInformation(codes)],
        [MutualInformation(codes, information)],
    )
    model = game.averaged()
    critic = Adam(game.critic.parameters(), lr, betas=(0.5, 0.999))
    generator = Adam(game.generator.parameters(), generator_lr, betas=(0.5, 0.999))
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic),
            Player("generator", game.generator, game.generator_loss, generator),
        ],
        codec,
        rounds,
        batch or (64 if picture else 128),
        modules(game=game, model=model),
        [EMA(game.generator, model.generator, ema)],
    )
