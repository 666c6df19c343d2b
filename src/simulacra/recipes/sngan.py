"""The GAN with spectral normalisation."""

from __future__ import annotations

from torch import Tensor, nn
from torch.optim import Adam

from simulacra.batch import DataSpec, Given
from simulacra.errors import UserError
from simulacra.gan import GAN, Hinge, StandardNormal
from simulacra.networks import critic_for, generator_for, spectrally_normalised
from simulacra.recipes._parts import codec_for, need_layout, single, sized
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("vector", "image")
PAPER = "Miyato et al. 2018 arXiv 1802.05957"


class Magnified(nn.Module):
    """The events, `factor` times larger: a critic of slope 1 that looks at them has slope `factor` in x."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor, given: Given = {}) -> Tensor:
        return self.factor * x


def sngan(
    data: DataSpec,
    *,
    normalised_generator: bool = False,
    n_critic: int = 1,
    slope: float | None = None,
    latent: int | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    rounds: int | None = None,
    batch: int | None = None,
    ema: float | None = None,
) -> Experiment:
    """Every weight of the critic is divided by its spectral norm; a power iteration in each forward follows it.

    Hinge losses, one turn each: no penalty, hence no second derivative, and no batch norm in the critic. A dense
    critic has slope at most 1, and the hinge's margin is 1: data of finer structure are shown to it `slope` times
    larger; that is ours, not the paper's, which has pictures only. Scores within the margin leave a constant without a
    gradient, so there is none. `normalised_generator=True` treats the generator alike (Zhang et al. 2019, arXiv
    1805.08318).

    Slope 1, DCGAN networks, batch 16 and Adam(1e-3, 0, 0.9) for pictures, at rates that fall to 0 over the second half;
    slope 30, three hidden layers, batch 256 and Adam(1e-3, 0.5, 0.999) for points; the paper has 2e-4. Both networks
    are told the data's conditions, such as a label, of pictures the critic by a projection (Miyato and Koyama 2018,
    arXiv 1802.05637); `--ignore label` leaves it aside.

    Raises:
        UserError: `slope` is not above 0.
    """
    need_layout(data, "sngan", *DOMAIN)
    if slope is not None and slope <= 0:
        raise UserError(f"expected --slope above 0, came {slope}; leave it out for the layout's own")
    codec, picture = codec_for(data), data.layout == "image"
    spec = codec.spec(data)
    latent, width = latent or (128 if picture else 2), width or (32 if picture else 128)
    generator_net = generator_for(spec, latent, **sized(data, width))
    if normalised_generator:
        spectrally_normalised(generator_net)
    critic_net = critic_for(spec, offset=False, **single(data, width, norm="none"))
    spectrally_normalised(critic_net)
    critic_net.view = Magnified((1.0 if picture else 30.0) if slope is None else slope)
    game = GAN(generator_net, critic_net, Hinge(), StandardNormal(latent))
    model = game.averaged()
    betas = (0.0, 0.9) if picture else (0.5, 0.999)
    critic, generator = (Adam(net.parameters(), lr, betas=betas) for net in (game.critic, game.generator))
    falling = linear_decay(0.5 if picture else 1.0)
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic, repeats=n_critic, schedule=falling),
            Player("generator", game.generator, game.generator_loss, generator, schedule=falling),
        ],
        codec,
        rounds or (12_000 if picture else 6000),
        batch or (16 if picture else 256),
        modules(game=game, model=model),
        [EMA(game.generator, model.generator, ema if ema is not None else (0.999 if picture else 0.995))],
    )
