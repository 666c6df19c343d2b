"""The CaloChallenge's classifier: one network between two samples that may be larger than the memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from sklearn.isotonic import IsotonicRegression
from torch import Tensor, nn
from torch.nn import functional

from simulacra.errors import UserError, nearest
from simulacra.evaluation.arrays import Array
from simulacra.evaluation.measurement import Measurement
from simulacra.evaluation.roc import area
from simulacra.random import draws, seed_of

READ = 1 << 24
"""Numbers that are read at a time."""

LEAST = 50
"""Events of each sample without which there is nothing to train on."""


class Rows(Protocol):
    """A table that is read by row numbers: an array, or one on disk."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Array, /) -> Array: ...


@dataclass(frozen=True)
class Network:
    """Two hidden layers, LeakyReLU(0.01), Adam.

    Attributes:
        hidden: nodes of each hidden layer.
        rate: of learning; batch: events at once; epochs: passes over the training part.
        standardised: whether each column is freed of its mean, divided by its spread and cut at six of them.
        limit: events of each sample, at most; 0 for all.
        patience: epochs without a better validation after which it stops; 0 for all epochs.
    """

    hidden: int
    rate: float
    batch: int
    epochs: int
    standardised: bool
    limit: int
    patience: int = 0


SIZES = {
    "small": Network(256, 1e-3, 64, 30, True, 5_000, 6),
    "full": Network(2048, 2e-4, 1000, 50, False, 0),
}
"""`full` has the published size, rate, batch and epochs; `small` runs on a processor in minutes."""


def size_of(name: str) -> Network:
    """The network of that name.

    Raises:
        UserError: there is none.
    """
    if name not in SIZES:
        raise UserError(f"expected a size of the classifier, came {name!r}; {nearest(name, SIZES)}")
    return SIZES[name]


def classify(
    reference: Rows,
    generated: Rows,
    floor_sample: Rows | None = None,
    *,
    size: str | Network = "small",
    seed: int = 0,
    device: str = "cpu",
) -> dict[str, Measurement]:
    """`auc` and `jsd` of one network that was trained to tell generated from real events.

    60 % of each sample are learned from; 20 % choose the epoch (the smallest cross-entropy) and calibrate (isotonic);
    20 % are asked. `auc`: area under the ROC curve, 0.5 where nothing is found. `jsd`: 1 - BCE/log 2, a lower bound on
    the Jensen-Shannon divergence in bits, negative where the network knows less than nothing. Errors are those of the
    rows asked (DeLong 1988) and know nothing of another training. The floor is the same network between the reference
    and `floor_sample`; without that, 0.5 with the spread of equal distributions, and 0.

    Args:
        reference: [n, D]; generated: [m, D]; floor_sample: other real events [k, D].
        size: a name in `SIZES`, or a network.

    Raises:
        UserError: no such size, another number of columns, or fewer than 50 events.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32)
        >>> found = classify(x[:200], x[200:] + 5.0, size=Network(8, 1e-2, 50, 10, True, 0))
        >>> found["auc"].value > 0.99, found["jsd"].value > 0.8
        (True, True)

    Krause et al., CaloChallenge (2024, arXiv 2410.21611).
    """
    network = size_of(size) if isinstance(size, str) else size
    auc, jsd, n, m = _trained(reference, generated, network, seed, device)
    smaller = min(n, m)
    if floor_sample is not None and len(floor_sample) >= LEAST:
        auc_floor, jsd_floor, *_ = _trained(reference, floor_sample, network, seed + 1, device)
    else:
        auc_floor, jsd_floor = (0.5, math.sqrt((n + m + 1) / (12 * n * m))), (0.0, jsd[1])
    return {"auc": Measurement(*auc, *auc_floor, smaller), "jsd": Measurement(*jsd, *jsd_floor, smaller)}


def _parts(rows: int, limit: int, seed: int) -> list[Array]:
    """Row numbers to learn from, to choose by, to ask."""
    if rows < LEAST:
        raise UserError(f"expected at least {LEAST} events for the classifier, came {rows}; give more events")
    kept = min(rows, limit) if limit else rows
    order = np.random.default_rng(seed).permutation(rows)[:kept]
    return np.split(order, [round(0.6 * kept), round(0.8 * kept)])


