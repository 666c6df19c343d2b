"""The mixture density network."""

from __future__ import annotations

import torch

from simulacra.batch import Batch, DataSpec
from simulacra.distributions import MixtureDensityNetwork
from simulacra.domains.standard import Standardize
from simulacra.recipes._parts import need_layout
from simulacra.training.averaging import EMA, averaged_copy
from simulacra.training.game import Experiment, Loss, Player, linear_decay, modules

FAMILY = "mixture"
DOMAIN = ("vector",)
PAPER = "Bishop 1994, Mixture density networks; Nix and Weigend 1994; Williams 1996"


def mdn(
    data: DataSpec,
    *,
    components: int = 20,
    full: bool = True,
    hidden: tuple[int, ...] = (128, 128),
    heteroscedastic: bool = True,
    lr: float = 5e-3,
    decay: float = 0.998,
    batch_size: int = 512,
    rounds: int = 3000,
) -> Experiment:
    """A network of the conditions gives weights, means and covariances of a mixture of Gaussians: p(x | given), exact.

    Maximum likelihood by gradient steps. Where an event has several answers, as in inverse problems, it finds all of
    them, where least squares (one component, no `hidden` layer, not `heteroscedastic`) gives the mean between them.
    Components are `full` or diagonal; without conditions it is a mixture of Gaussians, learned by gradients.

    Raises:
        UserError: the events are not plain vectors, or there is no component.
    """
    need_layout(data, "mdn", *DOMAIN)
    codec = Standardize(data)
    spec = codec.spec(data)
    model = MixtureDensityNetwork(spec.x.shape, spec.given, components, full, hidden, heteroscedastic)
    average = averaged_copy(model)

    def loss(batch: Batch) -> Loss:
        return Loss({"nll": -batch.mean(model.log_prob(batch))})

    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    player = Player("mdn", model, loss, optimizer, clip=10.0, schedule=linear_decay(0.5))
    learners = modules(model=model, average=average)
    return Experiment(average, [player], codec, rounds, batch_size, learners, [EMA(model, average, decay)], model.begin)
