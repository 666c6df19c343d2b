"""What variational inference rests on: the sign of a divergence, gradients through draws, and draws from an encoder."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.distributions import Distribution

from simulacra.autoencoders import VAE
from simulacra.batch import Batch
from simulacra.claims.claim import Claim, Result
from simulacra.claims.elbo import linear, pieces, pixels
from simulacra.distributions import kl
from simulacra.distributions.priors import diagonal
from simulacra.evaluation.divergences import kullback_leibler, total_variation
from simulacra.figures.curves import Curves, curves
from simulacra.random import draws, reseed

Array = np.ndarray
KINDS = ("categories", "Gaussians")
BELOW, EQUAL = "{}: share of pairs with KL(q, p) < 2 TV^2", "share of |KL(q, q)| above 1e-12 nats"


def pairs(kind: str, seed: int, count: int) -> tuple[Array, Array, Array]:
    """KL(q, p), KL(q, q) and the total variation [count] of random pairs, some of them near each other."""
    draw = np.random.default_rng([seed, len(kind)])
    near = 10 ** draw.uniform(-3, 0, count)
    if kind == "categories":
        q, other = draw.dirichlet(np.full(6, 0.7), (2, count))
        p = (1 - near[:, None]) * q + near[:, None] * other
        measures = ((kullback_leibler, p), (kullback_leibler, q), (total_variation, p))
        found = [np.array([f(*pair) for pair in zip(q, r, strict=True)]) for f, r in measures]
        return found[0], found[1], found[2]
    mean, width = torch.from_numpy(near * draw.normal(size=(2, count)))[..., None]
    first, second = diagonal(torch.zeros_like(mean), torch.ones_like(mean)), diagonal(2 * mean, width.exp())
    at = torch.linspace(-40, 40, 8001, dtype=torch.float64)[:, None, None]
    apart = (first.log_prob(at).exp() - second.log_prob(at).exp()).abs().sum(0) * 0.01 / 2
    z = first.mean
    return kl(first, second, z).numpy(), kl(second, second, z).numpy(), apart.numpy()


def comparing(seed: int, count: int = 4000) -> Result:
    """Divergences of random pairs against Pinsker's bound; in the control with the sign turned, and of p near q."""
    values, control, arrays, same, close = {}, {}, {}, [], []
    for kind in KINDS:
        apart, none, distance = pairs(kind, seed, count)
        values[BELOW.format(kind)] = float((apart < 2 * distance**2).mean())
        control[BELOW.format(kind)] = float((-apart < 2 * distance**2).mean())
        arrays[kind] = np.stack([distance, apart])[:, :400]
        same.append(np.abs(none) > 1e-12)
        close.append(np.abs(apart) > 1e-12)
    values[EQUAL], control[EQUAL] = float(np.mean(same)), float(np.mean(close))
    return Result(values, control, arrays)


def draw_comparing(results: Sequence[Result]) -> Figure:
    marks = {name: (tv, apart / (2 * tv**2)) for name, (tv, apart) in results[0].arrays.items()}
    axes = ("pairs of distributions", "total variation TV", "KL / 2 TV$^2$")
    return curves([Curves(*axes, marks=marks, log="xy", at={"Pinsker's bound": 1.0})], width=4.5)


WAVES = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0)
ERROR, TWO = "Gaussian z: error of the pathwise gradient / it", "z of two values: error of the score function's / it"
SMOOTH, DIGITS = "variance, score function / pathwise, sin(z / 2)", "variance, score function / pathwise, VAE of digits"


def waving(wave: float, n: int, mean: float = 0.5) -> tuple[Tensor, Tensor, float]:
    """d/dm E sin(wave z), z ~ N(m, 1), by n draws of each kind [n]: pathwise, score function; and exactly."""
    noise = torch.randn(n, dtype=torch.float64)
    z = mean + noise
    exact = wave * math.cos(wave * mean) * math.exp(-(wave**2) / 2)
    return wave * (wave * z).cos(), (wave * z).sin() * noise, exact


def switching(chance: float, n: int) -> tuple[float, float, float]:
    """d/dc E (z - 0.4)^2, z = 1 with probability c, else 0: pathwise through a step, score function, and exactly."""
    c = torch.full((n,), chance, dtype=torch.float64, requires_grad=True)
    z = (c - torch.rand(n, dtype=torch.float64)).ceil()
    cost = (z - 0.4).square()
    through = torch.autograd.grad(cost.sum(), c)[0]
    score = (cost * (z - c) / (c * (1 - c))).detach()
    return float(through.mean()), float(score.mean()), 0.6**2 - 0.4**2


