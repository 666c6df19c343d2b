"""The self-attention GAN."""

from __future__ import annotations

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.gan import GAN, Hinge, StandardNormal
from simulacra.networks import Critic, head_for, spectrally_normalised
from simulacra.networks.layout import channels_last
from simulacra.networks.residual import ResidualBody, ResidualGenerator
from simulacra.recipes._parts import codec_for, need_layout
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, modules

FAMILY = "gan"
DOMAIN = ("image",)
PAPER = "Zhang, Goodfellow, Metaxas and Odena 2019 arXiv 1805.08318"


def sagan(
    data: DataSpec,
    *,
    attention: int | None = None,
    upsampling: str = "resize",
    latent: int = 128,
    width: int = 16,
    lr: float = 4e-4,
    critic_lr: float = 1e-3,
    rounds: int = 4000,
    batch: int = 32,
    ema: float = 0.999,
) -> Experiment:
    """Both networks let every place of a picture ask all others, so that distant details agree.

    Self-attention sits at maps of side `attention` (a quarter of the picture's; 0 for none) in residual networks.
    Every layer of both is divided by its spectral norm. The two time-scale rule (Heusel et al. 2017, arXiv
    1706.08500) replaces many turns of the critic by its faster rate: Adam(0, 0.9) at 4e-4 and 1e-3, hinge losses.
    Conditions enter by conditional batch norm and a projection head; data without any work too. The paper has 128 x
    128, width 64, batch 256 and rates of 1e-4 and 4e-4; the defaults fit a CPU.
    """
    need_layout(data, "sagan", *DOMAIN)
    codec = codec_for(data)
    spec = codec.spec(data)
    side = attention if attention is not None else max(4, spec.x.shape[1] // 4)
    generator_net = ResidualGenerator(
        spec.x.shape, latent, spec.given, base=width, attention=side, upsampling=upsampling
    )
    body = ResidualBody(spec.x.shape, base=width, attention=side)
    critic_net = Critic(body, head_for(body.features, spec.given))
    for net in (generator_net, critic_net):
        spectrally_normalised(net)
    game = channels_last(GAN(generator_net, critic_net, Hinge(), StandardNormal(latent)))
    model = game.averaged()
    critic = Adam(game.critic.parameters(), critic_lr, betas=(0.0, 0.9))
    generator = Adam(game.generator.parameters(), lr, betas=(0.0, 0.9))
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic),
            Player("generator", game.generator, game.generator_loss, generator),
        ],
        codec,
        rounds,
        batch,
        modules(game=game, model=model),
        [EMA(game.generator, model.generator, ema)],
    )
