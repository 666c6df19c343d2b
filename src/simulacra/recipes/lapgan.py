"""The Laplacian pyramid of GANs."""

from __future__ import annotations

from dataclasses import replace

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.errors import UserError
from simulacra.gan import GAN, LAPGAN, Hinge, StandardNormal
from simulacra.networks import Critic, critic_for, generator_for, head_for, spectrally_normalised
from simulacra.networks.pyramid import DetailBody, DetailGenerator
from simulacra.recipes._parts import codec_for, need_layout, single, sized
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("image",)
PAPER = "Denton et al. 2015 arXiv 1506.05751"


def lapgan(
    data: DataSpec,
    *,
    coarsest: int = 8,
    latent: int = 100,
    width: int = 32,
    lr: float = 1e-3,
    rounds: int = 2000,
    batch: int = 64,
    ema: float = 0.999,
) -> Experiment:
    """A small picture is made first, and every doubling of its side is another GAN, which adds what a blur lacks.

    The levels are conditional games of their own about the details of a Laplacian pyramid, each of two players, from
    the picture's side down to `coarsest`; critics see real or generated details of the same real blurred picture. As in
    the paper the generators of details are three convolutions over the blurred picture and a map of noise; all critics
    and the coarsest generator are DCGAN's (the paper's dense ones lose most of the variety of clothes at 8 x 8; those
    of 4 x 4 are dense). Conditions are told to all, to critics by a projection.

    The paper's games are minimax, by SGD. Here every level is played as in `sngan`, without which details stay
    blurred: hinge losses, weights of critics divided by their spectral norms, Adam(1e-3, 0, 0.9) at rates that fall to
    0 over the second half.

    Raises:
        UserError: `coarsest` is below 4, or a condition of the data is called `low_pass`.
    """
    need_layout(data, "lapgan", *DOMAIN)
    if "low_pass" in data.given:
        raise UserError("expected no condition low_pass for lapgan, which has one of that name; rename the data's")
    if coarsest < 4:
        raise UserError(f"expected --coarsest of at least 4, came {coarsest}; use 4 or 8")
    codec = codec_for(data)
    spec = codec.spec(data)
    channels, side, _ = spec.x.shape
    games = []
    while side > coarsest or not games:
        shape = (channels, side, side)
        body = DetailBody(shape, base=width)
        head = head_for(body.features, spec.given, offset=False)
        details = DetailGenerator(shape, spec.given, width=width)
        games.append(GAN(details, Critic(body, head), Hinge(), StandardNormal(side * side)))
        side //= 2
    small = replace(spec, layout="image" if side >= 8 else "vector", x=replace(spec.x, shape=(channels, side, side)))
    width = (2 if side >= 8 else 16) * width
    critic_net = critic_for(small, offset=False, **dict(single(small, width, norm="none"), projection=True))
    generator_net = generator_for(small, latent, **sized(small, width))
    games.append(GAN(generator_net, critic_net, Hinge(), StandardNormal(latent)))
    game, falling = LAPGAN(games), linear_decay(0.5)
    players = []
    for k, level in enumerate(games):
        spectrally_normalised(level.critic)
        nets = {"critic": level.critic, "generator": level.generator}
        for (name, net), loss in zip(nets.items(), game.losses(k), strict=True):
            optimizer = Adam(net.parameters(), lr, betas=(0.0, 0.9))
            players.append(Player(f"{name}{k}", net, loss, optimizer, schedule=falling))
    model = game.averaged()
    hooks = [EMA(game.generator, model.generator, ema)]
    return Experiment(model, players, codec, rounds, batch, modules(game=game, model=model), hooks)
