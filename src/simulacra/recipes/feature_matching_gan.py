"""The GAN whose generator matches the critic's features."""

from __future__ import annotations

from torch.optim import Adam

from simulacra.batch import Batch, DataSpec
from simulacra.gan import GAN, FeatureMatching, NonSaturating, StandardNormal
from simulacra.networks import critic_for, generator_for
from simulacra.recipes._parts import codec_for, need_layout, sized
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Loss, Player, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("vector", "image")
PAPER = "Salimans et al. 2016 arXiv 1606.03498"


def feature_matching_gan(
    data: DataSpec,
    *,
    latent: int | None = None,
    width: int | None = None,
    lr: float = 1e-3,
    rounds: int | None = None,
    batch: int | None = None,
    ema: float = 0.995,
) -> Experiment:
    """A generator that matches the mean of the critic's last hidden layer, instead of the critic's score.

    The critic tells real from fake as ever, so that its features are those in which the two still differ; the generator
    makes `|| E phi(x) - E phi(g(z)) ||^2` small over a batch. DCGAN networks for pictures, MLPs of three hidden layers
    for points. The rates of pictures fall to 0 over the second half. Both networks are told the data's conditions, such
    as a label, the critic beside the event, for a head's projection would not be among the features that are matched;
    `--ignore label` leaves it aside.
    """
    need_layout(data, "feature_matching_gan", *DOMAIN)
    codec, picture = codec_for(data), data.layout == "image"
    spec = codec.spec(data)
    latent, width = latent or (100 if picture else 2), width or (32 if picture else 128)
    options = sized(data, width)
    game = GAN(
        generator_for(spec, latent, **options), critic_for(spec, **options), NonSaturating(), StandardNormal(latent)
    )
    model, match = game.averaged(), FeatureMatching()
    critic, generator = (Adam(net.parameters(), lr, betas=(0.5, 0.9)) for net in (game.critic, game.generator))

    def matching(batch: Batch) -> Loss:
        return Loss({match.name: match(game.duel(batch))})

    falling = linear_decay(0.5 if picture else 1.0)
    return Experiment(
        model,
        [
            Player("critic", game.critic, game.critic_loss, critic, schedule=falling),
            Player("generator", game.generator, matching, generator, schedule=falling),
        ],
        codec,
        rounds or (3000 if picture else 6000),
        batch or (64 if picture else 256),
        modules(game=game, model=model),
        [EMA(game.generator, model.generator, ema)],
    )
