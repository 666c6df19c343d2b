"""How wide showers are: a core and a tail around the point of impact, seen by the cells of a layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import brentq, least_squares
from torch import Tensor

REAL = torch.float64
POWER = 0.9  # spots grow as this power of the energy
SLACK = 0.02  # relative error that is forgiven in a cell's mean share and in the sum of squares


@dataclass(frozen=True)
class Plane:
    """The cells of one layer: edges of rows and columns, `cartesian` (y, x in mm) or `polar` (angle, radius in mm)."""

    kind: str
    rows: Tensor
    columns: Tensor

    @staticmethod
    def from_json(layer: Mapping[str, Any]) -> Plane:
        return Plane(layer["kind"], torch.tensor(layer["rows"], dtype=REAL), torch.tensor(layer["columns"], dtype=REAL))

    @property
    def size(self) -> int:
        return (len(self.rows) - 1) * (len(self.columns) - 1)

    @property
    def pitch(self) -> Tensor:
        """The finest cells along x and y, [2]; infinite where cells are not cartesian."""
        finest = torch.stack([self.columns.diff().min(), self.rows.diff().min()])
        return finest if self.kind == "cartesian" else finest + torch.inf

    def inside(self, radius: Tensor, at: Tensor) -> Tensor:
        """The integral of `R^2 / (pi (r^2 + R^2)^2)`, R [M], around `at` [M, 2] over each cell, [M, rows * columns].

        Polar cells are about the axis, wherever `at` is.
        """
        if self.kind == "polar":
            ring = (self.columns**2 / (self.columns**2 + radius[:, None] ** 2)).diff()
            angle = self.rows.diff() / (2 * math.pi)
            return (angle[:, None] * ring[:, None, :]).flatten(1)
        x, y = self.columns - at[:, :1], self.rows - at[:, 1:]
        x, y, radius = x[:, None, :], y[:, :, None], radius[:, None, None]
        far_x, far_y = (x**2 + radius**2).sqrt(), (y**2 + radius**2).sqrt()
        corner = (x / far_x * (y / far_x).atan() + y / far_y * (x / far_y).atan()) / (2 * math.pi)
        return corner.diff(dim=1).diff(dim=2).flatten(1)


def cell_shares(plane: Plane, constants: Tensor, u: Tensor, at: Tensor) -> Tensor:
    """The share of each cell in its layer's energy, for impacts `at` [M, 2] in mm: [M, V_l].

    The density in radius is `f(r) = p 2 r Rc^2 / (r^2 + Rc^2)^2 + (1 - p) 2 r Rt^2 / (r^2 + Rt^2)^2`, cut to the layer;
    both radii are a power of the energy, with `u = ln E - <ln E>` [M].
    """
    core = (constants[0] + constants[3] * u).exp()
    share = constants[2].sigmoid()
    out = share * plane.inside(core, at) + (1 - share) * plane.inside(core * (1 + constants[1].exp()), at)
    return out / out.sum(1, keepdim=True)


def impacts(plane: Plane, reach: Tensor) -> tuple[Tensor, Tensor]:
    """Points [M, 2] and weights [M] of a Gauss rule over the rectangle of half widths `reach` [2]; polar: the axis."""
    if plane.kind == "polar":
        return torch.zeros(1, 2, dtype=REAL), torch.ones(1, dtype=REAL)
    nodes, weights = (torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(4))
    return reach * torch.cartesian_prod(nodes, nodes), torch.outer(weights, weights).flatten() / 4


def fit(
    plane: Plane, sums: Mapping[str, Tensor], reach: Tensor, axes: Sequence[int], start: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Spots of a layer from the cells far out, core and tail by least squares from mean shares and sums of squares.

    Far out the mean square of a share over its mean is 1 / N for N spots of equal energy. On average the squares sum to
    `sum_v p_v^2 + (1 - sum_v p_v^2) / N`, in which the scatter of the impacts shows. In ln E the shares count as linear
    between two points.

    Args:
        sums: `events` [K] with energy in this layer by bin of energy, `u` [K] of ln E less its mean, `power` [K] of the
            layer's energy in GeV to 0.9, `squares` [K] of a shower's shares; `share` [V_l] and `share2` [V_l] over all.
        reach: half widths in mm of the rectangle of impacts, [2].
        axes: which of them are fitted as well.
        start: constants of an earlier fit.

    Returns:
        constants [5] (ln Rc, ln(Rt / Rc - 1), logit p, d ln Rc / d ln E, ln of spots at 1 GeV), reach, and chi^2 per
        number fitted.
    """
    chosen = list(axes)
    size = math.log(float(plane.columns.diff().min()) / 2)
    begin = torch.cat([torch.tensor([size, 1.5, 2.0, 0.0], dtype=REAL), (plane.pitch[chosen] / 4).log()])
    loose = torch.tensor([2.0, 1.5, 2.0, 0.2] + [1.0] * len(chosen), dtype=REAL)

    def spread_of(constants: Tensor) -> Tensor:
        return reach.index_copy(0, torch.tensor(chosen, dtype=torch.long), constants[4:].exp())

    kept = sums["events"] >= 0.5
    if not bool(kept.any()):  # a layer that no shower reaches
        return torch.cat([begin[:4], torch.zeros(1, dtype=REAL)]), reach, torch.zeros(())
    n, total = sums["events"][kept], sums["events"].sum().clamp(min=1)
    share = sums["share"] / total
    u, power, squares = sums["u"][kept], sums["power"][kept] / n, sums["squares"][kept] / n
    number = _spots_at_1_gev(share, sums["share2"] / total, n / total, power)
    lonely = _one_over(number.exp() * power)
    spread = (sums["share2"] / total - share**2).clamp(min=0)
    hit = (n * lonely).sum() / total  # the share of one spot: what a cell may have that was never hit
    error = ((spread + hit**2 / total) / total + (SLACK * share) ** 2 + (1e-4 * share.max()) ** 2).sqrt()
    slack = squares * (SLACK**2 + 1 / n).sqrt()
    middle = (n * u).sum() / total
    wide = ((n * (u - middle) ** 2).sum() / total).sqrt().clamp(min=1e-3)
    between = (u - middle) / (2 * wide) + 0.5  # 0 at the lower point, 1 at the upper

    def residuals(values: np.ndarray) -> np.ndarray:
        constants = torch.from_numpy(values)
        at, weight = impacts(plane, spread_of(constants))
        low, high = (
            cell_shares(plane, constants, point.expand(len(at)), at) for point in (middle - wide, middle + wide)
        )
        together = torch.lerp((weight @ low.square()).sum(), (weight @ high.square()).sum(), between)
        parts = (
            (weight @ (low + high) / 2 - share) / error,
            (together + (1 - together) * lonely - squares) / slack,
            (constants - begin) / loose,
        )
        return torch.cat(parts).numpy()

    first = begin if start is None else torch.cat([start[:4], reach[chosen].log()])
    found = least_squares(residuals, first.numpy(), x_scale=loose.numpy(), ftol=1e-4, xtol=1e-4, max_nfev=40)
    constants = torch.from_numpy(found.x)
    chi2 = torch.tensor(2 * float(found.cost) / len(found.fun))
    return torch.cat([constants[:4], number[None]]), spread_of(constants), chi2


