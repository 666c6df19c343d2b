"""Boltzmann machine with connections everywhere."""

from __future__ import annotations

import torch

from simulacra.batch import DataSpec
from simulacra.markov.boltzmann import BoltzmannMachine
from simulacra.recipes._discrete import binary_codec
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "markov"
DOMAIN = ("image",)
PAPER = "Ackley, Hinton and Sejnowski 1985, Cognitive Science 9, 147"


def boltzmann(
    data: DataSpec,
    *,
    hidden: int = 0,
    exact: bool = False,
    burn: int = 100,
    binarise: str = "stochastic",
    lr: float = 0.02,
    batch: int = 64,
    rounds: int = 2000,
) -> Experiment:
    """Black and white pictures any two of whose pixels attract or repel each other, and up to 12 hidden units.

    The player makes pairs of units as often white together in the model as they are in the data: by persistent
    Gibbs chains, which flip one pixel after the other, or, with `exact`, by summing over all states of up to 20 units.
    Without hidden units it is the maximum-entropy model of given means and correlations. Meant for small pictures:
    a sweep over D pixels takes D steps. Binarised by `binarise` as in rbm; conditions are left aside.
    """
    need_layout(data, "boltzmann", *DOMAIN)
    codec = binary_codec(data, binarise)
    model = BoltzmannMachine(codec.spec(data).x.shape, hidden=hidden, particles=batch, exact=exact, burn=burn)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    player = Player("boltzmann", model, model.loss, optimizer, schedule=linear_decay(0.2))
    return Experiment(model, [player], codec, rounds, batch, modules(model=model))
