"""The energy-conditioned Wasserstein GAN of calorimeter showers."""

from __future__ import annotations

from torch import Tensor
from torch.optim import Adam

from simulacra.batch import Batch, DataSpec, Given
from simulacra.domains.calorimeter import ShowerCodec
from simulacra.gan import GAN, Constrainer, GradientPenalty, SameError, StandardNormal, Wasserstein
from simulacra.networks import critic_for
from simulacra.networks.shower import ShowerGenerator, ShowerRegressor, ShowerView
from simulacra.recipes._parts import need_layout
from simulacra.training.averaging import EMA
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "gan"
DOMAIN = ("layers",)
PAPER = "Erdmann, Glombitza and Quast 2018 arXiv 1807.01954"


def calorimeter_wgan(
    data: DataSpec,
    *,
    latent: int = 64,
    width: int = 384,
    n_critic: int = 3,
    gp: float = 10.0,
    constrainer: float = 0.01,
    critic_lr: float = 5e-4,
    generator_lr: float = 3e-4,
    rounds: int = 2500,
    batch: int = 128,
    ema: float = 0.998,
) -> Experiment:
    """Showers of a given energy by a WGAN-GP, with a third network that reads the energy off the shower.

    Generator and critic are told the energy. The critic looks at logarithms of cell and layer energies and at what a
    physicist reads off each layer; the penalty `gp` is about that view. The constrainer learns to read the energy from
    real showers, and the generator is asked to make it err by as much: `constrainer | MSE(real) - MSE(fake) |`.
    Showers are folded by their mirrors; layer sums and empty cells are exact by construction. The paper's test-beam
    networks are convolutions; these are dense, for detectors whose layers differ in their cells.
    """
    need_layout(data, "calorimeter_wgan", *DOMAIN)
    data.need("energy")
    codec = ShowerCodec(data)
    spec, hidden = codec.spec(data), (width,) * 3

    def layer_energies(x: Tensor, given: Given) -> Tensor:
        energy = 1e3 * (given["energy"][:, :1] * codec.energy_spread + codec.energy_mean).exp()  # MeV
        return codec.layer_energies(x, energy)

    view = ShowerView(spec.parts, layer_energies)
    generator_net = ShowerGenerator(spec, latent, hidden)
    critic_net = critic_for(spec, view=view, offset=False, hidden=hidden)
    reader = Constrainer(ShowerRegressor(view, spec.given["energy"].size, width // 4))
    game = GAN(
        generator_net,
        critic_net,
        Wasserstein(),
        {"z": StandardNormal(latent), "cells": StandardNormal(codec.cells)},
        [GradientPenalty(gp)],
        [SameError(reader, constrainer)],
    )

    def begin(first: Batch) -> None:
        generator_net.start_at(view.logarithms(first.x, first.given))

    model, falling = game.averaged(), linear_decay(start=0.5)
    critic = Adam(game.critic.parameters(), critic_lr, betas=(0.0, 0.9))
    generator = Adam(game.generator.parameters(), generator_lr, betas=(0.0, 0.9))
    third = Adam(reader.parameters(), generator_lr)
    return Experiment(
        model,
        [
            Player("constrainer", reader, reader.loss, third, schedule=falling),
            Player("critic", game.critic, game.critic_loss, critic, repeats=n_critic, schedule=falling),
            Player("generator", game.generator, game.generator_loss, generator, schedule=falling),
        ],
        codec,
        rounds,
        batch,
        modules(game=game, model=model, constrainer=reader),
        [EMA(game.generator, model.generator, ema)],
        begin,
    )
