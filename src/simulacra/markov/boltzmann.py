"""Boltzmann machines with connections between any two units, and the Ising model as one of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from simulacra.batch import Batch, Given
from simulacra.errors import UserError
from simulacra.markov.annealing import log_normaliser
from simulacra.markov.rbm import ENUMERATED, states
from simulacra.training.game import Loss

HIDDEN = 12
"""Hidden units whose states are summed over, at most."""


class BoltzmannMachine(nn.Module):
    """A Boltzmann machine: bits s = (v, h), any two of which may be connected.

        E(s) = -b.s - sum_{i<j} W_ij s_i s_j,    F(v) = -log sum_h e^-E(v, h),    P(v) = e^-F(v) / Z

    `energy` is F, in nats; without hidden units it is E. The loss is `F(data) - F(fantasies)`, whose gradient is what
    units do together in the data minus what they do together in the model (the clamped minus the free phase). It is
    exact with `exact`, where log Z by enumeration replaces the fantasies and the loss is the negative log-likelihood;
    else the fantasies are persistent Gibbs chains that update one unit after the other. Encoded x is 0 or 1,
    [B, *shape]; conditions are left aside.

    Args:
        shape: of an event, D bits.
        hidden: H units, at most 12, over which F sums.
        particles: of the persistent chains.
        exact: whether to sum over all states instead, D + H at most 20.
        burn: sweeps of a sample.

    Raises:
        UserError: too many units to sum over.

    Example:
        >>> model = BoltzmannMachine((3,), hidden=1)
        >>> every = Batch(states(3))
        >>> round((-model.energy(every) - model.log_partition()).exp().sum().item(), 5)
        1.0

    Source: Ackley, Hinton and Sejnowski (1985).
    """

    fantasies: Tensor

    def __init__(
        self, shape: tuple[int, ...], *, hidden: int = 0, particles: int = 64, exact: bool = False, burn: int = 100
    ) -> None:
        super().__init__()
        self.shape, self.hidden, self.burn, self.exact = shape, hidden, burn, exact
        self.visible = math.prod(shape)
        if hidden > HIDDEN:
            raise UserError(f"expected at most {HIDDEN} hidden units, came {hidden}; an RBM has room for more")
        self._enumerable(exact)
        units = self.visible + hidden
        self.coupling = nn.Parameter(0.01 * torch.randn(units * (units - 1) // 2))
        self.bias = nn.Parameter(torch.zeros(units))
        size = 0 if exact else particles
        self.register_buffer("fantasies", torch.bernoulli(torch.full((size, self.visible), 0.5)))

    def _enumerable(self, needed: bool = True) -> None:
        units = self.visible + self.hidden
        if needed and units > ENUMERATED:
            raise UserError(f"expected at most {ENUMERATED} units to enumerate, came {units}; use annealed, or chains")

    @property
    def weight(self) -> Tensor:
        """W, symmetric with a diagonal of zeros, [D + H, D + H]."""
        units = len(self.bias)
        upper, lower = torch.triu_indices(units, units, 1, device=self.bias.device)
        full = self.coupling.new_zeros(units, units).index_put((upper, lower), self.coupling)
        return full + full.T

    def log_tempered(self, v: Tensor, beta: float) -> Tensor:
        """`log sum_h exp(b.s + beta sum W s s)` of flat bits [B, D], [B]."""
        weight, d = self.weight, self.visible
        field = v @ self.bias[:d] + beta * ((v @ weight[:d, :d]) * v).sum(1) / 2
        if not self.hidden:
            return field
        h = states(self.hidden).to(v)
        own = h @ self.bias[d:] + beta * ((h @ weight[d:, d:]) * h).sum(1) / 2
        return field + (own + beta * (v @ weight[:d, d:]) @ h.T).logsumexp(1)

    def log_base(self) -> Tensor:
        """The log partition function at beta = 0."""
        return nn.functional.softplus(self.bias).sum()

    @torch.no_grad()
    def base(self, n: int) -> Tensor:
        """n draws at beta = 0, [n, D]."""
        return torch.bernoulli(self.bias[: self.visible].sigmoid().expand(n, -1))

    @torch.no_grad()
    def move(self, v: Tensor, beta: float = 1.0) -> Tensor:
        """One sweep of Gibbs sampling: the hidden state given v, then every bit of v given all others."""
        weight, d = self.weight, self.visible
        s = v
        if self.hidden:
            h = states(self.hidden).to(v)
            own = h @ self.bias[d:] + beta * ((h @ weight[d:, d:]) * h).sum(1) / 2
            chosen = torch.multinomial((own + beta * (v @ weight[:d, d:]) @ h.T).softmax(1), 1)[:, 0]
            s = torch.cat([v, h[chosen]], 1)
        s = s.T.clone(memory_format=torch.contiguous_format)  # a unit of all chains lies together
        uniform = torch.rand(d, s.shape[1], device=s.device, dtype=s.dtype)
        for i in range(d):
            s[i] = uniform[i] < (self.bias[i] + beta * (weight[i] @ s)).sigmoid()
        return s[:d].T.contiguous()

    def energy(self, batch: Batch) -> Tensor:
        """The free energy of events, [B]: -log P(v) - log Z."""
        return -self.log_tempered(batch.x.flatten(1), 1.0)

    def log_partition(self) -> Tensor:
        """log Z by summing over all states.

        Raises:
            UserError: there are more than 20 units; use `annealed`.
        """
        self._enumerable()
        return self.log_tempered(states(self.visible).to(self.bias), 1.0).logsumexp(0)

    def log_normaliser(self) -> tuple[float, float]:
        """log Z and its standard error, by summing or by annealing."""
        return log_normaliser(self)

    def loss(self, batch: Batch) -> Loss:
        """The negative log-likelihood where it is exact, else the contrast of data and persistent chains."""
        data = batch.mean(self.energy(batch))
        if self.exact:
            return Loss({"nll": data + self.log_partition()})
        self.fantasies.copy_(self.move(self.fantasies))
        return Loss({"contrast": data + self.log_tempered(self.fantasies.clone(), 1.0).mean()})

    @torch.no_grad()
    def sample(self, n: int, given: Given = {}) -> Batch:
        """n new events: draws of the enumerated states, or the ends of chains of `burn` sweeps."""
        if self.exact:
            every = states(self.visible).to(self.bias)
            v = every[torch.multinomial(self.log_tempered(every, 1.0).softmax(0), n, replacement=True)]
        else:
            v = self.base(n)
            for _ in range(self.burn):
                v = self.move(v)
        return Batch(v.view(-1, *self.shape), given)


def ising(side: int, temperature: float, coupling: float = 1.0) -> BoltzmannMachine:
    """The Ising model on a torus of `side` x `side`, as a Boltzmann machine of bits v = (1 + spin) / 2.

    `E = -J sum_<ij> spin_i spin_j` at temperature T (Boltzmann constant 1) is `F(v) = E / T` up to a constant, with
    `W_ij = 4 J / T` and `b_i = -8 J / T`. On a torus of side 2 each pair of neighbours has two bonds.

    Raises:
        UserError: the side is below 2, or the temperature is not positive.

    Example:
        >>> model = ising(2, 2.0)
        >>> values = ising_energy(states(4).view(-1, 1, 2, 2))
        >>> torch.allclose(model.energy(Batch(states(4))) - values / 2, torch.full((16,), 4.0))
        True

    Source: Ising (1925); Onsager (1944).
    """
    if side < 2 or temperature <= 0:
        raise UserError(f"expected a side of 2 or more and T > 0, came {side} and {temperature}; choose others")
    model = BoltzmannMachine((1, side, side))
    place = torch.arange(side * side).view(side, side)
    weight = torch.zeros(side * side, side * side)
    for neighbour in (place.roll(-1, 0), place.roll(-1, 1)):
        weight.index_put_((place.flatten(), neighbour.flatten()), torch.tensor(4 * coupling / temperature), True)
    weight = weight + weight.T
    upper, lower = torch.triu_indices(side * side, side * side, 1)
    with torch.no_grad():
        model.coupling.copy_(weight[upper, lower])
        model.bias.fill_(-8 * coupling / temperature)
    return model


def ising_energy(x: Tensor, coupling: float = 1.0) -> Tensor:
    """`-J sum_<ij> spin_i spin_j` of bits [B, 1, L, L] on a torus, [B] in units of J.

    >>> ising_energy(torch.ones(1, 1, 4, 4))
    tensor([-32.])
    """
    spin = 2 * x - 1
    return -coupling * (spin * (spin.roll(1, 2) + spin.roll(1, 3))).flatten(1).sum(1)