def of_codes(model: VAE, x: Tensor, times: int) -> tuple[Tensor, Tensor]:
    """Draws of d/dmu E_q log p(x | z) [times, N, D], pathwise, and by the score function less a constant of x."""
    q = model.encode(Batch(x))
    noise = torch.randn(times, *q.mean.shape, dtype=x.dtype)
    z = (q.mean + q.stddev * noise).detach().requires_grad_()
    seen = torch.stack([model.decode(each).log_prob(x) for each in z])
    path = torch.autograd.grad(seen.sum(), z)[0]
    return path, ((seen - seen.mean(0))[..., None] * noise / q.stddev).detach()


def rewriting(seed: int, n: int = 200_000, rounds: int = 600) -> Result:
    """Gradients through draws and by the score function; controls: a z of two values, a fast wave, and itself."""
    reseed(seed, "rewriting")
    spread, errors = np.zeros((len(WAVES), 2)), {}
    for k, wave in enumerate(WAVES):
        path, score, exact = waving(wave, n)
        spread[k] = float(path.var()), float(score.var())
        errors[wave] = abs(float(path.mean()) / exact - 1)
    through, score, exact = switching(0.3, n)
    x = pixels()
    path, scored = of_codes(linear(x, 8, rounds, seed), x[:: len(x) // 100].double(), 200)
    ratio = spread[:, 1] / spread[:, 0]
    values = {
        ERROR: errors[0.5],
        TWO: abs(score / exact - 1),
        SMOOTH: ratio[WAVES.index(0.5)],
        DIGITS: float(scored.var(0).sum() / path.var(0).sum()),
    }
    control = dict.fromkeys((ERROR, TWO), abs(through / exact - 1)) | {SMOOTH: ratio[-1]}
    control[DIGITS] = float(path[::2].var(0).sum() / path[1::2].var(0).sum())
    gradients = {"pathwise": path[:, 0, 0].numpy(), "score function": scored[:, 0, 0].numpy()}
    return Result(values, control, {"spread": spread, **gradients})


def draw_rewriting(results: Sequence[Result]) -> Figure:
    mean = np.mean([r.arrays["spread"] for r in results], 0)
    lines = {name: (WAVES, mean[:, k]) for k, name in enumerate(("pathwise", "score function"))}
    held = {name: results[0].arrays[name] for name in lines}
    edges = np.linspace(-1, 1, 41) * np.quantile(np.abs(held["score function"]), 0.95)
    steps = {name: (edges, np.histogram(v.clip(*edges[[0, -1]]), edges)[0]) for name, v in held.items()}
    wide = Curves("z ~ N(0.5, 1)", "w of sin(w z)", "variance of a gradient", lines, lines, log="xy")
    return curves([wide, Curves("one digit of a VAE", "gradient by a mean", "draws", steps=steps)])


SIZES = (2, 5, 10, 20)
TOGETHER = 50
"""Draws that go through a decoder at once."""
SOURCES = ("prior", "encoder", "another's encoder")


@torch.no_grad()
def log_weights(model: VAE, x: Tensor, q: Distribution, times: int) -> Tensor:
    """log of p(x | z) p(z) / q(z) at draws of q, [times, N]; its mean over draws estimates p(x)."""
    found = []
    for _ in range(times // TOGETHER):
        z = q.sample((TOGETHER,))
        seen = model.decode(z.flatten(0, 1)).log_prob(x.repeat(TOGETHER, 1)).view(TOGETHER, -1)
        found.append(seen + model.prior().log_prob(z) - q.log_prob(z))
    return torch.cat(found)


@torch.no_grad()
def asking(seed: int, rounds: int = 1000, times: int = 1000, rows: int = 100) -> Result:
    """p(x) of linear VAEs by draws from the prior and the encoder; controls: codes of 2, and another digit's encoder.

    For each source and size the error of log p(x), mean in nats, and the effective share of the draws.
    """
    data = pixels()
    x = data[:: len(data) // rows][:rows].double()
    found = np.zeros((len(SOURCES), len(SIZES), 2))
    for k, size in enumerate(SIZES):
        with torch.enable_grad():
            model = linear(data, size, rounds, seed)
        q, exact = model.encode(Batch(x)), pieces(model, x).evidence
        prior = diagonal(torch.zeros_like(q.mean), torch.ones_like(q.mean))
        other = diagonal(q.mean.roll(1, 0), q.stddev.roll(1, 0))
        with draws(seed):
            for j, source in enumerate((prior, q, other)):
                weights = log_weights(model, x, source, times)
                estimate = weights.logsumexp(0) - math.log(times)
                count = (2 * weights.logsumexp(0) - (2 * weights).logsumexp(0)).exp()
                found[j, k] = float((exact - estimate).mean()), float(count.mean()) / times
    values = dict(zip(ASKED, [*found[0, -1], *found[1, -1]], strict=True))
    control = dict(zip(ASKED, [*found[0, 0], *found[2, -1]], strict=True))
    return Result(values, control, {"found": found})


ASKED = tuple(
    f"{source}, 20 numbers: {what}"
    for source in SOURCES[:2]
    for what in ("log p(x) - estimate of 1,000 draws, nats", "share of draws that count")
)


def draw_asking(results: Sequence[Result]) -> Figure:
    mean, panels = np.mean([r.arrays["found"] for r in results], 0), []
    for k, label in enumerate(("log p(x) - estimate / nats", "share of draws that count")):
        lines = {name: (SIZES, mean[j, :, k]) for j, name in enumerate(SOURCES)}
        panels.append(Curves("a linear VAE of digits", "numbers in a code", label, lines, lines, log="y" if k else ""))
    return curves(panels)


KINGMA = "Kingma and Welling 2014, arXiv 1312.6114"
CLAIMS = (
    Claim(
        name="divergence-is-never-negative",
        statement="The Kullback-Leibler divergence KL(q, p) is never negative, and 0 only where q = p.",
        lecture="C:313",
        paper="Kullback and Leibler 1951; Pinsker 1964",
        experiment=comparing,
        bounds=dict.fromkeys((*(BELOW.format(kind) for kind in KINDS), EQUAL), (-math.inf, 0.0)),
        control="the sum of q log(p / q), as lecture A prints it, and for the last a p that is not quite q.",
        budget="4,000 pairs of distributions over six categories, and of Gaussians",
        figure=draw_comparing,
        fast=True,
        note="KL is at least twice the square of the total variation, half the sum of |q - p|, so that it is 0 only "
        "where that is. One draw of log(q / p), which a VAE without a closed form uses, may be negative.",
    ),
    Claim(
        name="draws-can-be-rewritten",
        statement="Sometimes a random number is a function of its parameters and of noise that has none, through which "
        "a derivative goes.",
        lecture="C:215, A:145-171",
        paper=f"{KINGMA}; Mohamed et al. 2020, arXiv 1906.10652",
        experiment=rewriting,
        bounds={
            ERROR: (-math.inf, 0.05),
            TWO: (-math.inf, 0.05),
            SMOOTH: (2.0, math.inf),
            DIGITS: (2.0, math.inf),
        },
        control="a z of two values, a step of noise, whose derivative is 0; sin(10 z); the same gradients twice.",
        budget="200,000 draws of each wave, 600 rounds of a linear VAE of digits of 8 x 8",
        figure=draw_rewriting,
        fast=True,
        note="Sometimes: not where z has values apart, for which the score function, E f(z) d log p(z), still "
        "works. The pathwise gradient varies less where f is smooth on the scale of the draws, as an error of "
        "pictures is, and more where it is not. The score function has a mean of each digit subtracted.",
    ),
    Claim(
        name="an-encoder-makes-the-integral-tractable",
        statement="The integral p(x) over codes cannot be had by asking every code; an encoder makes it tractable.",
        lecture="D:181-183",
        paper=f"{KINGMA}; Burda et al. 2016, arXiv 1509.00519",
        experiment=asking,
        bounds=dict(zip(ASKED, ((1.0, math.inf), (-math.inf, 0.005), (-math.inf, 0.5), (0.1, math.inf)), strict=True)),
        control="for the prior codes of 2 numbers, for the encoder that of another digit.",
        budget="1,000 rounds of linear VAEs of 2 to 20 codes on digits of 8 x 8, 1,000 draws of 100 digits",
        figure=draw_asking,
        fast=True,
        note="log p(x) of a linear VAE is known. Draws count as the squared sum of their weights over the sum of "
        "squares: where it is near one draw, the estimate is that draw's.",
    ),
)
