"""What divergences and the Wasserstein distance say, on histograms and clouds where all of them are known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import ot
from matplotlib.figure import Figure
from scipy.optimize import linprog
from scipy.sparse import coo_array
from scipy.special import rel_entr
from scipy.stats import energy_distance, spearmanr, wasserstein_distance

from simulacra.claims.claim import Claim, Result
from simulacra.figures.distances import shifts, symmetry, transport

Array = np.ndarray
LOG2 = math.log(2)
BINS = 40
"""Bins in a histogram of length 1."""
AXIS = np.arange(-8 * BINS, 8 * BINS) / BINS + 0.5 / BINS
"""Centres of the bins of the whole axis."""


def kl(p: Array, q: Array) -> float:
    """sum p log(p / q), infinite where q lacks what p has."""
    return float(rel_entr(p, q).sum())


def js(p: Array, q: Array) -> float:
    """KL(p, m)/2 + KL(q, m)/2 with m = (p + q)/2."""
    return 0.5 * kl(p, (p + q) / 2) + 0.5 * kl(q, (p + q) / 2)


def w1(p: Array, q: Array) -> float:
    return float(wasserstein_distance(AXIS, AXIS, p, q))


def mmd(p: Array, q: Array, width: float = 3.0) -> float:
    """Maximum mean discrepancy with the kernel exp(-|x - y|^2 / (2 width^2))."""
    kernel = np.exp(-((AXIS[:, None] - AXIS[None]) ** 2) / (2 * width**2))
    return math.sqrt(max(float((p - q) @ kernel @ (p - q)), 0.0))


def block(seed: int) -> Array:
    """A random histogram of length 1 in the middle of the axis."""
    p = np.zeros(len(AXIS))
    p[len(AXIS) // 2 :][:BINS] = np.random.default_rng(seed).dirichlet(np.full(BINS, 2.0))
    return p


def moved(p: Array, shift: Array) -> list[Array]:
    return [np.roll(p, round(s * BINS)) for s in shift]


def spread(p: Array, share: float = 0.01) -> Array:
    """The histogram with a share of its mass laid out over the whole axis."""
    return (1 - share) * p + share / len(p)


def disjoint(seed: int) -> Result:
    """A histogram against its copies 1 to 5 lengths away; in the control 1 % of both covers the whole axis."""
    shift = np.linspace(1, 5, 9)
    p = block(seed)
    pairs = [(p, q) for q in moved(p, shift)]
    mixed = [(spread(p), spread(q)) for p, q in pairs]

    def measure(pairs: Sequence[tuple[Array, Array]]) -> dict[str, float]:
        apart = [w1(p, q) for p, q in pairs]
        return {
            "KL": min(kl(p, q) for p, q in pairs),
            "JS": float(np.mean([js(p, q) for p, q in pairs])),
            "W1 / shift": float(np.mean(np.array(apart) / shift)),
        }

    return Result(measure(pairs), measure(mixed), panels(p))


def panels(p: Array) -> dict[str, Array]:
    """Distances against shift for a histogram of length 1 and for a Gaussian of width 0.5."""
    normal = np.exp(-0.5 * ((AXIS / 0.5) ** 2))
    out = {"shift": np.arange(-2 * BINS, 2 * BINS + 1, 2) / BINS}
    for title, held in {"block": p, "normal": normal / normal.sum()}.items():
        for name, distance in {"KL": kl, "JS": js, "W1": w1}.items():
            out[f"{title} {name}"] = np.array([distance(held, q) for q in moved(held, out["shift"])])
    return out


def draw_shifts(results: Sequence[Result]) -> Figure:
    held = results[0].arrays
    titles = {"block": "a histogram of length 1", "normal": "a normal of width 0.5"}
    named = {t: {n: held[f"{k} {n}"] for n in ("KL", "JS", "W1")} for k, t in titles.items()}
    return shifts({t: (held["shift"], values) for t, values in named.items()}, {"log 2": LOG2})


def printed(seed: int) -> Result:
    """KL(p, m) + KL(q, m) of disjoint histograms; in the control of a histogram and itself."""
    p = block(seed)
    value = float(np.mean([2 * js(p, q) for q in moved(p, np.linspace(1, 5, 9))]))
    return Result({"KL(p, m) + KL(q, m)": value}, {"KL(p, m) + KL(q, m)": 2 * js(p, p)}, panels(p))


def meaningful(seed: int) -> Result:
    """Rank correlation of distances with the shift of disjoint histograms; in the control the shifts are shuffled."""
    p = block(seed)
    shift = np.linspace(1, 5, 41)
    copies = moved(p, shift)
    named = {
        "W1": [w1(p, q) for q in copies],
        "JS": [round(js(p, q), 9) for q in copies],
        "energy distance": [float(energy_distance(AXIS, AXIS, p, q)) for q in copies],
        "MMD": [mmd(p, q) for q in copies],
    }

    def follows(shift: Array) -> dict[str, float]:
        return {k: 0.0 if np.ptp(v) == 0 else float(np.asarray(spearmanr(shift, v))[0]) for k, v in named.items()}

    shuffled = follows(np.random.default_rng([seed, 1]).permutation(shift))
    return Result(
        follows(shift), {"W1": shuffled["W1"]}, {"shift": shift, **{k: np.array(v) for k, v in named.items()}}
    )


def draw_meaningful(results: Sequence[Result]) -> Figure:
    held = dict(results[0].arrays)
    return shifts({"two disjoint histograms": (held.pop("shift"), held)}, top=5.2)


def dual(cost: Array, a: Array, b: Array, slope: float = 1.0) -> tuple[float, Array]:
    """max sum f(x) a(x) - sum f(y) b(y) over f with |f(x) - f(y)| <= slope |x - y| on all points.

    Args:
        cost: [n + m, n + m], distances of all points; a: [n]; b: [m].
    """
    i, j = np.nonzero(~np.eye(len(cost), dtype=bool))
    rows = np.arange(len(i))
    ones = np.ones(len(i))
    below = coo_array((np.r_[ones, -ones], (np.r_[rows, rows], np.r_[i, j])), shape=(len(i), len(cost)))
    aim = np.r_[-a, b]
    solved = linprog(
        aim, A_ub=below.tocsr(), b_ub=slope * cost[i, j], bounds=[(0, 0)] + [(None, None)] * (len(cost) - 1)
    )
    return -float(solved.fun), np.asarray(solved.x)


def duality(seed: int) -> Result:
    """Two weighted clouds of the plane; the control lets the potential's slope reach 2."""
    found = [_duality(np.random.default_rng([seed, k])) for k in range(20)]
    gap, ratio, steep = (np.array([f[k] for f in found]) for k in range(3))
    names = ("dual - primal", "cost of the plan / cost of independence")
    return Result(
        dict(zip(names, (float(gap[np.abs(gap).argmax()]), float(ratio.mean())), strict=True)),
        dict(zip(names, (float(steep[np.abs(steep).argmin()]), 1.0), strict=True)),
        found[0][3],
    )


