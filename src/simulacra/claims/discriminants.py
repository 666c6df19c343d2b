"""Gaussians of classes that are told, and clusters that are not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.cluster import KMeans
from sklearn.datasets import make_moons
from sklearn.metrics import adjusted_rand_score
from torch import Tensor
from torch.distributions import MultivariateNormal

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.claims.diffusing import CENTRES, WIDTH
from simulacra.classical.bayes import log_posterior
from simulacra.figures.planes import Plane, mesh, planes
from simulacra.random import draws
from simulacra.recipes.kmeans import kmeans
from simulacra.recipes.lda import lda
from simulacra.recipes.qda import qda

Array = np.ndarray
ROUND, FLAT = ((1.0, 0.6), (0.6, 1.0)), ((1.0, -0.6), (-0.6, 0.6))
COVARIANCES = {"same": (ROUND, ROUND), "different": (ROUND, FLAT)}
"""Of the two classes, about -1 and 1 on the first axis."""
FRAME = (-4.0, 4.0, -4.0, 4.0)
WRONG = "{}: mean |p(class | x) - true|"
GENERATED = "{}: largest error of a generated mean or covariance"


def laws(kind: str) -> list[MultivariateNormal]:
    """The two classes."""
    means = torch.tensor([[-1.0, 0.0], [1.0, 0.0]])
    return [MultivariateNormal(m, torch.tensor(c)) for m, c in zip(means, COVARIANCES[kind], strict=True)]


def posterior(kind: str, x: Tensor) -> Tensor:
    """The true p(second class | x) of even classes, [B]."""
    first, second = (law.log_prob(x) for law in laws(kind))
    return (second - first).sigmoid()


def discriminating(seed: int, rows: int = 10_000) -> Result:
    """Gaussians of the same and of different covariances; in the control different ones are taken for the same."""
    frame = torch.from_numpy(mesh(FRAME, 61)).float().view(-1, 2)
    wrong, made, arrays = {}, {}, {}
    for kind in COVARIANCES:
        with draws(seed):
            x = torch.cat([law.sample((rows,)) for law in laws(kind)])
            fresh = torch.cat([law.sample((rows,)) for law in laws(kind)])
        label = torch.arange(2).repeat_interleave(rows)
        spec = DataSpec(kind, "vector", Field((2,)), {"label": Field((), "class", 2)}, rows=2 * rows)
        arrays[f"truth, {kind}"] = posterior(kind, frame).view(61, 61).numpy()
        for name, recipe in {"lda": lda, "qda": qda}.items():
            game = learn(recipe, spec, Batch(x, {"label": label}), seed, "discriminants")

            def says(at: Tensor, game: Any = game) -> Tensor:
                told = {"label": torch.zeros(len(at), dtype=torch.long)}
                return log_posterior(game.model, game.codec.encode(Batch(at, told)))[:, 1].exp().float()

            wrong[name, kind] = float((says(fresh) - posterior(kind, fresh)).abs().mean())
            arrays[f"{name}, {kind}"] = says(frame).view(61, 61).numpy()
            with draws(seed):
                given = game.codec.encode_given({"label": label})
                drawn = game.codec.decode(game.model.sample(2 * rows, given)).x.view(2, rows, 2)  # type: ignore[union-attr, operator]
            made[name, kind] = max(
                float(max((each.mean(0) - law.mean).abs().max(), (each.T.cov() - law.covariance_matrix).abs().max()))
                for each, law in zip(drawn, laws(kind), strict=True)
            )
    fit = {"lda": "same", "qda": "different"}
    values = {WRONG.format(n): wrong[n, k] for n, k in fit.items()} | {
        GENERATED.format(n): made[n, k] for n, k in fit.items()
    }
    control = {WRONG.format(n): wrong["lda", "different"] for n in fit}
    control |= {GENERATED.format(n): made["lda", "different"] for n in fit}
    return Result(values, control, arrays)


def draw_discriminating(results: Sequence[Result]) -> Figure:
    def panel(name: str) -> Plane:
        p = results[0].arrays[name]
        return Plane(name, p, (0, 1), "RdBu_r", contours={"even odds": (p, [0.5])})

    order = [f"{name}, {kind}" for kind in COVARIANCES for name in ("truth", "lda", "qda")]
    return planes([panel(name) for name in order], FRAME, columns=3)


AGREES, INERTIA = "adjusted Rand index of clusters and modes", "squared distance to centres / scikit-learn's"
STARTS: dict[str, Any] = {"n_init": 10}
"""Of scikit-learn's k-means, of which the best is taken."""