@dataclass(eq=False)
class _Pair:
    """Rows of both samples: the real ones first."""

    reference: Rows
    generated: Rows
    centre: Array | None = None
    spread: Array | None = None

    def read(self, rows: Array) -> Tensor:
        """[len(rows), D] in any order; rows from len(reference) on are generated."""
        n = len(self.reference)
        real = rows < n
        first, second = self.reference[rows[real]], self.generated[rows[~real] - n]
        if first.shape[1] != second.shape[1]:
            raise UserError(f"expected {first.shape[1]} columns as in the reference, came {second.shape[1]}")
        x = np.empty((len(rows), first.shape[1]), np.float32)
        x[real], x[~real] = first, second
        if self.centre is not None and self.spread is not None:
            x -= self.centre
            x /= self.spread
            np.clip(x, -6, 6, out=x)
        return torch.from_numpy(x)

    def label(self, rows: Array) -> Tensor:
        return torch.from_numpy((rows >= len(self.reference)).astype(np.float32))

    def standardise(self, rows: Array, columns: int) -> None:
        """Means and spreads of these rows."""
        first, second = np.zeros(columns), np.zeros(columns)
        for part in _pieces(rows, columns):
            x = self.read(part).numpy().astype(np.float64)
            first += x.sum(0)
            second += np.square(x, out=x).sum(0)
        centre = first / len(rows)
        spread = np.sqrt(np.maximum(second / len(rows) - centre**2, 0))
        spread[spread < 1e-6 * (np.abs(centre) + 1e-12)] = np.inf  # what never varies tells nothing
        spread[spread == 0] = np.inf
        self.centre, self.spread = centre.astype(np.float32), spread.astype(np.float32)


def _pieces(rows: Array, columns: int) -> Iterator[Array]:
    step = max(1, READ // columns)
    return (rows[k : k + step] for k in range(0, len(rows), step))


def _trained(
    reference: Rows, generated: Rows, network: Network, seed: int, device: str
) -> tuple[tuple[float, float], tuple[float, float], int, int]:
    """AUC and JSD with their errors, and how many real and generated events were asked."""
    pair = _Pair(reference, generated)
    both = zip(
        _parts(len(reference), network.limit, seed_of(seed, "real")),
        _parts(len(generated), network.limit, seed_of(seed, "generated")),
        strict=True,
    )
    learned, chosen, asked = (np.concatenate([a, b + len(reference)]) for a, b in both)
    columns = pair.read(learned[:1]).shape[1]
    if network.standardised:
        pair.standardise(learned, columns)
    with draws(seed_of(seed, "network")):
        model = nn.Sequential(
            nn.Linear(columns, network.hidden), nn.LeakyReLU(), nn.Linear(network.hidden, network.hidden),
            nn.LeakyReLU(), nn.Linear(network.hidden, 1),
        ).to(device)  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), lr=network.rate)
    draw = np.random.default_rng(seed_of(seed, "order"))
    best, latest, logits = math.inf, 0, np.zeros((0,))
    told = pair.label(chosen).double()
    with torch.enable_grad():
        for epoch in range(network.epochs):
            order = draw.permutation(learned)
            for k in range(0, len(order), network.batch):
                rows = order[k : k + network.batch]
                out = model(pair.read(rows).to(device))[:, 0]
                loss = functional.binary_cross_entropy_with_logits(out, pair.label(rows).to(device))
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
            seen = _logits(model, pair, chosen, columns, device)
            value = float(functional.binary_cross_entropy_with_logits(torch.from_numpy(seen), told))
            if value < best:
                best, latest = value, epoch
                logits = np.concatenate([seen, _logits(model, pair, asked, columns, device)])
            if network.patience and epoch - latest >= network.patience:
                break
    if not len(logits):
        raise UserError("expected a classifier that learns, its loss is not finite; use the small size")
    calibration, scores = logits[: len(chosen)], logits[len(chosen) :]
    real = asked < len(reference)
    value, variance = area(scores[real], scores[~real])
    bits = _information(calibration, chosen >= len(reference), scores, ~real)
    return (value, math.sqrt(variance)), bits, int(real.sum()), int((~real).sum())


def _logits(model: nn.Module, pair: _Pair, rows: Array, columns: int, device: str) -> Array:
    with torch.no_grad():
        pieces = [model(pair.read(part).to(device))[:, 0].double().cpu().numpy() for part in _pieces(rows, columns)]
    return np.concatenate(pieces)


def _information(taught: Array, truth: Array, asked: Array, answer: Array) -> tuple[float, float]:
    """1 - BCE/log 2 with both samples of equal weight, and its error; calibrated on other events."""
    least = 1 / (min(int(truth.sum()), int((~truth).sum())) + 2)  # no event is certain after so few
    curve = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip")
    weight = np.where(truth, 0.5 / truth.sum(), 0.5 / (~truth).sum())
    curve.fit(taught, truth.astype(np.float64), sample_weight=weight)
    posterior = curve.predict(asked)
    real, made = -np.log2(1 - posterior[~answer]), -np.log2(posterior[answer])
    variance = (real.var(ddof=1) / len(real) + made.var(ddof=1) / len(made)) / 4
    return float(1 - real.mean() / 2 - made.mean() / 2), math.sqrt(variance)
