"""What can be learned from data with labels and without, and how the models that do are related."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from simulacra.figures.planes import Frame, Plane, mesh, planes
from simulacra.figures.sketches import tree

PLACES: dict[str, tuple[str, str]] = {
    "autoregressive": ("explicit density", "exact"),
    "flow": ("explicit density", "exact"),
    "mixture": ("explicit density", "exact"),
    "vae": ("explicit density", "a bound"),
    "autoencoder": ("explicit density", "a bound"),
    "diffusion": ("explicit density", "a bound"),
    "markov": ("explicit density", "up to a constant"),
    "gan": ("implicit density", "sampled directly"),
    "classical": ("baselines", "nothing learned, or little"),
}
"""Where each family of recipes stands in the taxonomy."""


def taxonomy(seed: int = 0) -> Figure:
    """The recipes of this package in Goodfellow's taxonomy of generative models, by their own metadata.

    Lectures: D:104, C:80-94

    Source: Goodfellow, "NIPS 2016 tutorial: generative adversarial networks" (2016, arXiv:1701.00160), figure 9.
    """
    from simulacra import recipes

    branches: dict[str, dict[str, Any]] = {"explicit density": {"exact": {}, "a bound": {}}, "implicit density": {}}
    for name, row in sorted(recipes.table().items()):
        family = row.get("family", "")
        first, second = PLACES.get(family, ("others", "of no family above"))
        branches.setdefault(first, {}).setdefault(second, {}).setdefault(family, []).append(name)
    return tree({a: {b: c for b, c in rest.items() if c} for a, rest in branches.items()}, "generative models")


def _two_classes(seed: int, n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Two Gaussian classes of unequal covariance; points [2 n, 2] and labels [2 n]."""
    draw = np.random.default_rng(seed)
    first = draw.normal(size=(n, 2)) @ [[1.0, 0.45], [0.0, 0.5]] + [-1.2, 0.4]
    second = draw.normal(size=(n, 2)) @ [[0.45, 0.0], [-0.2, 0.8]] + [1.3, -0.4]
    return np.concatenate([first, second]), np.repeat([0, 1], n)


def generative_discriminative(seed: int = 0) -> Figure:
    """A generative model of two classes has densities and makes new points; a discriminative one has a boundary only.

    Lectures: D:49-85

    Gaussian discriminant analysis, and logistic regression on the same points.
    """
    from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression

    x, y = _two_classes(seed)
    frame: Frame = (-5, 5, -4, 4)
    places = mesh(frame).reshape(-1, 2)
    gaussian = QuadraticDiscriminantAnalysis(store_covariance=True).fit(x, y)
    logistic = LogisticRegression().fit(x, y)
    joint = np.stack([_normal(places, m, c) / 2 for m, c in zip(gaussian.means_, gaussian.covariance_, strict=True)])
    shape = (120, 120)
    draw = np.random.default_rng(seed + 1)
    made = [
        draw.multivariate_normal(m, c, size=300) for m, c in zip(gaussian.means_, gaussian.covariance_, strict=True)
    ]
    levels = [0.002, 0.01, 0.04, 0.1]
    clouds = {"class a": x[y == 0], "class b": x[y == 1]}
    return planes(
        [
            Plane(
                "generative: p(x, y), hence p(y | x)",
                joint.sum(0).reshape(shape),
                cmap="Greys",
                contours={
                    "p(x, a)": (joint[0].reshape(shape), levels),
                    "p(x, b)": (joint[1].reshape(shape), levels),
                    "boundary": ((joint[1] / joint.sum(0)).reshape(shape), [0.5]),
                },
            ),
            Plane("and new points from it", clouds=dict(zip(clouds, made, strict=True))),
            Plane(
                "discriminative: p(b | x), no density",
                logistic.predict_proba(places)[:, 1].reshape(shape),
                (0.0, 1.0),
                "PuOr",
                {"boundary": (logistic.predict_proba(places)[:, 1].reshape(shape), [0.5])},
                clouds,
            ),
        ],
        frame,
    )


def _normal(x: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    from scipy.stats import multivariate_normal

    law: Any = multivariate_normal
    return np.asarray(law(mean, covariance).pdf(x))


def bayes_rule(seed: int = 0) -> Figure:
    """Bayes' rule put together from its densities: p(y | x) = p(x | y) p(y) / p(x), each exact.

    Lectures: D:57-65
    """
    frame: Frame = (-4, 4, -3, 3)
    places = mesh(frame)
    prior = 0.75, 0.25
    a = _normal(places, np.array([-1.0, 0.0]), np.array([[1.2, 0.4], [0.4, 0.6]]))
    b = _normal(places, np.array([1.3, 0.4]), np.array([[0.5, -0.2], [-0.2, 0.9]]))
    total = prior[0] * a + prior[1] * b
    posterior = prior[1] * b / total
    top = float(max(a.max(), b.max()))
    middle = {"p(a | x) = p(b | x)": (posterior, [0.5])}
    return planes(
        [
            Plane("p(x | a)", a, (0, top)),
            Plane("p(x | b)", b, (0, top)),
            Plane("p(x) = ¾ p(x | a) + ¼ p(x | b)", total, (0, top)),
            Plane("p(a) p(x | a), p(a) = ¾", prior[0] * a, (0, top)),
            Plane("p(b) p(x | b), p(b) = ¼", prior[1] * b, (0, top)),
            Plane("p(b | x) = p(b) p(x | b) / p(x)", posterior, (0.0, 1.0), "PuOr", middle),
        ],
        frame,
    )


def unsupervised(seed: int = 0) -> Figure:
    """What is learned from the same points without a label: clusters, directions, and the density itself.

    Lectures: D:40-46, A:84-95

    k-means, principal components (two standard deviations long), and a Gaussian kernel density estimate.
    """
    from scipy.stats import gaussian_kde
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA

    draw = np.random.default_rng(seed)
    centres = np.array([[-2.2, -1.2], [0.3, 0.2], [2.0, 2.2]])
    x = np.concatenate([draw.normal(size=(200, 2)) @ [[0.7, 0.25], [0.0, 0.5]] + c for c in centres])
    frame: Frame = (-5.0, 5.0, -4.0, 4.5)
    means = KMeans(3, random_state=seed).fit(x)
    components = PCA().fit(x)
    ends = components.mean_ + 2 * np.sqrt(components.explained_variance_)[:, None] * components.components_
    density = gaussian_kde(x.T)(mesh(frame).reshape(-1, 2).T).reshape(120, 120)
    share = components.explained_variance_ratio_[0]
    order = np.argsort(means.cluster_centers_[:, 0])
    return planes(
        [
            Plane(
                "clustering: k-means",
                clouds={f"cluster {k + 1}": x[means.labels_ == which] for k, which in enumerate(order)},
                stars={"cluster mean": means.cluster_centers_},
            ),
            Plane(
                f"reduction: PCA, {share:.0%} on one axis",
                clouds={"points": x},
                arrows=(np.repeat(components.mean_[None], 2, 0), ends),
            ),
            Plane("density estimation: kernels", density, clouds={}),
        ],
        frame,
    )
