"""The GAN whose critic compares the events of a batch."""

from __future__ import annotations

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.errors import UserError, nearest
from simulacra.gan import GAN, NonSaturating, StandardNormal
from simulacra.networks import critic_for, generator_for
from simulacra.networks.minibatch import LAYERS
from simulacra.recipes._parts import codec_for, need_layout, single, sized
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("vector", "image")
PAPER = "Salimans et al. 2016 arXiv 1606.03498"


def minibatch_gan(
    data: DataSpec,
    *,
    compare: str = "discrimination",
    latent: int | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    rounds: int | None = None,
    batch: int = 64,
    ema: float = 0.995,
) -> Experiment:
    """A critic that sees how alike the events of a batch are, so that a collapsed generator is found out.

    `compare`: `discrimination` (learnt projections, Salimans et al.), `distances` (mean and smallest L2 distance to the
    others, the lectures' variant) or `deviation` (one standard deviation per batch, Karras et al. 2018). The layer lies
    in front of the head; real and fake batches are compared apart, per rank. Otherwise `gan` for points, and DCGAN
    networks for pictures. The rates of pictures fall to 0 over the second half. Both networks are told the data's
    conditions, such as a label, the critic of pictures by a projection (Miyato and Koyama 2018, arXiv 1802.05637), with
    layer norm and Adam(0, 0.9); `--ignore label` leaves it aside.
    """
    need_layout(data, "minibatch_gan", *DOMAIN)
    if compare not in LAYERS:
        raise UserError(f"expected compare among {', '.join(LAYERS)}, came {compare!r}; {nearest(compare, LAYERS)}")
    codec, picture = codec_for(data), data.layout == "image"
    spec = codec.spec(data)
    latent, width = latent or (100 if picture else 2), width or (32 if picture else 128)
    generator_net = generator_for(spec, latent, **sized(data, width))
    critic_net = critic_for(spec, compare=LAYERS[compare], **single(data, width))
    game = GAN(generator_net, critic_net, NonSaturating(), StandardNormal(latent))
    model = game.averaged()
    betas = (0.0, 0.9) if picture else (0.5, 0.9)
    critic, generator = (Adam(net.parameters(), lr, betas=betas) for net in (game.critic, game.generator))
    falling = linear_decay(0.5 if picture else 1.0)
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic, schedule=falling),
            Player("generator", game.generator, game.generator_loss, generator, schedule=falling),
        ],
        codec,
        rounds or (3000 if picture else 6000),
        batch,
        modules(game=game, model=model),
        [EMA(game.generator, model.generator, ema)],
    )
