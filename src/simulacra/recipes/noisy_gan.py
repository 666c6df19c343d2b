"""The GAN with instance noise."""

from __future__ import annotations

from torch.optim import Adam

from simulacra.batch import DataSpec
from simulacra.gan import GAN, Annealing, InstanceNoise, NonSaturating, StandardNormal
from simulacra.networks import critic_for, generator_for
from simulacra.recipes._parts import codec_for, need_layout, single, sized
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("vector", "image")
PAPER = "Arjovsky and Bottou 2017 arXiv 1701.04862"


def noisy_gan(
    data: DataSpec,
    *,
    noise: float = 0.5,
    until: float = 0.8,
    n_critic: int = 1,
    latent: int | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    rounds: int | None = None,
    batch: int | None = None,
    ema: float = 0.995,
) -> Experiment:
    """A critic that sees real and fake events through the same noise, so that the two overlap and it is never sure.

    Normal noise of standard deviation `noise` in encoded units (points standardised, pictures from -1 to 1), which
    falls linearly to 0 at the share `until` of the run (Sønderby et al. 2017). Otherwise `gan` for points, and DCGAN
    networks for pictures; `n_critic` strong critics are what the noise is for. The rates of pictures fall to 0 over the
    second half. Both networks are told the data's conditions, such as a label, the critic of pictures by a projection
    (Miyato and Koyama 2018, arXiv 1802.05637), with layer norm and Adam(0, 0.9); `--ignore label` leaves it aside.
    """
    need_layout(data, "noisy_gan", *DOMAIN)
    codec, picture = codec_for(data), data.layout == "image"
    spec = codec.spec(data)
    latent, width = latent or (100 if picture else 2), width or (32 if picture else 128)
    critic_net, blur = critic_for(spec, **single(data, width)), InstanceNoise(noise)
    critic_net.view = blur
    game = GAN(generator_for(spec, latent, **sized(data, width)), critic_net, NonSaturating(), StandardNormal(latent))
    model = game.averaged()
    betas = (0.0, 0.9) if picture else (0.5, 0.9)
    critic, generator = (Adam(net.parameters(), lr, betas=betas) for net in (game.critic, game.generator))
    falling = linear_decay(0.5 if picture else 1.0)
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic, repeats=n_critic, schedule=falling),
            Player("generator", game.generator, game.generator_loss, generator, schedule=falling),
        ],
        codec,
        rounds or (3000 if picture else 6000),
        batch or (64 if picture else 256),
        modules(game=game, model=model),
        [Annealing(blur, noise, until), EMA(game.generator, model.generator, ema)],
    )
