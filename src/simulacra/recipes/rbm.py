"""Restricted Boltzmann machine by contrastive divergence."""

from __future__ import annotations

import torch

from simulacra.batch import DataSpec
from simulacra.markov.rbm import RBM
from simulacra.recipes._discrete import binary_codec
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "markov"
DOMAIN = ("image",)
PAPER = "Hinton 2002, Neural Comput. 14, 1771; Tieleman 2008; Montavon and Müller 2012"


def rbm(
    data: DataSpec,
    *,
    hidden: int = 500,
    steps: int = 1,
    persistent: bool = True,
    centred: bool = True,
    burn: int = 500,
    binarise: str = "stochastic",
    lr: float = 0.1,
    batch: int = 100,
    rounds: int = 10_000,
) -> Experiment:
    """Black and white pictures and hidden bits that know each other, but not themselves, sampled in turns.

    The player descends the difference of the free energies of data and fantasies: `steps` of Gibbs sampling from the
    data (contrastive divergence, CD-k), or from where the chains were left (`persistent`). Units count from their means
    (`centred`): with bits counted from 0, pictures that are mostly black are hardly learnt. Samples are chains of
    `burn` steps, from where learning left the persistent ones or else from independent bits. Pictures become binary by
    `binarise`: `stochastic`, white with the grey level as probability, or `threshold` at one half. Conditions are left
    aside. Likelihoods need the partition function, by enumeration or annealing.
    """
    need_layout(data, "rbm", *DOMAIN)
    codec = binary_codec(data, binarise)
    particles = batch if persistent else 0
    model = RBM(codec.spec(data).x.shape, hidden, steps=steps, particles=particles, burn=burn, centred=centred)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.5)
    player = Player("rbm", model, model.loss, optimizer, schedule=linear_decay(0.2))
    begin = model.begin if centred else None
    return Experiment(model, [player], codec, rounds, batch, modules(model=model), begin=begin)
