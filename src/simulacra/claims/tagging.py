"""What a discriminator can tell of a generator that has collapsed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.optim import Adam

from simulacra.claims.claim import Claim, Result
from simulacra.domains.toys import TOYS
from simulacra.figures.collapse import tagging
from simulacra.gan import NonSaturating
from simulacra.networks import MLP
from simulacra.random import reseed

Sides = tuple[Tensor, Tensor]
"""Real and fake events or statistics, each [N, D]."""
NEAR = 0.3
"""How near a sample is to its mode."""
BATCH = 16
"""Events in a minibatch, of which all but one may come from one mode."""


def statistics(x: Tensor) -> Tensor:
    """Mean and spread of minibatches: [N, BATCH, 2] -> [N, 4]."""
    return torch.cat([x.mean(1), x.std(1)], 1)


def auc_of(train: Sides, test: Sides, steps: int) -> float:
    """Trains a discriminator on one pair of tables, real and fake; how well it tells another pair apart."""
    (real, fake), (test_real, test_fake) = train, test
    network = MLP(real.shape[1], 1, hidden=(64, 64))
    optimizer = Adam(network.parameters(), 2e-3)
    for _ in range(steps):
        pick = torch.randint(len(real), (256,)), torch.randint(len(fake), (256,))
        optimizer.zero_grad()
        NonSaturating().critic(network(real[pick[0]]), network(fake[pick[1]])).mean().backward()
        optimizer.step()
    with torch.no_grad():
        scores = torch.cat([network(test_real), network(test_fake)])[:, 0]
    return float(roc_auc_score(np.repeat([1, 0], [len(test_real), len(test_fake)]), scores.numpy()))


def tagged(seed: int, steps: int = 400, rows: int = 1000) -> Result:
    """Discriminators of one event and of a minibatch, on generators that hold one mode; the controls do not collapse.

    The collapsed fakes of training hold one of the modes 0 to 3 at a time, those of the test one of 4 to 7. In the
    controls single fakes are blurred by 0.3, and minibatches are as diverse as the data.
    """
    reseed(seed, "tagging")
    toy = TOYS["ring8"]
    x, label = toy.draw(200_000, seed)
    of = [x[label == k] for k in range(8)]

    def diverse(n: int) -> Tensor:
        return x[torch.randint(len(x), (n, BATCH))]

    def collapsed(n: int, modes: Sequence[int]) -> Tensor:
        which = torch.tensor(modes)[torch.randint(len(modes), (n,))].tolist()
        return torch.stack([of[k][torch.randint(len(of[k]), (BATCH,))] for k in which])

    def single(batches: Tensor) -> Tensor:
        return batches[:, 0]

    old, new = (0, 1, 2, 3), (4, 5, 6, 7)
    real, test = diverse(rows), diverse(rows)
    fakes, same, moved = collapsed(rows, old), collapsed(rows, old), collapsed(rows, new)
    one = collapsed(rows, (0,)), collapsed(rows, (0,))
    blurred = [single(diverse(rows)) + 0.3 * torch.randn(rows, 2) for _ in range(2)]
    place = single(test)[(single(test) - of[0].mean(0)).norm(dim=1) < NEAR]
    alone = single(real), single(test)
    together = statistics(real), statistics(test)
    moved_on = statistics(fakes), statistics(moved)
    as_diverse = statistics(diverse(rows)), statistics(diverse(rows))
    values = {
        "one event, in the mode itself": auc_of((alone[0], single(one[0])), (place, single(one[1])), steps),
        "one event, modes of training": auc_of((alone[0], single(fakes)), (alone[1], single(same)), steps),
        "one event, new modes": auc_of((alone[0], single(fakes)), (alone[1], single(moved)), steps),
        "minibatch, new modes": auc_of((together[0], moved_on[0]), (together[1], moved_on[1]), steps),
    }
    control = {
        "one event, in the mode itself": auc_of((alone[0], blurred[0]), (alone[1], blurred[1]), steps),
        "minibatch, new modes": auc_of((together[0], as_diverse[0]), (together[1], as_diverse[1]), steps),
    }
    arrays = {
        "real": single(test)[:400].numpy(),
        "fake": single(moved)[:400].numpy(),
        "spread, real": statistics(test)[:, 2:].norm(dim=1).numpy(),
        "spread, fake": statistics(moved)[:, 2:].norm(dim=1).numpy(),
    }
    return Result(values, control, arrays)


def draw_tagged(results: Sequence[Result]) -> Figure:
    return tagging(results[0].arrays)


CLAIMS = (
    Claim(
        name="one-event-does-not-tell-a-collapse",
        statement="At collapse samples are good but few, so that the discriminator cannot tag them as fake.",
        lecture="D:474-479, B:150",
        paper="Salimans et al. 2016, arXiv 1606.03498",
        experiment=tagged,
        bounds={
            "one event, in the mode itself": (-math.inf, 0.6),
            "one event, modes of training": (-math.inf, 0.6),
            "one event, new modes": (-math.inf, 0.6),
            "minibatch, new modes": (0.95, math.inf),
        },
        control="fakes blurred by 0.3, and minibatches that are as diverse as the data.",
        budget="400 discriminator steps on 256 + 256 events or minibatches of 16, six times",
        figure=draw_tagged,
        fast=True,
        note="Areas under the curve. One event of a mode is as good as another, but a mode that is too frequent is "
        "tagged as a whole, until the generator moves on: then fakes look better than data. A minibatch gives it away.",
    ),
)  # fmt: skip