def clustering(seed: int, rows: int = 10_000) -> Result:
    """k-means of a ring of eight wide Gaussians; in the control of two moons, which are no spheres."""
    with draws(seed):
        which = torch.randint(8, (rows,))
        ring = torch.tensor(CENTRES)[which] + WIDTH * torch.randn(rows, 2)
    moons, half = make_moons(rows, noise=0.05, random_state=seed)
    found, arrays = {}, {}
    for name, x, label, count in (("ring", ring, which.numpy(), 8), ("moons", torch.tensor(moons).float(), half, 2)):
        spec = DataSpec(name, "vector", Field((2,)), rows=rows)
        game = learn(partial(kmeans, clusters=count), spec, Batch(x), seed, "discriminants")
        model: Any = game.model
        code = game.codec.encode(Batch(x))
        mine = model.encode(code).probs.argmax(-1).flatten().numpy()
        best: Any = KMeans(count, random_state=seed, **STARTS).fit(code.x.numpy())
        centres = np.stack([code.x.numpy()[mine == k].mean(0) for k in np.unique(mine)])
        inertia = np.square(code.x.numpy()[:, None] - centres).sum(2).min(1).sum()
        found[name] = {AGREES: adjusted_rand_score(label, mine), INERTIA: inertia / best.inertia_}
        arrays |= {
            name: x[:1500].numpy(),
            f"{name}, centres": game.codec.decode(Batch(torch.tensor(centres))).x.numpy(),
        }
    return Result(found["ring"], {AGREES: found["moons"][AGREES]}, arrays)


def draw_clustering(results: Sequence[Result]) -> Figure:
    shown = results[0].arrays
    index = np.mean([r.values[AGREES] for r in results]), np.mean([r.control[AGREES] for r in results])
    titles = {"ring": f"ring: Rand index {index[0]:.2f}", "moons": f"moons: {index[1]:.2f}"}
    panels = [
        Plane(titles[name], clouds={"events": shown[name]}, stars={"centres": shown[f"{name}, centres"]})
        for name in titles
    ]
    return planes(panels, (-2.6, 2.6, -2.6, 2.6), columns=2)


CLAIMS = (
    Claim(
        name="gaussian-discriminants-generate-and-classify",
        statement="Discriminant analysis models each class, generates it, and by Bayes' rule tells the classes apart.",
        lecture="D:53-59",
        paper="Fisher 1936; Hastie, Tibshirani and Friedman 2009, chapter 4",
        experiment=discriminating,
        bounds={WRONG.format(name): (-math.inf, 0.02) for name in ("lda", "qda")}
        | {GENERATED.format(name): (-math.inf, 0.1) for name in ("lda", "qda")},
        control="linear discriminants, which share one covariance, of classes that do not.",
        budget="10,000 events of each of two Gaussian classes, solved in one round",
        figure=draw_discriminating,
        fast=True,
        note="Linear discriminants for classes of the same covariance, quadratic ones for classes of their own.",
    ),
    Claim(
        name="clusters-need-no-labels",
        statement="Clustering by k-means finds the structure of data without any labels.",
        lecture="D:39-43",
        paper="Lloyd 1982; Arthur and Vassilvitskii 2007",
        experiment=clustering,
        bounds={AGREES: (0.99, math.inf), INERTIA: (-math.inf, 1.01)},
        control="two moons and two clusters: what is near a centre need not belong together.",
        budget="50 steps of Lloyd's on 10,000 points of a ring of eight wide Gaussians",
        figure=draw_clustering,
        fast=True,
        note="The centres begin far from each other, one in each mode. Where clusters are round and apart, k-means is "
        "right; moons it cuts in halves.",
    ),
)
