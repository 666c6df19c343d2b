"""How far distributions are apart, and how maps stretch."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import norm

from simulacra.figures.stretching import singular_values
from simulacra.figures.transport import lipschitz_cones, vertical_and_horizontal
from simulacra.figures.transport import transport_plan as plan_figure
from simulacra.gallery._play import numbers


def vertical_horizontal(seed: int = 0) -> Figure:
    """Densities compared at the same x see only whether they overlap; quantiles compared at the same share see how far.

    Lectures: B:165-217

    Jensen-Shannon by the integral of the densities, Wasserstein-1 by that of the cumulative shares, in the titles.
    """
    x = np.linspace(-4, 12, 2000)
    p = norm.pdf(x, 0, 0.8)
    pairs = {}
    for shift in (1.0, 3.5, 8.0):
        q = norm.pdf(x, shift, 0.8)
        js = _js(x, p, q)
        w = float(np.trapezoid(np.abs(norm.cdf(x, 0, 0.8) - norm.cdf(x, shift, 0.8)), x))
        pairs[f"shift {shift:g}"] = (p, q, (f"JS = {js:.3f}", f"W1 = {w:.2f}"))
    return vertical_and_horizontal(x, pairs, np.linspace(0.1, 0.9, 7))


def _js(x: np.ndarray, p: np.ndarray, q: np.ndarray) -> float:
    """1/2 KL(p || m) + 1/2 KL(q || m) with m = (p + q)/2, in nats; log 2 = 0.693 for disjoint ones."""
    from scipy.special import rel_entr

    middle = (p + q) / 2
    return float(np.trapezoid(0.5 * rel_entr(p, middle) + 0.5 * rel_entr(q, middle), x))


def transport_plan(seed: int = 0) -> Figure:
    """The cheapest plan that moves one histogram onto another, as a matrix and as earth that was moved.

    Lectures: B:183-193

    The plan that keeps the order of the earth: on a line it is as cheap as any that linear programming finds (POT).
    """
    import ot

    place = np.arange(10.0)
    start = np.exp(-0.5 * ((place - 2.0) / 1.3) ** 2)
    end = 0.6 * np.exp(-0.5 * ((place - 4.5) / 0.8) ** 2) + np.exp(-0.5 * ((place - 7.5) / 0.9) ** 2)
    start, end = start / start.sum(), end / end.sum()
    distance = np.abs(place[:, None] - place[None])
    plan = np.asarray(ot.emd_1d(place, place, start, end, metric="minkowski", p=1.0))
    return plan_figure(place, start, end, plan, float((plan * distance).sum()))


def lipschitz_cone(seed: int = 0) -> Figure:
    """A function of slope at most 1 never enters the steep cone at any of its points; a steeper one does.

    Lectures: B:219-233
    """
    x = np.linspace(-4, 4, 801)
    calm = 0.6 * np.sin(1.5 * x) + 0.1 * x
    return lipschitz_cones(
        x, {"1-Lipschitz": calm, "not 1-Lipschitz": 2.2 * calm}, (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
    )


def spectral_norm(seed: int = 0) -> Figure:
    """Singular values of a critic's layers with and without spectral normalisation, and how power iteration finds σ.

    Lectures: B:421-475

    Two critics of three hidden layers of 64 play 400 rounds of the non-saturating game on the ring of eight Gaussians.

    Source: Miyato et al. (2018), arXiv 1802.05957.
    """
    matrix = np.array([[1.3, 0.9], [-0.2, 0.8]])
    vector = np.array([-0.55, 0.84])
    iterates = [vector / np.linalg.norm(vector)]
    for _ in range(4):
        step = matrix.T @ matrix @ iterates[-1]
        iterates.append(step / np.linalg.norm(step))
    layers = {"plain": _spectra(seed, False), "spectrally normalised": _spectra(seed, True)}
    return singular_values(layers, matrix, np.stack(iterates))


def _spectra(seed: int, normalised: bool) -> list[np.ndarray]:
    """Singular values of each layer of a critic that has played."""
    from torch.optim import Adam

    from simulacra.domains import open_data
    from simulacra.domains.standard import Standardize
    from simulacra.gan import GAN, NonSaturating, StandardNormal
    from simulacra.networks import critic_for, generator_for, spectrally_normalised
    from simulacra.random import draws, seed_of
    from simulacra.training.game import Experiment, Player, modules
    from simulacra.training.loop import train
    from simulacra.training.stream import DataStream

    data = open_data("toys:ring8", rows=20_000)
    codec = Standardize(data.spec)
    spec, hidden = codec.spec(data.spec), (64, 64, 64)
    with draws(seed_of(seed, "weights")):
        critic = critic_for(spec, hidden=hidden)
        if normalised:
            spectrally_normalised(critic)
        game = GAN(generator_for(spec, 2, hidden=hidden), critic, NonSaturating(), StandardNormal(2))
    first, second = (Adam(net.parameters(), 1e-3, betas=(0.5, 0.9)) for net in (game.critic, game.generator))
    players = [
        Player("critic", game.critic, game.critic_loss, first),
        Player("generator", game.generator, game.generator_loss, second),
    ]
    experiment = Experiment(game, players, codec, 400, 256, modules(game=game))
    with torch.random.fork_rng(devices=[]):
        for _ in train(experiment, {"data": DataStream(data, torch.arange(len(data)), codec, seed=seed)}, seed=seed):
            pass
    game.eval()
    weights = [m.weight for m in critic.modules() if isinstance(m, torch.nn.Linear)]
    return [numbers(torch.linalg.svdvals(w)) for w in weights]
