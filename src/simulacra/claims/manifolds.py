"""Images fill next to nothing of the space of pixels, and what follows for those who tell them apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch import Tensor
from torch.optim import Adam

from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.evaluation.memorisation import nearest_distance
from simulacra.figures.manifolds import accuracies, dimensions, nearest
from simulacra.gan import GAN, GradientPenalty, NonSaturating, StandardNormal, Wasserstein
from simulacra.networks import MLP, critic_for, generator_for
from simulacra.random import reseed

Array = np.ndarray
PIXELS, TOP = 64, 16
"""Pixels of a digit, and their largest value; values are whole."""


@cache
def digits() -> Array:
    """The 1,797 handwritten digits of 8 x 8 pixels that come with scikit-learn [1797, 64]."""
    return np.asarray(load_digits().data, dtype=float)  # pyright: ignore[reportAttributeAccessIssue]


def shuffled(x: Array, draw: np.random.Generator) -> Array:
    """Each pixel's values dealt out anew to the images: every pixel keeps its distribution and forgets the others."""
    return draw.permuted(x, axis=0)


def random_images(seed: int, count: int = 100_000) -> Result:
    """Nearest real neighbours of random images; the control asks real images that were held back."""
    draw = np.random.default_rng(seed)
    x = draw.permutation(digits())
    real, held = x[: len(x) // 2], x[len(x) // 2 :]
    kinds = {
        "uniform pixels": draw.integers(0, TOP + 1, (count, PIXELS)).astype(float),
        "each pixel as in real images": held[draw.integers(0, len(held), (count, PIXELS)), np.arange(PIXELS)],
    }
    far = {name: nearest_distance(made, real) for name, made in kinds.items()}
    usual = nearest_distance(held, real)
    limit = float(np.quantile(usual, 0.999))
    values = {f"{name}: smallest distance / real": float(v.min()) / limit for name, v in far.items()}
    best = {f"image, {name}": made[far[name].argmin()] for name, made in kinds.items()}
    bins = np.linspace(0, max(v.max() for v in far.values()), 81)
    counts = {
        f"counts, {k}": np.histogram(v, bins)[0] / len(v) for k, v in {"real images held back": usual, **far}.items()
    }
    return Result(
        values,
        dict.fromkeys(values, float(usual.min()) / limit),
        {"bins": bins, "limit": np.array(limit), "image, real": held[0], **counts, **best},
    )


def draw_random_images(results: Sequence[Result]) -> Figure:
    return nearest(results[0].arrays)


def two_nn(x: Array, drop: float = 0.1) -> float:
    """The dimension of the manifold near which points [N, D] lie, from their two nearest neighbours.

    With mu the second distance over the first, F(mu) = 1 - mu^-d wherever the density is constant over both: d is
    the slope of -log(1 - F) against log mu, without the largest tenth.

    >>> plane = np.random.default_rng(0).uniform(size=(2000, 2)) @ np.random.default_rng(1).normal(size=(2, 30))
    >>> bool(abs(two_nn(plane) - 2) < 0.2)
    True

    Facco et al. (2017), Scientific Reports 7, 12140 (arXiv 1803.06992).
    """
    points = torch.as_tensor(x)
    near = torch.cdist(points, points).topk(3, dim=1, largest=False).values[:, 1:].numpy()
    near = near[near[:, 0] > 0]
    mu = np.sort(np.log(near[:, 1] / near[:, 0]))[: int((1 - drop) * len(near))]
    rest = -np.log1p(-(np.arange(len(mu)) + 1) / len(near))
    return float(mu @ rest / (mu @ mu))


def components(x: Array, share: float = 0.95) -> int:
    """Principal components that hold this share of the variance."""
    spread = np.linalg.svd(x - x.mean(0), compute_uv=False) ** 2
    return int(np.searchsorted(np.cumsum(spread) / spread.sum(), share)) + 1


def intrinsic(seed: int) -> Result:
    """Dimensions of a random half of the digits; in the control pixels are shuffled between images."""
    draw = np.random.default_rng(seed)
    x = draw.permutation(digits())[: len(digits()) // 2]
    mixed = shuffled(x, draw)
    name = "intrinsic dimension / pixels"
    arrays = {}
    for kind, held in {"digits": x, "shuffled": mixed}.items():
        spread = np.linalg.svd(held - held.mean(0), compute_uv=False) ** 2
        arrays |= {f"{kind}, variance": np.cumsum(spread) / spread.sum(), f"{kind}, dimension": np.array(two_nn(held))}
    return Result({name: two_nn(x) / PIXELS}, {name: two_nn(mixed) / PIXELS}, arrays)


def correlated(seed: int) -> Result:
    """Linear components against the intrinsic dimension; the control is a Gaussian on a subspace of that dimension."""
    draw = np.random.default_rng(seed)
    x = draw.permutation(digits())[: len(digits()) // 2]
    size = round(two_nn(x))
    flat = draw.normal(size=(len(x), size)) @ draw.normal(size=(size, PIXELS))
    name = "components for 95 % of the variance / intrinsic dimension"
    return Result({name: components(x) / two_nn(x)}, {name: components(flat) / two_nn(flat)}, intrinsic(seed).arrays)


def draw_dimensions(results: Sequence[Result]) -> Figure:
    return dimensions([r.arrays for r in results], PIXELS)


STEPS = (0, 3, 10, 30, 100, 300, 1000)
"""Of a fresh discriminator, at which its accuracy is looked at."""


def trained_generator(x: Tensor, rounds: int, turns: int = 3, rows: int = 128) -> GAN:
    """A WGAN with gradient penalty on points, whose rates fall linearly to 0."""
    spec, hidden = DataSpec("images", "vector", Field((x.shape[1],))), (128, 128)
    generator, critic = generator_for(spec, 16, hidden=hidden), critic_for(spec, offset=False, hidden=hidden)
    game = GAN(generator, critic, Wasserstein(), StandardNormal(16), [GradientPenalty(1.0)])
    players = [
        (net, loss, Adam(net.parameters(), 1e-3, betas=(0.5, 0.9)))
        for net, loss in ((critic, game.critic_loss), (generator, game.generator_loss))
    ]
    for k in range(rounds):
        for net, play, optimizer in [players[0]] * turns + [players[1]]:
            optimizer.param_groups[0]["lr"] = 1e-3 * (1 - k / rounds)
            optimizer.zero_grad()
            loss = play(Batch(x[torch.randint(len(x), (rows,))]))
            torch.stack(list(loss.parts.values())).sum().backward(inputs=list(net.parameters()))
            optimizer.step()
    return game


def fresh(
    real: tuple[Tensor, Tensor], fake: tuple[Tensor, Tensor], noise: float, steps: Sequence[int] = STEPS
) -> Array:
    """Accuracy of a new discriminator on events that it has not seen, after each number of steps.

    Args:
        real: to train on and to test with, each [n, D]; fake: likewise.
        noise: standard deviation of what is added to both sides.
    """
    network = MLP(real[0].shape[1], 1, hidden=(128, 128))
    optimizer = Adam(network.parameters(), 1e-3)

    def blurred(x: Tensor) -> Tensor:
        return x + noise * torch.randn_like(x)

    found = []
    for k in range(max(steps) + 1):
        if k in steps:
            with torch.no_grad():
                hits = (network(blurred(real[1])) > 0).float().mean() + (network(blurred(fake[1])) <= 0).float().mean()
            found.append(hits.item() / 2)
        one, two = (blurred(side[0][torch.randint(len(side[0]), (128,))]) for side in (real, fake))
        optimizer.zero_grad()
        NonSaturating().critic(network(one), network(two)).mean().backward()
        optimizer.step()
    return np.array(found)


def separating(seed: int, rounds: int = 1000, steps: Sequence[int] = STEPS) -> Result:
    """A fresh discriminator on digits and on a trained generator's; in the control both sides are real.

    Fakes are rounded to whole values, as images are. Noise is in units of the pixels' common standard deviation.
    """
    reseed(seed, "fresh-discriminators")
    x = torch.from_numpy(np.random.default_rng(seed).permutation(digits())).float()
    centre, scale = x.mean(0), x.std()
    game = trained_generator((x - centre) / scale, rounds)

    def made(n: int) -> Tensor:
        whole = (game.sample(n).x * scale + centre).round().clamp(0, TOP)
        return (whole - centre) / scale

    y = (x - centre) / scale
    third = len(y) // 3
    real, fake = (y[:third], y[third : 2 * third]), (made(third), made(third))
    found = {f"noise {noise:g}": fresh(real, fake, noise, steps) for noise in (0.0, 0.5, 1.0, 2.0)}
    same = fresh(real, (y[2 * third :], y[torch.randperm(len(y))[:third]]), 0.0, steps)
    names = "accuracy without noise", "accuracy with noise 2"
    arrays = {"steps": np.array(steps), **found, "real against real": same, "made": fake[0][:8].numpy() * scale.item()}
    arrays["made"] = arrays["made"] + centre.numpy()
    return Result(
        {names[0]: float(found["noise 0"][-1]), names[1]: float(found["noise 2"][-1])},
        {names[0]: float(same[-1]), names[1]: float(found["noise 0"][-1])},
        arrays,
    )


def draw_separating(results: Sequence[Result]) -> Figure:
    return accuracies([r.arrays for r in results])


CLAIMS = (
    Claim(
        name="random-images-never-come-near",
        statement="Of 100,000 random images none comes near a real one.",
        lecture="A:486-503, B:73-89",
        paper="Goodfellow, Bengio and Courville 2016, Deep Learning, section 5.11.3",
        experiment=random_images,
        bounds={
            "uniform pixels: smallest distance / real": (1.0, math.inf),
            "each pixel as in real images: smallest distance / real": (1.0, math.inf),
        },
        control="real images that were held back.",
        budget="100,000 images of each kind against 898 digits of 8 x 8 pixels",
        figure=draw_random_images,
        fast=True,
        note="In units of the distance within which 99.9 % of real images have a neighbour. True of noise. With every "
        "pixel drawn from its own distribution the best of 100,000 is as near as real images are, even at 8 x 8.",
    ),
    Claim(
        name="images-lie-near-a-thin-manifold",
        statement="Meaningful images are concentrated near manifolds of very little volume in many dimensions.",
        lecture="A:480, B:69",
        paper="Facco et al. 2017, arXiv 1803.06992",
        experiment=intrinsic,
        bounds={"intrinsic dimension / pixels": (-math.inf, 0.25)},
        control="every pixel's values shuffled between images.",
        budget="898 digits of 8 x 8 pixels",
        figure=draw_dimensions,
        fast=True,
    ),
    Claim(
        name="correlations-are-high-dimensional",
        statement="Correlations between pixels are high dimensional.",
        lecture="A:483, B:73",
        paper="Facco et al. 2017, arXiv 1803.06992",
        experiment=correlated,
        bounds={"components for 95 % of the variance / intrinsic dimension": (2.0, math.inf)},
        control="a Gaussian on a linear subspace of the same intrinsic dimension.",
        budget="898 digits of 8 x 8 pixels",
        figure=draw_dimensions,
        fast=True,
        note="The manifold is curved: it takes three times as many linear components as it has dimensions.",
    ),
    Claim(
        name="fresh-discriminators-separate",
        statement="In spaces of many dimensions real and generated samples are disjoint.",
        lecture="B:177, B:217",
        paper="Arjovsky and Bottou 2017, arXiv 1701.04862; Sønderby et al. 2017, arXiv 1610.04490",
        experiment=separating,
        bounds={"accuracy without noise": (0.99, math.inf), "accuracy with noise 2": (-math.inf, 0.95)},
        control="a fresh discriminator to whom both sides are real; for the noise, the one without.",
        budget="a WGAN-GP of 1,000 rounds, and 1,000 steps of five fresh discriminators, on 128 + 128 digits",
        figure=draw_separating,
        fast=True,
        note="Accuracy on digits that were not seen, after 599 of each side; all have whole pixel values. Noise of "
        "twice the pixels' standard deviation makes the two overlap.",
    ),
)  # fmt: skip