def _duality(draw: np.random.Generator) -> tuple[float, float, float, dict[str, Array]]:
    x, y = draw.normal(size=(12, 2)), draw.normal(size=(15, 2)) + [2.0, 1.0]
    a, b = draw.dirichlet(np.full(len(x), 2.0)), draw.dirichlet(np.full(len(y), 2.0))
    points = np.concatenate([x, y])
    cost = np.linalg.norm(points[:, None] - points[None], axis=-1)
    between = cost[: len(x), len(x) :]
    plan = np.asarray(ot.emd(a, b, between))
    primal = float((plan * between).sum())
    value, potential = dual(cost, a, b)
    steep, _ = dual(cost, a, b, 2.0)
    arrays = {"x": x, "y": y, "plan": plan, "potential": potential}
    return value - primal, primal / float(a @ between @ b), steep - primal, arrays


def draw_duality(results: Sequence[Result]) -> Figure:
    held = results[0].arrays
    return transport(held["x"], held["y"], held["plan"], held["potential"])


def metric(seed: int, triples: int = 200) -> Result:
    """Three random histograms at a time; the control asks of KL what is said of JS and W1, and the other way round."""
    draw = np.random.default_rng(seed)
    three = [np.pad(draw.dirichlet(np.full(12, 1.0), triples), ((0, 0), (0, len(AXIS) - 12))) for _ in range(3)]
    pairs = {
        name: np.array([[f(p, q), f(q, p), f(q, r), f(p, r)] for p, q, r in zip(*three, strict=True)])
        for name, f in {"KL": kl, "JS": js, "W1": w1}.items()
    }
    skew = {k: float(np.mean(np.abs(v[:, 0] - v[:, 1])) / np.mean(v[:, 0])) for k, v in pairs.items()}
    broken = {k: float(np.mean(v[:, 3] > v[:, 0] + v[:, 2] + 1e-12)) for k, v in pairs.items()}
    names = ("asymmetry of KL", "asymmetry of JS", "asymmetry of W1", "broken triangles of W1")
    return Result(
        dict(zip(names, (skew["KL"], skew["JS"], skew["W1"], broken["W1"]), strict=True)),
        dict(zip(names, (skew["JS"], skew["KL"], skew["KL"], broken["KL"]), strict=True)),
        {k: v[:, :2] for k, v in pairs.items()},
    )