def _spots_at_1_gev(share: Tensor, share2: Tensor, weight: Tensor, power: Tensor) -> Tensor:
    """The logarithm of the number of spots that explains how the shares of cells below the mean scatter."""
    far = share < share.mean()
    wanted = float((share2[far].sum() / share[far].sum().clamp(min=1e-12)).clamp(1e-8, 0.5))
    low, high = -math.log(float(power.max()) + 1e-3) - 10, -math.log(float(power.min()) + 1e-9) + 25
    gap = lambda number: float((weight * _one_over(math.exp(number) * power)).sum()) - wanted  # noqa: E731
    return torch.tensor(brentq(gap, low, high), dtype=REAL)


def _one_over(mean: Tensor) -> Tensor:
    """The mean of `1 / (1 + n)` with n from a Poisson distribution."""
    return -torch.expm1(-mean) / mean.clamp(min=1e-9)


def spots(plane: Plane, constants: Tensor, energy: Tensor, u: Tensor, at: Tensor) -> Tensor:
    """The energy of each cell, [B, V_l]: of all spots, a Poisson number falls into each; where none does, the hottest.

    Args:
        energy: of the layer in MeV, [B].
        u: ln of the particle's energy less its mean, [B].
        at: the points of impact in mm, [B, 2].
    """
    shares = cell_shares(plane, constants, u, at)
    mean = constants[4].exp() * (energy / 1e3).clamp(min=0) ** POWER
    counts = poisson(mean[:, None] * shares, torch.rand_like(shares))
    missed = counts.sum(1) == 0
    counts[missed, shares[missed].argmax(1)] = 1
    return energy[:, None] * counts / counts.sum(1, keepdim=True)


def poisson(mean: Tensor, u: Tensor) -> Tensor:
    """The u-quantile of Poisson distributions; above a mean of 100 of the normal ones that they become.

    One uniform number for each draw: what an event is, does not depend on the events beside it.

    >>> poisson(torch.tensor([2.0, 2.0, 1e4]), torch.tensor([0.1, 0.9, 0.5])).tolist()
    [0.0, 4.0, 10000.0]
    """
    normal = (mean + mean.sqrt() * torch.special.ndtri(u)).round().clamp(min=0)
    out = torch.where((mean > 100) & normal.isfinite(), normal, 0.0)
    left = ((mean <= 100) & (u > (-mean).exp())).nonzero(as_tuple=True)
    m, level = mean[left], u[left]
    term = (-m).exp()
    below, k = term, 0
    while len(m) and k < 400:  # beyond, rounding hides the rest
        k += 1
        term = term * m / k
        below = below + term
        out[left] = k
        rest = level > below
        left, m, level, term, below = tuple(a[rest] for a in left), m[rest], level[rest], term[rest], below[rest]
    return out
