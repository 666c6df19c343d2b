"""The adversarial game: its optimum, its cycles, its losses and its course."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import norm

from simulacra.batch import Batch
from simulacra.domains.toys import TOYS
from simulacra.figures.curves import Curves, curves
from simulacra.figures.duels import Moment, losses_and_quality, moments, quadrants
from simulacra.gallery._play import Game, numbers, play
from simulacra.random import draws


def goodfellow_panels(seed: int = 0) -> Figure:
    """Four moments of a one-dimensional GAN: a poor discriminator, the optimal one, a moved generator, the end.

    Lectures: A:376-388, C:664-690

    D* = p / (p + q) is exact; the poor one has made one Newton step from 1/2, its logit linear in x.
    The generator maps z ~ U(0, 1) by its quantile function.

    Source: Goodfellow et al. (2014), arXiv 1406.2661, figure 1.
    """
    x = np.linspace(-4.5, 4.5, 400)
    z = np.linspace(0.06, 0.94, 12)
    p = norm.pdf(x, -0.5, 1.0)

    def moment(title: str, mean: float, deviation: float, best: bool) -> Moment:
        q = norm.pdf(x, mean, deviation)
        d = p / (p + q) if best else _linear(x, p, q)
        return Moment(title, p, q, d, -4.5 + 9 * z, norm.ppf(z, mean, deviation))

    return moments(
        x,
        [
            moment("(a) D after one step", 1.6, 0.6, False),
            moment("(b) D = p / (p + q)", 1.6, 0.6, True),
            moment("(c) G followed D's slope", 0.4, 0.8, True),
            moment("(d) q = p, D = 1/2", -0.5, 1.0, True),
        ],
    )


def trained_panels(seed: int = 0) -> Figure:
    """A one-dimensional GAN while it learns: densities, its discriminator beside the best one, and where latents go.

    Lectures: A:376-388, C:664-690

    The mixture of two Gaussians of `toys:mixture1d`. Densities of generated events are histograms of 100,000. Dashed
    is the discriminator that was trained; the best one for the same generator would be p / (p + q).
    """
    at = (20, 200, 600, 2000)
    edges = np.linspace(-4.5, 4.5, 181)
    x = (edges[1:] + edges[:-1]) / 2
    panels: list[Moment] = []

    def look(round_: int, game: Game) -> None:
        if round_ not in at:
            return
        both: Any = game.experiment.learners["game"]  # type: ignore[index]
        codec = game.experiment.codec
        with torch.no_grad():
            inside = codec.encode(Batch(torch.from_numpy(x).float()[:, None])).x
            score = both.judge(Batch(inside)).score.flatten()
            z = torch.linspace(-2, 2, 12)[:, None]
            moved = codec.decode(both.push({"z": z})).x[:, 0]
            with draws(seed):
                made = codec.decode(both.sample(100_000)).x[:, 0].numpy()
        p = torch.from_numpy(x).float()[:, None]
        data = TOYS["mixture1d"].log_prob(p).exp().numpy()
        drawn = np.histogram(made, edges)[0] / len(made) / (x[1] - x[0])
        title = f"after {round_:,} rounds"
        panels.append(Moment(title, data, drawn, numbers(torch.sigmoid(score)), numbers(z[:, 0]), numbers(moved)))

    play("gan", "toys:mixture1d", seed, max(at), look, latent=1, hidden=64)
    return moments(x, panels)


def _linear(x: np.ndarray, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The discriminator sigmoid(a + b x) after one Newton step on the expected cross entropy from d = 1/2; [N]."""
    basis = np.stack([np.ones_like(x), x], 1)
    slope = basis.T @ (p - q) / 2
    bend = basis.T @ (basis * ((p + q) / 4)[:, None])
    return 1 / (1 + np.exp(-basis @ np.linalg.solve(bend, slope)))


def five_states(seed: int = 0) -> Figure:
    """The game V = x y never reaches its equilibrium: five states by sign, the fifth being the first again.

    Lectures: D:436-443

    The path is that of simultaneous gradient steps of 0.05 over one turn: x' = x - y/20, y' = y + x/20.
    """
    path = [np.array([1.0, 0.35])]
    for _ in range(126):
        x, y = path[-1]
        path.append(np.array([x - 0.05 * y, y + 0.05 * x]))
    return quadrants(np.stack(path))


def saturation(seed: int = 0) -> Figure:
    """The minimax loss of the generator has no slope where the discriminator is sure; the non-saturating one has.

    Lectures: D:302-324, B:131, B:733-746

    Slopes are with respect to the score, d = sigmoid(score): 'd' and '1 - d'; the losses are the package's own.
    """
    from simulacra.gan import Minimax, NonSaturating

    score = torch.linspace(-7, 7, 400, dtype=torch.float64, requires_grad=True)
    d = numbers(torch.sigmoid(score))
    values, slopes = {}, {}
    for name, objective in (("log(1 - d), minimax", Minimax()), ("-log d, non-saturating", NonSaturating())):
        loss = objective.generator(None, score)
        (slope,) = torch.autograd.grad(loss.sum(), score)
        values[name], slopes[name] = (d, numbers(loss)), (d, numbers(slope.abs()))
    where = "d(G(z)): fakes taken for real"
    return curves(
        [
            Curves("what the generator minimises", where, "loss", values),
            Curves("how much it learns from a fake", where, "|slope of the loss by the score|", slopes),
        ]
    )


def loss_and_quality(seed: int = 0) -> Figure:
    """Losses of the players with the distance of their samples from the data: a GAN's tell little, a WGAN's much.

    Lectures: B:128-129, B:305-317, A:361-371

    On the ring of eight Gaussians, 2,000 rounds each. The distance is sliced W1 of 2,000 points (100 directions);
    the note is Spearman's rank correlation of the first loss, averaged about each look, with it. The critic's loss
    is without its penalty.
    """
    games = {}
    for recipe, title in (("gan", "GAN"), ("wgan_gp", "WGAN-GP")):
        quality: list[tuple[float, float]] = []

        def look(k: int, game: Game, quality: list[tuple[float, float]] = quality) -> None:
            if k % 50 == 0 or k == 10:
                quality.append((k, _sliced(game, 2000)))

        game = play(recipe, "toys:ring8", seed, 2000, look, ema=0.9)
        critic = [(k, v) for k, v in game.losses["critic/critic"]]
        generator = [(k, v) for k, v in game.losses["generator/generator"]]
        losses = {"discriminator's loss": critic, "generator's loss": generator}
        if recipe == "wgan_gp":  # the generator's is a height above no known ground
            losses = {"critic's loss, negated": [(k, -v) for k, v in critic]}
        games[title] = (losses, quality, _rank(critic, quality))
    return losses_and_quality(games, "sliced W1 to the data")


def _sliced(game: Game, n: int) -> float:
    import ot

    real, made = (numbers(b.x) for b in (game.part("test", n), game.sample(n)))
    found: Any = ot.sliced_wasserstein_distance(real, made, n_projections=100, p=1, seed=game.seed)
    return float(found)


def _rank(losses: list[tuple[float, float]], quality: list[tuple[float, float]]) -> str:
    from scipy.stats import spearmanr

    rounds, values = np.array(losses).T
    near = [values[np.abs(rounds - k) <= 25].mean() for k, _ in quality]
    found: Any = spearmanr(np.abs(near), [v for _, v in quality])
    return f"ρ(|loss|, distance) = {found.statistic:+.2f}"
