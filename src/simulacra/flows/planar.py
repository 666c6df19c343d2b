"""Planar and radial flows: one plane, or one point, from which space is pushed away or drawn in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from simulacra.batch import Field, Given
from simulacra.networks.conditioning import Conditions

ONE = 0.5413248546129181  # softplus(ONE) = 1


class _Numbers(nn.Module):
    """Learnt vectors of the given sizes, moved linearly by the conditions: [1 or B, size] each."""

    def __init__(self, start: Sequence[Tensor], given: Mapping[str, Field]) -> None:
        super().__init__()
        self.sizes = [len(part) for part in start]
        self.base = nn.Parameter(torch.cat(list(start)))
        self.conditions = Conditions(given)
        told = self.conditions.size
        self.told = nn.Linear(told, len(self.base), bias=False) if told else None

    def forward(self, given: Given) -> tuple[Tensor, ...]:
        base = self.base[None]
        if self.told is not None:
            base = base + self.told(self.conditions(given).to(base.dtype))
        return base.split(self.sizes, 1)


class Planar(nn.Module):
    """Planar flow: `z = x + u^ tanh(w.x + b)`, a push along u^ that depends on the distance to one plane.

    It is invertible where `w.u^ > -1`, which `u^ = u + (m(w.u) - w.u) w / |w|^2` with
    `m(a) = -1 + softplus(a + log(e - 1))` ensures (the shift makes u = 0 the identity).
    log |det| = `log (1 + w.u^ tanh'(w.x + b))`. Data to latent is fast, a closed form. Latent to data has none: the
    place along w is found by bisection, x follows from it, and gradients come from the implicit function theorem. Use
    `Invert` where sampling must be fast, as the paper does for its reverse KL.

    Source: Rezende and Mohamed, "Variational inference with normalizing flows" (2015, arXiv:1505.05770), and its
    appendix A.1 for u^.

    Args:
        size: numbers per event.
        given: conditions that move u, w and b linearly.

    Example:
        >>> flow, x = Planar(2), torch.tensor([[0.3, -1.0]])
        >>> z, log_det = flow.to_latent(x)
        >>> flow.to_data(z)[0].detach().round(decimals=3)
        tensor([[ 0.3000, -1.0000]])
    """

    def __init__(self, size: int, given: Mapping[str, Field] = {}) -> None:
        super().__init__()
        push, normal, offset = 0.1 * torch.randn(size), torch.randn(size), 2 * torch.rand(1) - 1
        self.numbers = _Numbers([push, normal, offset], given)

    def _push(self, given: Given) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """u^, w, b, and 1 + w.u^."""
        u, w, b = self.numbers(given)
        along = (w * u).sum(1, keepdim=True)
        rise = functional.softplus(along + ONE)
        u = u + (rise - 1 - along) * w / w.square().sum(1, keepdim=True).clamp(min=1e-12)
        return u, w, b[:, 0], rise[:, 0]

    @staticmethod
    def _log_slope(bent: Tensor, rise: Tensor) -> Tensor:
        """log (1 + (rise - 1)(1 - tanh^2)), without the cancellation."""
        return (bent.square() + rise * (1 - bent.square())).log()

    def to_latent(self, x: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        u, w, b, rise = self._push(given)
        bent = torch.tanh((x * w).sum(1) + b)
        return x + u * bent[:, None], self._log_slope(bent, rise)

    def to_data(self, z: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        u, w, b, rise = self._push(given)
        at = self._place((z * w).sum(1), b, rise - 1)
        bent = torch.tanh(at + b)
        return z - u * bent[:, None], -self._log_slope(bent, rise)

    @staticmethod
    def _place(want: Tensor, b: Tensor, push: Tensor) -> Tensor:
        """The a at which `a + push tanh(a + b) = want`; the left side rises with a."""
        with torch.no_grad():
            low, high = want - push.abs(), want + push.abs()
            for _ in range(60):
                middle = (low + high) / 2
                above = middle + push * torch.tanh(middle + b) > want
                low, high = torch.where(above, low, middle), torch.where(above, middle, high)
            at = (low + high) / 2
            slope = (1 + push * (1 - torch.tanh(at + b).square())).clamp(min=1e-6)
        step = (want - at - push * torch.tanh(at + b)) / slope
        return at + step - step.detach()


class Radial(nn.Module):
    """Radial flow: `z = x + beta (x - c) / (alpha + r)` with `r = |x - c|`: out from one point, or in towards it.

    It is invertible where `beta > -alpha`, here `alpha = softplus(a)`, `beta = softplus(b) - alpha`.
    log |det| = `(D - 1) log (1 + beta / (alpha + r)) + log (1 + alpha beta / (alpha + r)^2)`. The inverse is the root
    of a quadratic in r: both directions are closed forms and fast.

    Source: Rezende and Mohamed, "Variational inference with normalizing flows" (2015, arXiv:1505.05770).

    Args:
        size: numbers per event.
        given: conditions that move c, a and b linearly.

    Example:
        >>> flow, x = Radial(2), torch.tensor([[0.3, -1.0]])
        >>> z, log_det = flow.to_latent(x)
        >>> flow.to_data(z)[0].detach().round(decimals=3)
        tensor([[ 0.3000, -1.0000]])
    """

    def __init__(self, size: int, given: Mapping[str, Field] = {}) -> None:
        super().__init__()
        self.size = size
        self.numbers = _Numbers([torch.randn(size), torch.full((2,), ONE) + 0.1 * torch.randn(2)], given)

    def _shape(self, given: Given) -> tuple[Tensor, Tensor, Tensor]:
        """c, alpha, and alpha + beta."""
        centre, raw = self.numbers(given)
        alpha, both = functional.softplus(raw).unbind(1)
        return centre, alpha, both

    def _log_det(self, r: Tensor, alpha: Tensor, both: Tensor) -> Tensor:
        far = (alpha + r).log()
        across = (r + both).log() - far
        return (self.size - 1) * across + (r.square() + 2 * alpha * r + alpha * both).log() - 2 * far

    def to_latent(self, x: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        centre, alpha, both = self._shape(given)
        r = torch.linalg.vector_norm(x - centre, dim=1)
        stretch = (r + both) / (alpha + r)
        return centre + (x - centre) * stretch[:, None], self._log_det(r, alpha, both)

    def to_data(self, z: Tensor, given: Given = {}) -> tuple[Tensor, Tensor]:
        centre, alpha, both = self._shape(given)
        far = torch.linalg.vector_norm(z - centre, dim=1)
        half, root = far - both, ((far - both).square() + 4 * far * alpha).sqrt()
        # Of the two forms of the positive root, the one that does not cancel.
        r = torch.where(half > 0, (half + root) / 2, 2 * far * alpha / (root - half).clamp(min=1e-30))
        return centre + (z - centre) * ((alpha + r) / (r + both))[:, None], -self._log_det(r, alpha, both)
