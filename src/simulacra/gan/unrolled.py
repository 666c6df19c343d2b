"""A generator that looks ahead: its loss is that of the critic after K more steps, and it knows how they came about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import SGD, Adam, Optimizer

from simulacra.batch import Batch
from simulacra.errors import UserError
from simulacra.gan.gan import GAN
from simulacra.training.game import Loss

Rule = Callable[[Tensor, Tensor], Tensor]
"""(weight, gradient) -> the weight after one step, differentiable in both; remembers its own momenta."""


class Unrolled(nn.Module):
    """Unrolled GAN: the generator's loss at the critic that K steps of the critic's optimiser would make of this one.

    `theta_{k+1} = theta_k - step(grad_theta critic_loss(theta_k, generator))`, and the generator descends
    `generator_loss(theta_K(generator), generator)`. Its gradient has two parts: through the events, as ever, and
    through theta_K, which says how the critic would answer. The answer punishes a generator that leaves for one mode.
    The critic itself trains as ever; K = 0 is the plain game, K -> infinity the generator's loss at the best critic.

    The steps take the batch of the turn, fresh noise each, the optimiser's rate times `factor()`, and a copy of its
    momenta. They are those of one process: gradients are not averaged over ranks within them.

    Args:
        game: its critic's loss leaves a graph to the generator.
        optimizer: that of the critic: SGD (with momentum) or Adam.
        steps: K.
        factor: on the optimiser's rate in this round, as the critic's own schedule has it; 1 where left out.

    Raises:
        UserError: the optimiser is another one, has weight decay, or K is negative.

    Example:
        >>> from simulacra.batch import DataSpec, Field
        >>> from simulacra.gan import NonSaturating, StandardNormal
        >>> from simulacra.networks import critic_for, generator_for
        >>> spec = DataSpec("plane", "vector", Field((2,)))
        >>> game = GAN(generator_for(spec, 4), critic_for(spec), NonSaturating(), StandardNormal(4))
        >>> ahead = Unrolled(game, Adam(game.critic.parameters(), 1e-3), steps=2)
        >>> sorted(ahead.generator_loss(Batch(torch.randn(8, 2))).parts)
        ['generator']

    Source: Metz, Poole, Pfau and Sohl-Dickstein (2017), arXiv 1611.02163.
    """

    def __init__(
        self, game: GAN, optimizer: Optimizer, steps: int = 5, factor: Callable[[], float] = lambda: 1.0
    ) -> None:
        super().__init__()
        if steps < 0:
            raise UserError(f"expected 0 or more unrolled steps, came {steps}; 0 is the plain game")
        _need_known(optimizer)
        self.game, self.optimizer, self.steps, self.factor = game, optimizer, steps, factor

    def forward(self, player: str, batch: Batch) -> Loss:
        """The loss of one player; `functional_call` puts other weights under it."""
        return getattr(self.game, player)(batch)

    def generator_loss(self, batch: Batch) -> Loss:
        """Of the generator, against the critic of K steps ahead."""
        live = {f"game.critic.{n}": p for n, p in self.game.critic.named_parameters() if p.requires_grad}
        weights: dict[str, Tensor] = dict(live)
        rules = {n: _rule(self.optimizer, p, self.factor()) for n, p in live.items()} if self.steps else {}
        for _ in range(self.steps):
            loss: Loss = functional_call(self, weights, ("critic_loss", batch))
            total = torch.stack(list(loss.parts.values())).sum()
            slopes = torch.autograd.grad(total, list(weights.values()), create_graph=True, materialize_grads=True)
            weights = {n: rules[n](w, slope) for (n, w), slope in zip(weights.items(), slopes, strict=True)}
        return functional_call(self, weights, ("generator_loss", batch))


def _need_known(optimizer: Optimizer) -> None:
    plain = ("weight_decay", "amsgrad", "maximize", "nesterov", "dampening")
    extra = [word for group in optimizer.param_groups for word in plain if group.get(word)]
    if not isinstance(optimizer, SGD | Adam) or extra:
        came = f"{type(optimizer).__name__} with {extra[0]}" if extra else type(optimizer).__name__
        raise UserError(
            f"expected plain SGD or Adam for the critic of an unrolled game, came {came}; choose one of them"
        )


def _rule(optimizer: Optimizer, parameter: Tensor, factor: float) -> Rule:
    """The optimiser's next steps on `parameter`, from a copy of its state, at its rate times `factor`."""
    group = next(g for g in optimizer.param_groups if any(p is parameter for p in g["params"]))
    state = optimizer.state.get(parameter, {})
    rate = group["lr"] * factor
    return _adam(group, state, parameter, rate) if isinstance(optimizer, Adam) else _sgd(group, state, rate)


def _sgd(group: dict[str, Any], state: dict[str, Any], rate: float) -> Rule:
    momentum: Tensor | None = state.get("momentum_buffer")

    def step(weight: Tensor, slope: Tensor) -> Tensor:
        nonlocal momentum
        moved = momentum = slope if momentum is None else group["momentum"] * momentum + slope
        return weight - rate * moved

    return step


def _adam(group: dict[str, Any], state: dict[str, Any], parameter: Tensor, rate: float) -> Rule:
    beta1, beta2 = group["betas"]
    nothing = torch.zeros_like(parameter)
    mean, square, count = state.get("exp_avg", nothing), state.get("exp_avg_sq", nothing), int(state.get("step", 0))
    mean, square = mean.clone(), square.clone()  # the optimiser moves its own in place before the graph is used up

    def step(weight: Tensor, slope: Tensor) -> Tensor:
        nonlocal mean, square, count
        mean, square, count = beta1 * mean + (1 - beta1) * slope, beta2 * square + (1 - beta2) * slope**2, count + 1
        moved = square > 0  # the root has no slope at 0
        root = torch.where(moved, square, 1.0).sqrt() * moved / (1 - beta2**count) ** 0.5
        return weight - rate / (1 - beta1**count) * mean / (root + group["eps"])

    return step
