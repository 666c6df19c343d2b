"""The GAN with virtual batch normalisation."""

from __future__ import annotations

from dataclasses import replace

from torch.optim import Adam

from simulacra.batch import Batch, DataSpec
from simulacra.gan import GAN, NonSaturating, StandardNormal
from simulacra.networks import Referenced, critic_for, generator_for
from simulacra.recipes._parts import codec_for, need_layout
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, modules

FAMILY = "gan"
DOMAIN = ("image",)
PAPER = "Salimans et al. 2016 arXiv 1606.03498"


def vbn_gan(
    data: DataSpec,
    *,
    virtual_critic: bool = False,
    reference: int = 64,
    latent: int = 100,
    base: int = 32,
    lr: float = 1e-3,
    rounds: int = 3000,
    batch: int = 64,
    ema: float = 0.999,
) -> Experiment:
    """DCGAN's game, whose generator normalises an event with a fixed reference batch in place of the batch it is in.

    Batch norm makes the events of a batch alike in what they share; virtual batch normalisation leaves each event to
    itself. `reference` draws of the noise, made at the start and saved with the run, go through the generator beside
    every batch, which costs it a second pass. `virtual_critic` does the same in the critic, with encoded real events of
    the first batch; the paper leaves batch norm there, for the cost.

    Pictures only: the networks for points have no batch norm to replace. Networks and rates are those of `dcgan`. The
    data's conditions are left aside; samples come from averaged weights.
    """
    need_layout(data, "vbn_gan", *DOMAIN)
    codec = codec_for(data)
    spec = replace(codec.spec(data), given={})
    noise, critic_net = StandardNormal(latent), critic_for(spec, base=base)
    generator_net = Referenced(generator_for(spec, latent, base=base), reference, (latent,))
    if virtual_critic:
        critic_net.body = Referenced(critic_net.body, reference, spec.x.shape)
    game = GAN(generator_net, critic_net, NonSaturating(), noise)
    model = game.averaged()

    def begin(first: Batch) -> None:
        generator_net.refer(noise.draw(reference, first.x.device))
        if isinstance(critic_net.body, Referenced):
            critic_net.body.refer(first.x)

    critic, generator = (Adam(net.parameters(), lr, betas=(0.5, 0.999)) for net in (game.critic, game.generator))
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
        begin,
    )
