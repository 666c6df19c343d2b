"""The GAN that grows."""

from __future__ import annotations

from torch.optim import Adam

from simulacra.batch import Batch, DataSpec
from simulacra.gan import GAN, GradientPenalty, StandardNormal, Wasserstein
from simulacra.gan.drift import Drift
from simulacra.networks.layout import channels_last
from simulacra.networks.progressive import ProgressiveBody, ProgressiveCritic, ProgressiveGenerator
from simulacra.recipes._parts import codec_for, need_layout
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Loss, Player, modules
from simulacra.training.growing import Growing, GrowingBatch, Growth

FAMILY = "gan"
DOMAIN = ("image",)
PAPER = "Karras et al. 2018 arXiv 1710.10196"


def progan(
    data: DataSpec,
    *,
    until: float = 0.6,
    latent: int = 64,
    width: int = 8,
    most: int = 64,
    gp: float = 10.0,
    drift: float = 1e-3,
    lr: float = 5e-3,
    rounds: int = 3000,
    batch: int = 16,
    ema: float = 0.995,
) -> Experiment:
    """Generator and critic grow together from 4 x 4 on: large structure is learnt first, detail is faded in.

    Training at the full side begins at the share `until` of the run; before it, every resolution is faded in and
    trained for equally many rounds (the paper counts pictures), with real pictures as blurred as generated ones. Pixel
    norm, equalised learning rate, the minibatch's standard deviation; WGAN-GP with one critic turn, a drift penalty on
    scores, Adam(5e-3, 0, 0.99). Where weights are equalised a step of 1e-3, the paper's, moves them by a thousandth:
    too little for minutes of a CPU, and at 1e-2 variety is lost. The batch doubles with every halving of the side, up
    to 128.

    `width` maps at the full side, twice as many per halving up to `most`, fit a CPU (paper: 16 at 1024 x 1024, up to
    512); weights are averaged with `ema` (paper: 0.999, in much longer runs). Conditions stand beside z, and a
    projection tells them to the critic.
    """
    need_layout(data, "progan", *DOMAIN)
    codec = codec_for(data)
    spec = codec.spec(data)
    generator_net = ProgressiveGenerator(spec.x.shape, latent, spec.given, base=width, most=most)
    body = ProgressiveBody(spec.x.shape, base=width, most=most)
    critic_net = ProgressiveCritic(body, spec.given, offset=drift > 0)
    game = channels_last(
        GAN(generator_net, critic_net, Wasserstein(), StandardNormal(latent), [GradientPenalty(gp), Drift(drift)])
    )
    model, growth = game.averaged(), Growth(generator_net.stages, until)
    critic, generator = (Adam(net.parameters(), lr, betas=(0.0, 0.99)) for net in (critic_net, generator_net))

    def critic_loss(events: Batch) -> Loss:
        return game.critic_loss(critic_net.faded(events))

    return Experiment(
        model,
        [
            Player("critic", critic_net, critic_loss, critic),
            Player("generator", generator_net, game.generator_loss, generator),
        ],
        codec,
        rounds,
        GrowingBatch(growth, batch),
        modules(game=game, model=model),
        [Growing(growth, generator_net, body), EMA(generator_net, model.generator, ema)],
    )
