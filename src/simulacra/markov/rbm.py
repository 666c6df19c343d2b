"""The restricted Boltzmann machine, trained by contrastive divergence."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from simulacra.batch import Batch, Given
from simulacra.errors import UserError
from simulacra.markov.annealing import log_normaliser
from simulacra.training.game import Loss

ENUMERATED = 20
"""Units whose states are all summed over, at most."""
FOLLOW = 0.01
"""How fast the offsets of hidden units follow, a round."""


class RBM(nn.Module):
    """A restricted Boltzmann machine: bits v and h with connections between the two layers only.

        E(v, h) = -b.v - c.h - (v - m) W (h - l),    F(v) = -log sum_h e^-E(v, h)

    and `P(v) = e^-F(v) / Z`. `energy` is the free energy F, so it is -log P up to the constant log Z, in nats. The loss
    is the contrastive difference `F(data) - F(fantasies)` with fantasies held fixed: its gradient is that of the
    negative log-likelihood where the fantasies come from the model, but its value is no measure of progress. They
    are k Gibbs steps away from the data (CD-k, biased: it follows the difference of two divergences) or from where they
    were left a round ago (`persistent`, which loses its bias as the learning rate falls). Encoded x is 0 or 1,
    [B, *shape]; conditions are left aside.

    The offsets m and l are 0 in the textbooks' machine. Of a `centred` one m is the mean of the first data, l follows
    sigmoid(c), what hidden units are at m, and b moves along so that P stays as it is. That adds no distribution, but
    makes the gradient of W one of covariances: without offsets all weights of a pixel that is mostly black push the
    same way.

    Args:
        shape: of an event, D bits.
        hidden: H units.
        steps: k.
        particles: of the persistent chains; 0 for chains that start at the data.
        burn: Gibbs steps of a sample, from where one of the persistent chains was left, or else from independent bits.
        centred: offsets that follow the data, from `begin` on.

    Example:
        >>> model = RBM((2,), 3)
        >>> batch = Batch(torch.tensor([[0.0, 1.0], [1.0, 1.0]]))
        >>> (-model.energy(batch) - model.log_partition()).exp().shape, model.sample(4).x.shape
        (torch.Size([2]), torch.Size([4, 2]))

    Source: Hinton (2002), CD-k; Tieleman (2008), persistent CD; Smolensky (1986); Montavon and Müller, "Deep Boltzmann
    machines and the centering trick" (2012).
    """

    fantasies: Tensor
    visible_offset: Tensor
    hidden_offset: Tensor

    def __init__(
        self,
        shape: tuple[int, ...],
        hidden: int,
        *,
        steps: int = 1,
        particles: int = 0,
        burn: int = 500,
        centred: bool = False,
    ) -> None:
        super().__init__()
        self.shape, self.steps, self.burn, self.centred = shape, steps, burn, centred
        visible = math.prod(shape)
        self.weight = nn.Parameter(0.01 * torch.randn(visible, hidden))
        self.bias, self.hidden_bias = nn.Parameter(torch.zeros(visible)), nn.Parameter(torch.zeros(hidden))
        self.register_buffer("fantasies", torch.bernoulli(torch.full((particles, visible), 0.5)))
        self.register_buffer("visible_offset", torch.zeros(visible))
        self.register_buffer("hidden_offset", torch.zeros(hidden))

    @torch.no_grad()
    def begin(self, batch: Batch) -> None:
        """Centres the machine on data, and begins chains and biases with bits that are as often 1 as there."""
        data = batch.x.flatten(1)
        often = (data.sum(0) + 0.5) / (len(data) + 1)
        self.visible_offset.copy_(often)
        self.bias.copy_(often.logit())
        self.hidden_offset.fill_(0.5)
        self.fantasies.copy_(self.base(len(self.fantasies)))

    def free_energy(self, v: Tensor) -> Tensor:
        """F of flat bits [B, D], [B]."""
        return -self.log_tempered(v, 1.0)

    def energy(self, batch: Batch) -> Tensor:
        """The free energy of events, [B]: -log P(v) - log Z."""
        return self.free_energy(batch.x.flatten(1))

    def log_tempered(self, v: Tensor, beta: float) -> Tensor:
        """`log sum_h exp(b.v + beta (c.h + (v - m) W (h - l)))`, [B]: independent bits at beta 0, the machine at 1."""
        field = self.field(v)
        lead = v @ self.bias - beta * (field - self.hidden_bias) @ self.hidden_offset
        return lead + functional.softplus(beta * field).sum(1)

    def log_base(self) -> Tensor:
        """The log partition function at beta = 0."""
        return functional.softplus(self.bias).sum() + len(self.hidden_bias) * math.log(2)

    @torch.no_grad()
    def base(self, n: int) -> Tensor:
        """n draws at beta = 0, [n, D]."""
        return torch.bernoulli(self.bias.sigmoid().expand(n, -1))

    @torch.no_grad()
    def move(self, v: Tensor, beta: float = 1.0) -> Tensor:
        """One Gibbs step of flat bits: all hidden units given v, then all of v given them."""
        h = torch.bernoulli((beta * self.field(v)).sigmoid())
        return torch.bernoulli((self.bias + beta * (h - self.hidden_offset) @ self.weight.T).sigmoid())

    def field(self, v: Tensor) -> Tensor:
        """`c + (v - m) W`, [B, H]: the log odds that a hidden unit is 1."""
        return self.hidden_bias + (v - self.visible_offset) @ self.weight

    @torch.no_grad()
    def centre(self) -> None:
        """Moves the hidden offsets a little towards sigmoid(c), and b so that the distribution stays as it is."""
        change = FOLLOW * (self.hidden_bias.sigmoid() - self.hidden_offset)
        self.hidden_offset += change
        self.bias += self.weight @ change

    def loss(self, batch: Batch) -> Loss:
        """The contrastive difference of free energies; persistent chains and offsets move on with every call."""
        data = batch.x.flatten(1)
        if self.centred:
            self.centre()
        v = self.fantasies if len(self.fantasies) else data
        for _ in range(self.steps):
            v = self.move(v)
        dreamt = self.free_energy(v)
        if len(self.fantasies):
            self.fantasies.copy_(v)
            model = dreamt.mean()
        else:
            model = batch.mean(dreamt)
        return Loss({"contrast": batch.mean(self.free_energy(data)) - model})

    @torch.no_grad()
    def log_partition(self) -> Tensor:
        """log Z by summing over all states of the smaller layer.

        Raises:
            UserError: both layers have more than 20 units; use `annealed`.
        """
        visible, hidden = self.weight.shape
        if min(visible, hidden) > ENUMERATED:
            raise UserError(
                f"expected a layer of at most {ENUMERATED} units to sum over, came {visible} and {hidden}; use annealed"
            )
        if hidden <= visible:
            h = states(hidden).to(self.weight)
            back = (h - self.hidden_offset) @ self.weight.T
            each = h @ self.hidden_bias - back @ self.visible_offset
            return (each + functional.softplus(self.bias + back).sum(1)).logsumexp(0)
        return self.log_tempered(states(visible).to(self.weight), 1.0).logsumexp(0)

    def log_normaliser(self) -> tuple[float, float]:
        """log Z and its standard error, by summing or by annealing."""
        return log_normaliser(self)

    @torch.no_grad()
    def sample(self, n: int, given: Given = {}) -> Batch:
        """n new events, each the end of a chain of its own of `burn` Gibbs steps: approximate until it has mixed."""
        left = self.fantasies
        v = left[torch.randint(len(left), (n,), device=left.device)] if len(left) else self.base(n)
        for _ in range(self.burn):
            v = self.move(v)
        return Batch(v.view(-1, *self.shape), given)


def states(units: int) -> Tensor:
    """All 2^units states of so many bits, [2^units, units].

    >>> states(2)
    tensor([[0., 0.],
            [1., 0.],
            [0., 1.],
            [1., 1.]])
    """
    return (torch.arange(1 << units)[:, None] >> torch.arange(units) & 1).float()
