"""StyleGAN."""

from __future__ import annotations

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.gan import GAN, R1, NonSaturating, StandardNormal
from simulacra.networks.style import MappingNetwork, StyleGenerator, Synthesis
from simulacra.networks.style_critic import style_critic
from simulacra.recipes._lazy import corrected, slope
from simulacra.recipes._parts import codec_for, need_layout
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("image",)
PAPER = "Karras, Laine and Aila 2019 arXiv 1812.04948"


def stylegan(
    data: DataSpec,
    *,
    latent: int = 64,
    depth: int = 4,
    width: int = 16,
    mixing: float = 0.9,
    gamma: float | None = None,
    slope_every: int = 16,
    lr: float = 6e-3,
    rounds: int = 6000,
    batch: int = 16,
    ema: float = 0.995,
) -> Experiment:
    """A generator in which a style w, an MLP of z, sets mean and deviation of every map, and noise adds the details.

    A learned constant is doubled, with a blur, up to the picture; per-pixel noise has learned strengths; of 90 % of the
    events the later layers follow a second latent (`mixing`). Non-saturating losses, equalised learning rates, a
    hundredth of them in the mapping, minibatch deviation in the critic, Adam(0, 0.99). As in `stylegan2`, and not in
    the paper, R1 is lazy, with 16 times the weight in every 16th round, and rates fall to 0 over the second half.
    Conditions join z, and the critic's head by a projection.

    The paper has 1024 x 1024 pictures, 512 numbers in z and w, 8 mapping layers, 16 to 512 maps and R1's gamma 10;
    slopes per pixel grow as 1 / side, so gamma here is `10 (side / 1024)^2`, but not below 1: at 0.002 a game on 1,106
    emoji of 16 x 16 fell apart (rates of 2e-3, the penalty in every round). Its pictures are linear in the last maps;
    here a tanh follows, without which a plain background hardly becomes plain. Its generator grows from 8 x 8; this one
    starts at the full side.
    """
    need_layout(data, "stylegan", *DOMAIN)
    codec = codec_for(data)
    spec = codec.spec(data)
    penalty = R1((max(1.0, 10 * (spec.x.shape[-1] / 1024) ** 2) if gamma is None else gamma) / 2)
    mapping = MappingNetwork(latent, spec.given, depth=depth)
    generator_net = StyleGenerator(mapping, Synthesis(spec.x.shape, latent, base=width), mixing=mixing)
    noise = {name: StandardNormal(size) for name, size in {"z": latent, **generator_net.noises}.items()}
    game = GAN(generator_net, style_critic(spec, base=width), NonSaturating(), noise)
    model, falling = game.averaged(), linear_decay(0.5)
    critic = corrected(game.critic, lr, slope_every)
    generator = Adam(game.generator.parameters(), lr, betas=(0.0, 0.99))
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic, schedule=falling),
            slope(game, [penalty], critic, slope_every, falling),
            Player("generator", game.generator, game.generator_loss, generator, schedule=falling),
        ],
        codec,
        rounds,
        batch,
        modules(game=game, model=model),
        [EMA(game.generator, model.generator, ema)],
    )