def draw_metric(results: Sequence[Result]) -> Figure:
    return symmetry({k: (v[:, 0], v[:, 1]) for k, v in results[0].arrays.items()})


CLAIMS = (
    Claim(
        name="disjoint-distributions",
        statement="For disjoint distributions KL is infinite, JS is log 2, and the Wasserstein distance is how far "
        "apart they are.",
        lecture="B:176, B:205-215, C:721-722",
        paper="Arjovsky, Chintala and Bottou 2017, arXiv 1701.07875",
        experiment=disjoint,
        bounds={"KL": (math.inf, math.inf), "JS": (LOG2 - 1e-9, LOG2 + 1e-9), "W1 / shift": (1 - 1e-9, 1 + 1e-9)},
        control="1 % of both covers the whole axis, so that they overlap.",
        budget="9 shifts of a random histogram",
        figure=draw_shifts,
        fast=True,
        note="JS with the factors 1/2; a Gaussian is nowhere zero, and its KL stays finite.",
    ),
    Claim(
        name="js-as-printed",
        statement="D_JS = KL(P_r, P_m) + KL(P_θ, P_m) is log 2 for disjoint distributions.",
        lecture="B:173, B:202-207",
        paper="Lin 1991",
        experiment=printed,
        bounds={"KL(p, m) + KL(q, m)": (LOG2 - 1e-9, LOG2 + 1e-9)},
        control="a histogram against itself.",
        budget="9 shifts of a random histogram",
        figure=draw_shifts,
        fast=True,
        note="As printed it is 2 log 2. Jensen-Shannon's divergence has a factor 1/2 before each KL: then it is log 2.",
    ),
    Claim(
        name="only-wasserstein-is-meaningful",
        statement="Only the Wasserstein distance is a meaningful distance of disjoint distributions.",
        lecture="B:215, B:758",
        paper="Arjovsky, Chintala and Bottou 2017, arXiv 1701.07875; Gretton et al. 2012",
        experiment=meaningful,
        bounds={"W1": (0.99, math.inf), "JS": (-0.1, 0.1), "energy distance": (-0.1, 0.1), "MMD": (-0.1, 0.1)},
        control="the shifts are shuffled.",
        budget="41 shifts of a random histogram",
        figure=draw_meaningful,
        fast=True,
        note="Rank correlations with the shift: W1 follows it and JS does not, but the energy distance and "
        "MMD with a wide kernel follow it as well: W1 is meaningful, and not the only one.",
    ),
    Claim(
        name="transport-duality",
        statement="The cheapest way to move one distribution onto the other costs as much as the largest difference of "
        "means that a function of slope 1 can have.",
        lecture="B:187-188, B:223",
        paper="Villani 2009; Kantorovich and Rubinstein 1958",
        experiment=duality,
        bounds={"dual - primal": (-1e-6, 1e-6), "cost of the plan / cost of independence": (-math.inf, 0.999)},
        control="slopes up to 2 in the dual, and mass that moves anywhere at random in the primal problem.",
        budget="20 pairs of clouds of 12 and 15 points",
        figure=draw_duality,
        fast=True,
    ),
    Claim(
        name="metric-properties",
        statement="KL is not symmetric, JS is symmetric, and the Wasserstein distance is a metric.",
        lecture="B:198, B:202, B:211",
        paper="Villani 2009",
        experiment=metric,
        bounds={
            "asymmetry of KL": (0.05, math.inf),
            "asymmetry of JS": (-math.inf, 1e-9),
            "asymmetry of W1": (-math.inf, 1e-9),
            "broken triangles of W1": (-math.inf, 0.0),
        },
        control="JS in the place of KL, and KL in the place of JS and of W1.",
        budget="200 triples of random histograms",
        figure=draw_metric,
        fast=True,
        note="Asymmetry is mean |d(p, q) - d(q, p)| over mean d(p, q).",
    ),
)  # fmt: skip
