"""Generators on the line, where the Wasserstein distance from the data and its gradient are exact."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor, nn

from simulacra.batch import DataSpec, Field
from simulacra.networks import generator_for
from simulacra.training.game import Loss

Array = np.ndarray
LINE = DataSpec("three Gaussians on the line", "vector", Field((1,)))
CENTRES, SIGMA = (-2.0, 0.0, 2.0), 0.3
HIDDEN = 32, 32
SPREAD = float(np.hypot(np.std(CENTRES), SIGMA))
"""The standard deviation of the data."""


def data(n: int) -> Tensor:
    """Random events [n, 1]."""
    return torch.tensor(CENTRES)[torch.randint(len(CENTRES), (n, 1))] + SIGMA * torch.randn(n, 1)


def quantiles(n: int) -> Tensor:
    """The data's quantiles at (i + 1/2) / n, [n, 1]: they stand for all events."""
    x = np.linspace(-5, 5, 20_001)
    share = norm.cdf(x[:, None], CENTRES, SIGMA).mean(1)
    return torch.tensor(np.interp((np.arange(n) + 0.5) / n, share, x), dtype=torch.float32)[:, None]


def inputs(n: int) -> Tensor:
    """The same quantiles of the noise N(0, 1), [n, 1]."""
    return torch.tensor(norm.ppf((np.arange(n) + 0.5) / n), dtype=torch.float32)[:, None]


def distance(made: Tensor, real: Tensor) -> Tensor:
    """Exact Wasserstein-1 distance of as many events on the line, which are carried in their order."""
    return (made.sort(0).values - real.sort(0).values).abs().mean()


def energy(made: Tensor, real: Tensor) -> Tensor:
    """The squared energy distance, 2 E|x - y| - E|x - x'| - E|y - y'| over different events."""

    def within(x: Tensor) -> Tensor:
        return torch.cdist(x, x).sum() / (len(x) * (len(x) - 1))

    return 2 * torch.cdist(made, real).mean() - within(made) - within(real)


def fresh(activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Module:
    """A generator of one number from one."""
    return generator_for(LINE, 1, hidden=HIDDEN, activation=activation)


def fakes(generator: nn.Module, n: int) -> Tensor:
    """Random events of a generator [n, 1], without a way back to its weights."""
    with torch.no_grad():
        return generator({"z": torch.randn(n, 1)})


def ordered(events: Tensor, x: Tensor) -> Array:
    """The share of events [n, 1] below each of x [N, 1]."""
    return np.searchsorted(events[:, 0].sort().values.numpy(), x[:, 0].numpy()) / len(events)


def step(optimizer: torch.optim.Optimizer, module: nn.Module, loss: Loss | Tensor) -> None:
    """One step of one player; only its own weights get a gradient."""
    total = loss if isinstance(loss, Tensor) else torch.stack(list(loss.parts.values())).sum()
    optimizer.zero_grad()
    total.backward(inputs=list(module.parameters()))
    optimizer.step()


def far(generator: nn.Module, rows: int = 1024) -> float:
    """Exact W1 between generator and data, in standard deviations of the data."""
    with torch.no_grad():
        return distance(generator({"z": inputs(rows)}), quantiles(rows)).item() / SPREAD


def flat(loss: Tensor, module: nn.Module) -> Tensor:
    """The gradient by all weights of a network, in one row; the graph is kept."""
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(module.parameters()), retain_graph=True)])
