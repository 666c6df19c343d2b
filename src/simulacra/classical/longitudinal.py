"""How deep showers go: a gamma distribution of the energy in depth, whose two parameters fluctuate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from scipy.optimize import least_squares
from torch import Tensor

REAL = torch.float64
START = (0.0, 0.15, 1.25, 0.15, -1.6, 0.1, -1.2, 0.1, 0.5, -2.5)
LOOSE = (3.0, 0.2, 0.5, 0.1, 1.0, 0.05, 0.5, 0.05, 0.2, 2.0)
"""Where the ten constants start, and how far they would go if the data said nothing."""

GROUPS = 6  # of neighbouring layers whose covariances are fitted
SLACK = (0.01, 0.05)  # relative errors that are forgiven in means and in covariances
NODES = 7  # of the Gauss-Hermite rule over the fluctuations, in each direction


def depths(middles: Sequence[float]) -> Tensor:
    """Edges of the layers from their middles, [L + 1]: they touch where that is possible, and the first begins at 0.

    Where depths are not known, layers count as one unit each.

    >>> depths([45.0, 264.0, 459.0]).tolist(), depths([0.0, 0.0]).tolist()
    ([0.0, 90.0, 438.0, 480.0], [0.0, 1.0, 2.0])
    """
    if middles[0] <= 0 or any(b <= a for a, b in pairwise(middles)):
        return torch.arange(len(middles) + 1, dtype=REAL)
    edges = [0.0]
    for middle in middles:
        edges.append(2 * middle - edges[-1])
    if any(b <= a for a, b in pairwise(edges)):
        between = [(a + b) / 2 for a, b in pairwise(middles)]
        edges = [0.0, *between, 2 * middles[-1] - between[-1]]
    return torch.tensor(edges, dtype=REAL)


def totals(layers: Tensor) -> Tensor:
    """What covariances are fitted of: the sum over layers, and sums over neighbouring ones but the first; [..., G]."""
    count = layers.shape[-1]
    group = torch.arange(count, device=layers.device) * min(count, GROUPS) // count
    sums = layers.new_zeros(*layers.shape[:-1], min(count, GROUPS)).index_add_(-1, group, layers)
    return torch.cat([sums.sum(-1, keepdim=True), sums[..., 1:]], -1)


def layer_shares(constants: Tensor, edges: Tensor, u: Tensor, one: Tensor, two: Tensor) -> Tensor:
    """The share of the incident energy that falls into each layer, [..., L].

        dE/dt = E beta (beta t)^(alpha - 1) exp(-beta t) / Gamma(alpha),    T = (alpha - 1) / beta

    `ln T` and `ln(alpha - 1)` are normal with correlation rho; their medians are linear in ln E, their spreads one over
    linear. (The paper has ln alpha; alpha > 1 always is simpler.)

    Args:
        constants: [10], as fitted.
        edges: [L + 1].
        u: ln E less its mean over the data, [...].
        one, two: standard normal numbers, [...].
    """
    p0, p1, q0, q1, r0, r1, s0, s1, rho, _ = constants.to(u)
    rho = rho.tanh()
    two = rho * one + (1 - rho**2).sqrt() * two
    peak = _line(p1, u) * (p0 + (r0.exp() / _line(r1, u)) * one).exp()
    alpha = 1 + _line(q1, u) * (q0 + (s0.exp() / _line(s1, u)) * two).exp()
    beta = (alpha - 1) / peak
    inside = torch.special.gammainc(alpha[..., None], beta[..., None] * edges.to(u))
    return inside.diff(dim=-1).clamp(min=0)


def _line(slope: Tensor, u: Tensor) -> Tensor:
    return (1 + slope * u).clamp(min=0.1)


def fit(sums: Mapping[str, Tensor], edges: Tensor, start: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The constants whose means and covariances of the layer energies come nearest to those of the data.

    The visible energy of a layer is its fraction f_l, fitted in closed form, times a gamma number of mean E_l and
    variance c^2 E_l GeV.

    Args:
        sums: per bin of ln E: `events` [K], `log_energy` [K], `layers` [K, L] and `pairs` [K, G, G] of the products of
            their `totals`, summed; layers as E_l / E.
        start: constants of an earlier fit.

    Returns:
        constants [10], f_l [L], the mean of ln E, and chi^2 per number fitted.
    """
    kept = sums["events"] >= 2
    n = sums["events"][kept]
    mean_log = sums["log_energy"][kept].sum() / n.sum()
    u = sums["log_energy"][kept] / n - mean_log
    layers = sums["layers"][kept] / n[:, None]
    means = totals(layers)
    pairs = sums["pairs"][kept] / n[:, None, None] - means[:, :, None] * means[:, None, :]
    pooled = (n[:, None, None] * pairs).sum(0) / n.sum()
    spread = pooled.diagonal().clamp(min=1e-18)
    error = (spread / n[:, None] + (SLACK[0] * means) ** 2).sqrt()
    size = (spread[:, None] * spread[None, :] + pooled**2) / n[:, None, None]
    size = (size + SLACK[1] ** 2 * spread[:, None] * spread[None, :]).sqrt()
    lower = torch.tril_indices(means.shape[1], means.shape[1])
    nodes, weights = (torch.from_numpy(a) for a in np.polynomial.hermite_e.hermegauss(NODES))
    one, two = (a.flatten() for a in torch.meshgrid(nodes, nodes, indexing="ij"))
    weight = (weights[:, None] * weights[None, :]).flatten() / weights.sum() ** 2
    energy = (u + mean_log).exp()
    begin = torch.tensor(START, dtype=REAL)
    begin[0] = ((layers.sum(0) * (edges[1:] + edges[:-1]) / 2).sum() / layers.sum()).log() - 0.3
    loose = torch.tensor(LOOSE, dtype=REAL)

    def model(constants: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        shares = layer_shares(constants, edges, u[:, None].expand(-1, len(one)), one, two)  # [K, M, L]
        flat = torch.einsum("kml,m->kl", shares, weight)
        fraction = (n[:, None] * layers * flat).sum(0) / (n[:, None] * flat**2).sum(0).clamp(min=1e-30)
        seen = totals(shares * fraction)
        middle = torch.einsum("kmg,m->kg", seen, weight)
        off = seen - middle[:, None]
        covariance = torch.einsum("kmg,kmh,m->kgh", off, off, weight)
        noise = totals(flat * fraction**2 * (2 * constants[-1]).exp() / energy[:, None])  # variances of what is sampled
        with_total = torch.diag_embed(noise)
        with_total[:, 0], with_total[:, :, 0] = noise, noise
        return fraction, middle, covariance + with_total

    def residuals(values: np.ndarray) -> np.ndarray:
        constants = torch.from_numpy(values)
        _, middle, covariance = model(constants)
        gaps = ((covariance - pairs) / size)[:, lower[0], lower[1]]
        parts = ((middle - means) / error, gaps, (constants - begin) / loose)
        return torch.cat([part.flatten() for part in parts]).numpy()

    first = begin if start is None else start
    found = least_squares(residuals, first.numpy(), x_scale=loose.numpy(), ftol=1e-4, xtol=1e-4, max_nfev=40)
    constants = torch.from_numpy(found.x)
    return constants, model(constants)[0], mean_log, torch.tensor(2 * float(found.cost) / len(found.fun))
