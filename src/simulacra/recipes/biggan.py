"""BigGAN."""

from __future__ import annotations

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.gan import GAN, Hinge, OrthogonalRegularisation, StandardNormal, TruncatedNormal
from simulacra.networks import Critic, head_for, spectrally_normalised
from simulacra.networks.layout import channels_last
from simulacra.networks.residual import ResidualBody, ResidualGenerator
from simulacra.recipes._parts import codec_for, need_layout
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, modules

FAMILY = "gan"
DOMAIN = ("image",)
PAPER = "Brock, Donahue and Simonyan 2019 arXiv 1809.11096"


def biggan(
    data: DataSpec,
    *,
    orthogonal: float = 1e-4,
    truncation: float | None = None,
    attention: int | None = None,
    upsampling: str = "resize",
    latent: int = 120,
    shared: int = 32,
    n_critic: int = 1,
    width: int = 16,
    lr: float = 5e-4,
    critic_lr: float = 1e-3,
    rounds: int = 3000,
    batch: int = 32,
    ema: float = 0.999,
) -> Experiment:
    """A self-attention GAN made to grow: what is new tells every block more, and lets quality be bought with diversity.

    z is hierarchical: the first piece makes the maps, and each block is told another, beside a class embedding that
    all blocks share (`shared` numbers), by conditional batch norm. Orthogonal regularisation of the generator makes it
    tolerate the truncation trick: samples of z within `truncation` (`None` for all, as in training). Spectral norm
    in both networks, hinge losses, averaged weights. The paper has 128 x 128 and more, width 96, batch 2048, two turns
    of the critic, Adam(0, 0.999) at 5e-5 and 2e-4 and an average over 10,000 steps; for batches of 32 on a CPU the
    critic has one turn and the faster rate here too: 5e-4 and 1e-3, and the average is over 1,000.
    """
    need_layout(data, "biggan", *DOMAIN)
    codec = codec_for(data)
    spec = codec.spec(data)
    side = attention if attention is not None else max(4, spec.x.shape[1] // 4)
    generator_net = ResidualGenerator(
        spec.x.shape,
        latent,
        spec.given,
        base=width,
        attention=side,
        upsampling=upsampling,
        hierarchical=True,
        shared=shared,
    )
    body = ResidualBody(spec.x.shape, base=width, attention=side)
    critic_net = Critic(body, head_for(body.features, spec.given))
    for net in (generator_net, critic_net):
        spectrally_normalised(net)
    terms = [OrthogonalRegularisation(generator_net, orthogonal)]
    game = channels_last(GAN(generator_net, critic_net, Hinge(), StandardNormal(latent), generator_terms=terms))
    model = game.averaged()
    if truncation is not None:
        model.latent["z"] = TruncatedNormal(latent, truncation)
    critic = Adam(game.critic.parameters(), critic_lr, betas=(0.0, 0.999))
    generator = Adam(game.generator.parameters(), lr, betas=(0.0, 0.999))
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic, repeats=n_critic),
            Player("generator", game.generator, game.generator_loss, generator),
        ],
        codec,
        rounds,
        batch,
        modules(game=game, model=model),
        [EMA(game.generator, model.generator, ema)],
    )
