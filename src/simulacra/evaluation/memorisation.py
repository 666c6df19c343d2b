"""Does the model create, or does it recite its training events?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy.stats import binom
from torch import Tensor

from simulacra.errors import UserError
from simulacra.evaluation.arrays import Array, numbers
from simulacra.evaluation.measurement import Measurement


def nearest_distance(x: Any, others: Any, block: int = 1024) -> Array:
    """Euclidean distance from every row of x [n, D] to the nearest of `others` [k, D]; [n].

    >>> nearest_distance([[0.0], [5.0]], [[1.0], [4.5]]).tolist()
    [1.0, 0.5]
    """
    return nearest(x, others, block)[1]


def nearest(x: Any, others: Any, block: int = 1024) -> tuple[Array, Array]:
    """Which row of `others` [k, D] lies nearest to every row of x [n, D], and how far: [n], [n].

    >>> [found.tolist() for found in nearest([[0.0], [5.0]], [[1.0], [4.5]])]
    [[0, 1], [1.0, 0.5]]
    """
    a, b = (v.reshape(len(v), -1) for v in (numbers(x, "the features"), numbers(others, "the features")))
    centre = b.mean(0)  # single precision keeps what is small beside the spread, not beside the values
    a, b = _rows(a - centre), _rows(b - centre)
    square = (b * b).sum(1)
    rows, out = [], []
    for start in range(0, len(a), block):
        piece = a[start : start + block]
        at = torch.addmm(square[None], piece, b.T, alpha=-2).argmin(1)
        rows.append(at)
        out.append((piece - b[at]).norm(dim=1))  # again, without the product's cancellation
    return torch.cat(rows).numpy(), torch.cat(out).double().numpy()


def _rows(values: Any) -> Tensor:
    array = numbers(values, "the features")
    return torch.tensor(array.reshape(len(array), -1), dtype=torch.float32)


def identical(x: Any, others: Any) -> int:
    """How many rows of x are, bit for bit, rows of `others`; rows of zeros do not count.

    >>> identical([[1.0, 2.0], [0.0, 0.0], [3.0, 4.0]], [[3.0, 4.0], [0.0, 0.0]])
    1
    """
    known = set(_bytes(others))
    return sum(row in known for row in _bytes(x))


def _bytes(values: Any) -> list[bytes]:
    rows = _rows(values) + 0.0  # so that -0 is 0
    return [row.tobytes() for row in rows[(rows != 0).any(1)].numpy()]


def repeats(x: Any) -> int:
    """How many rows of x are, bit for bit, an earlier row of x; rows of zeros do not count.

    >>> repeats([[1.0, 2.0], [1.0, 2.0], [0.0, 0.0], [0.0, 0.0], [1.0, 2.0]])
    2
    """
    rows = _bytes(x)
    return len(rows) - len(set(rows))


def twins(x: Any, block: int = 1024) -> int:
    """How many pairs of rows are less than half as far from each other as either is from its second neighbour.

    Rows of zeros do not count.

    >>> twins([[1.0], [1.1], [5.0], [9.0], [12.0]])
    1
    """
    rows = _rows(x)
    rows = rows[(rows != 0).any(1)]
    if len(rows) < 3:
        return 0
    rows = rows - rows.mean(0)
    square = (rows * rows).sum(1)
    first, close = [], []
    for start in range(0, len(rows), block):
        piece = rows[start : start + block]
        far = torch.addmm(square[None], piece, rows.T, alpha=-2)
        mine = torch.arange(len(piece))
        far[mine, start + mine] = torch.inf
        near = far.topk(3 if len(rows) > 3 else 2, largest=False).indices
        exact, order = (piece[:, None] - rows[near]).norm(dim=2).sort(1)
        first.append(near.gather(1, order)[:, 0])
        close.append(exact[:, 0] < exact[:, 1] / 2)
    partner, alone = torch.cat(first), torch.cat(close)
    mutual = (partner[partner] == torch.arange(len(rows))) & alone & alone[partner]
    return int(mutual.sum()) // 2


def sign_test(more: int, fewer: int) -> float:
    """Probability that a fair coin gives `more` heads or more in `more + fewer` throws.

    >>> sign_test(3, 0)
    0.125
    """
    return float(binom.sf(more - 1, more + fewer, 0.5))


def copying(metrics: Mapping[str, Measurement]) -> dict[str, float]:
    """How likely an honest model is to show at least this: `copies`, `identical`, `repeats`, `twins`, as far as known.

    Args:
        metrics: what `memorisation` gave, also among others.

    >>> copying({"memorisation/repeats": Measurement(3.0, 1.7, 0.0, 0.0, 100)})
    {'repeats': 0.125}
    """
    out = {"copies": metrics["memorisation/p"].value} if "memorisation/p" in metrics else {}
    for name in ("identical", "repeats", "twins"):
        if (m := metrics.get(f"memorisation/{name}")) is not None:
            out[name] = sign_test(round(m.value), round(m.floor))
    return out


def memorisation(
    generated: Any, held_out: Any, train: Any, *, draws: int = 100, seed: int = 0
) -> dict[str, Measurement]:
    """Copies of training events, and copies among the generated events themselves.

    `memorisation/ratio` and `memorisation/ratio/1%`: the median and the 1 % quantile of the distance from generated
    events to the nearest training event, over the same quantile for held-out events; honest models give about 1,
    copies less. The floor is that of held-out events resampled at the two sizes.

    `memorisation/copies`: M, generated events less than half as far from a training event as from every held-out one;
    its floor M' counts the opposite. Training and held-out events are exchangeable for an honest model, so M : M' is
    a fair coin's. Equal sizes are compared: a larger training set is taken in blocks, whose counts add up.
    `memorisation/p` is the exact sign test's probability, the smallest over blocks times their number.

    `memorisation/identical`: generated rows that are training rows; `memorisation/repeats` and `memorisation/twins`:
    those that occurred before, and pairs of them that are less than half as far from each other as from any third
    (jittered repeats). The floors count the same of as many held-out events. Both sets are exchangeable for an honest
    model, so each count against its floor is a fair coin's, too: `sign_test(value, floor)` is its probability. Counts
    of pairs below a fixed distance would not be fair, for a few events are near to many.

    Args:
        generated: features [m, D], such as log10(MeV + 0.1) of the cells; held_out [n, D]; train [k, D].

    Raises:
        UserError: a number is not finite.

    Example:
        >>> draw = np.random.default_rng(0)
        >>> train, held = draw.normal(size=(300, 8)), draw.normal(size=(300, 8))
        >>> memorisation(train[:100], held, train)["memorisation/copies"].value
        100.0

    Meehan, Chaudhuri and Dasgupta, "A non-parametric test to detect data-copying" (2020, arXiv:2004.05675).
    """
    a, b, c = (numbers(v, name) for v, name in ((generated, "the generated"), (held_out, "held-out"), (train, "train")))
    if len({v.reshape(len(v), -1).shape[1] for v in (a, b, c)}) > 1:
        raise UserError(f"expected features of one width, came {a.shape}, {b.shape}, {c.shape}; use the same features")
    n, size = min(len(a), len(b)), min(len(b), len(c))
    blocks = [c[start : start + size] for start in range(0, len(c), size)]
    seen = [nearest_distance(a, block) for block in blocks]
    mine, theirs = np.minimum.reduce(seen), nearest_distance(b, c)
    out = {
        "memorisation/ratio": _ratio(mine, theirs, 0.5, draws, seed),
        "memorisation/ratio/1%": _ratio(mine, theirs, 0.01, draws, seed),
    }
    held = nearest_distance(a, b[:size])
    full = [d for d, block in zip(seen, blocks, strict=True) if len(block) == size]
    pairs = [(int((d < held / 2).sum()), int((held < d / 2).sum())) for d in full]
    more, fewer = sum(p[0] for p in pairs), sum(p[1] for p in pairs)
    p = min(1.0, len(pairs) * min(sign_test(*pair) for pair in pairs))
    out["memorisation/copies"] = _count(more, fewer, n)
    out["memorisation/p"] = Measurement(p, 0.0, 1.0, 0.0, n)
    out["memorisation/identical"] = _count(identical(a[:n], c), identical(b[:n], c), n)
    for name, count in (("repeats", repeats), ("twins", twins)):
        out[f"memorisation/{name}"] = _count(count(a[:n]), count(b[:n]), n)
    return out


def _count(value: int, floor: int, n: int) -> Measurement:
    return Measurement(float(value), math.sqrt(value), float(floor), math.sqrt(floor), n)


def _ratio(mine: Array, theirs: Array, q: float, draws: int, seed: int) -> Measurement:
    """The ratio of two quantiles, its bootstrap error, and the bootstrap of the second against itself."""
    draw = np.random.default_rng(seed)

    def again(values: Array, size: int) -> Array:
        return np.quantile(values[draw.integers(len(values), size=(draws, size))], q, axis=1)

    below = float(np.quantile(theirs, q))
    if below == 0:  # held-out rows that are training rows: no scale to compare with
        return Measurement(1.0 if np.quantile(mine, q) == 0 else np.inf, 0.0, 1.0, 0.0, min(len(mine), len(theirs)))

    def ratios(values: Array) -> Array:
        scale = again(theirs, len(theirs))
        return values[scale > 0] / scale[scale > 0]  # of rows that repeat, some quantiles are 0

    values, null = ratios(again(mine, len(mine))), ratios(again(theirs, len(mine)))
    return Measurement(
        float(np.quantile(mine, q)) / below,
        float(values.std(ddof=1)),
        float(null.mean()),
        float(null.std(ddof=1)),
        min(len(mine), len(theirs)),
    )
