"""StyleGAN2."""

from __future__ import annotations

from torch.optim import Adam

from simulacra.batch import Batch, DataSpec
from simulacra.gan import GAN, R1, NonSaturating, StandardNormal
from simulacra.gan.path_length import PathLength
from simulacra.networks.layout import channels_last
from simulacra.networks.style import MappingNetwork, StyleGenerator
from simulacra.networks.style2 import SkipSynthesis
from simulacra.networks.style_critic import HalvingBlock, ResidualBlock, style_critic
from simulacra.recipes._lazy import corrected, slope
from simulacra.recipes._parts import codec_for, need_layout
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Loss, Player, every, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("image",)
PAPER = "Karras et al. 2020 arXiv 1912.04958"


def stylegan2(
    data: DataSpec,
    *,
    latent: int = 64,
    depth: int = 4,
    width: int = 16,
    mixing: float = 0.9,
    gamma: float | None = None,
    path: float | None = None,
    slope_every: int = 16,
    path_every: int = 8,
    residual: bool | None = None,
    lr: float = 4e-3,
    rounds: int = 6000,
    batch: int = 16,
    ema: float = 0.995,
) -> Experiment:
    """StyleGAN without droplets: styles scale weights, which are demodulated, instead of the statistics of maps.

    The generator adds up pictures of all sides and the critic is residual, so nothing grows; path-length regularisation
    makes equal steps in w equal steps in pictures, with the weight `path`. Below 64 pixels a side the critic is not
    `residual` and paths are left alone unless told so, as in the authors' own settings for 32 x 32 (Karras et al. 2020,
    arXiv 2006.06676): on Fashion-MNIST both did harm, in trials with one seed.

    R1 and path length are lazy: players of their own on the optimisers of critic and generator, in every 16th and 8th
    round with 16 and 8 times the weight; c = k / (k + 1) corrects rate and betas as in `r1_gan`. The rest is as in
    `stylegan`: non-saturating losses, equalised learning rates, mapping at a hundredth of the rate, mixing, minibatch
    deviation, a tanh at the end, Adam(0, 0.99), rates that fall to 0 over the second half. Gamma is
    `10 (side / 1024)^2`, and not below 1: at 0.1 a game on 1,106 emoji of 16 x 16 fell apart. Both networks are told
    the data's conditions, such as a label; `--ignore label` leaves it aside.
    """
    need_layout(data, "stylegan2", *DOMAIN)
    codec = codec_for(data)
    spec = codec.spec(data)
    penalty = R1((max(1.0, 10 * (spec.x.shape[-1] / 1024) ** 2) if gamma is None else gamma) / 2)
    mapping = MappingNetwork(latent, spec.given, depth=depth)
    generator_net = StyleGenerator(mapping, SkipSynthesis(spec.x.shape, latent, base=width), mixing=mixing)
    noise = {name: StandardNormal(size) for name, size in {"z": latent, **generator_net.noises}.items()}
    large = spec.x.shape[-1] >= 64
    residual = large if residual is None else residual
    path = (2.0 if large else 0.0) if path is None else path
    critic_net = style_critic(spec, base=width, block=ResidualBlock if residual else HalvingBlock)
    game = channels_last(GAN(generator_net, critic_net, NonSaturating(), noise))
    lengths = PathLength(mapping, generator_net.from_w, path)
    model, falling = game.averaged(), linear_decay(0.5)
    critic = corrected(game.critic, lr, slope_every)
    generator = (
        corrected(game.generator, lr, path_every) if path else Adam(game.generator.parameters(), lr, (0.0, 0.99))
    )

    def path_loss(events: Batch) -> Loss:
        return lengths.loss(game.duel(events), path_every)

    players = [
        Player("critic", game.critic, game.critic_loss, critic, schedule=falling),
        slope(game, [penalty], critic, slope_every, falling),
        Player("generator", game.generator, game.generator_loss, generator, schedule=falling),
    ]
    if path:
        turns, after = every(path_every), [lengths.remember]
        paths = Player("path", game.generator, path_loss, generator, schedule=falling, when=turns, after=after)
        players.append(paths)
    return Experiment(
        model,
        players,
        codec,
        rounds,
        batch,
        modules(game=game, model=model, lengths=lengths),
        [EMA(game.generator, model.generator, ema)],
    )
