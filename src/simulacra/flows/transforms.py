"""Monotone maps of single numbers, told by a network how to bend: what coupling and autoregressive flows share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Elementwise(Protocol):
    """A monotone map of each number x [...] with its own `size` raw parameters h [..., size]; identity at h = 0.

    Both directions return the number and the log of their slope there. Its network is told numbers cut to +-`reach`.
    """

    @property
    def size(self) -> int: ...

    @property
    def reach(self) -> float: ...

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]: ...

    def inverse(self, y: Tensor, h: Tensor) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True)
class Shift:
    """`y = x + h`: additive, the volume stays.

    Source: Dinh, Krueger and Bengio, "NICE" (2015, arXiv:1410.8516).

    Example:
        >>> Shift().forward(torch.tensor([1.0]), torch.tensor([[2.0]]))
        (tensor([3.]), tensor([0.]))
    """

    size: int = 1
    reach: float = math.inf

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return x + h[..., 0], torch.zeros_like(x)

    def inverse(self, y: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return y - h[..., 0], torch.zeros_like(y)


@dataclass(frozen=True)
class Affine:
    """`y = x exp(s) + h_1` with `s = h_0 / (1 + |h_0| / bound)`; the bound keeps it finite wherever it is asked.

    The bound is reached more slowly than a tanh's, so that gradients do not vanish where a flow must stretch much.

    Source: Dinh, Sohl-Dickstein and Bengio, "Density estimation using Real NVP" (2017, arXiv:1605.08803).

    Args:
        bound: largest |s|.
    """

    bound: float = 3.0
    size: int = 2
    reach: float = math.inf

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        s = self._log_scale(h)
        return x * s.exp() + h[..., 1], s

    def inverse(self, y: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        s = self._log_scale(h)
        return (y - h[..., 1]) * (-s).exp(), -s

    def _log_scale(self, h: Tensor) -> Tensor:
        return h[..., 0] / (1 + h[..., 0].abs() / self.bound)


@dataclass(frozen=True)
class RationalQuadratic:
    """A monotone rational-quadratic spline on [-tail, tail], the identity outside (linear tails, C1 at the seam).

    Between the knots (x_k, y_k) with slopes d_k, and with `s = (y_k+1 - y_k) / (x_k+1 - x_k)`,
    `t = (x - x_k) / (x_k+1 - x_k)`:
    `y = y_k + (y_k+1 - y_k) (s t^2 + d_k t (1 - t)) / (s + (d_k+1 + d_k - 2 s) t (1 - t))`.
    The inverse is the root of a quadratic: both directions are closed forms and cost the same. K widths, K heights
    and K - 1 inner slopes, `d = exp(h / (1 + |h| / log(1 / floor)))`, come from the network, to which a number beyond
    the tail looks as if it lay there: else knots would be driven together without limit, and no inverse were exact.
    There are no branches, and the knots are never in less than single precision.

    Source: Durkan, Bekasov, Murray and Papamakarios, "Neural spline flows" (2019, arXiv:1906.04032).

    Args:
        bins: K.
        tail: half the width of the interval that is bent.
        floor: smallest share of a bin, and smallest slope; the largest slope is its inverse.

    Raises:
        ValueError: the bins do not fit the floor.

    Example:
        >>> spline, x = RationalQuadratic(bins=4), torch.tensor([-9.0, 0.5, 2.0])
        >>> y, log_slope = spline.forward(x, torch.ones(3, spline.size))
        >>> spline.inverse(y, torch.ones(3, spline.size))[0].round(decimals=4)
        tensor([-9.0000,  0.5000,  2.0000])
    """

    bins: int = 8
    tail: float = 4.0
    floor: float = 1e-3

    def __post_init__(self) -> None:
        if not 0 < self.floor < 1 or self.tail <= 0:
            raise ValueError(f"expected a floor within 0 to 1 and a tail > 0, came {self.floor}, {self.tail}")
        if self.bins < 1 or self.bins * self.floor >= 1:
            raise ValueError(f"expected 1 to {1 / self.floor:.0f} bins, came {self.bins}")

    @property
    def size(self) -> int:
        return 3 * self.bins - 1

    @property
    def reach(self) -> float:
        return self.tail

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(x.device.type, enabled=False):
            x, h = _at_least_single(x), _at_least_single(h)
            across, up, slopes = self._knots(h)
            inner = x.clamp(-self.tail, self.tail)
            x0, w, y0, v, d0, d1 = _bin(inner, across, across, up, slopes)
            t = (inner - x0) / w
            y, log_slope = self._curve(t, v / w, y0, v, d0, d1)
            inside = x.abs() < self.tail
            return torch.where(inside, y, x), torch.where(inside, log_slope, 0.0)

    def inverse(self, y: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(y.device.type, enabled=False):
            y, h = _at_least_single(y), _at_least_single(h)
            across, up, slopes = self._knots(h)
            inner = y.clamp(-self.tail, self.tail)
            x0, w, y0, v, d0, d1 = _bin(inner, up, across, up, slopes)
            s, rise = v / w, inner - y0
            t = self._root(rise, s, v, d0, d1)
            # One step of Newton's method carries the gradient.
            reached, log_slope = self._curve(t, s, torch.zeros_like(y0), v, d0, d1)
            t = (t + (rise - reached) / (log_slope.exp() * w)).clamp(0, 1)
            _, log_slope = self._curve(t, s, y0, v, d0, d1)
            inside = y.abs() < self.tail
            return torch.where(inside, x0 + t * w, y), torch.where(inside, -log_slope, 0.0)

    def _knots(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Edges in x and in y, and slopes at the edges, each [..., K + 1]."""
        widths, heights, inner = h.split([self.bins, self.bins, self.bins - 1], -1)
        slopes = (inner / (1 - inner.abs() / math.log(self.floor))).exp()
        ends = torch.ones_like(h[..., :1])
        return self._edges(widths), self._edges(heights), torch.cat([ends, slopes, ends], -1)

    def _edges(self, raw: Tensor) -> Tensor:
        shares = self.floor + (1 - self.bins * self.floor) * raw.softmax(-1)
        inner, ends = shares.cumsum(-1)[..., :-1], torch.ones_like(raw[..., :1])
        return self.tail * torch.cat([-ends, 2 * inner - 1, ends], -1)

    @staticmethod
    @torch.no_grad()
    def _root(rise: Tensor, s: Tensor, v: Tensor, d0: Tensor, d1: Tensor) -> Tensor:
        """The t at which the curve has risen so far, in the form that does not cancel (Press et al., section 5.6).

        Where a bin is nearly flat and one of its ends steep, b^2 - 4 a c cancels all the same: hence double precision.
        """
        kind = rise.dtype
        rise, s, v, d0, d1 = (part.double() for part in (rise, s, v, d0, d1))
        bend = rise * (d1 + d0 - 2 * s)
        a, b, c = v * (s - d0) + bend, v * d0 - bend, -s * rise
        return (2 * c / (-b - (b.square() - 4 * a * c).clamp(min=1e-30).sqrt())).clamp(0, 1).to(kind)

    @staticmethod
    def _curve(t: Tensor, s: Tensor, y0: Tensor, v: Tensor, d0: Tensor, d1: Tensor) -> tuple[Tensor, Tensor]:
        both = t * (1 - t)
        below = s + (d1 + d0 - 2 * s) * both
        slope = s.square() * (d1 * t.square() + 2 * s * both + d0 * (1 - t).square()) / below.square()
        return y0 + v * (s * t.square() + d0 * both) / below, slope.log()


def within(x: Tensor, transform: Elementwise) -> Tensor:
    """What the network of a transform is told of x: x cut to its reach."""
    return x if transform.reach == math.inf else x.clamp(-transform.reach, transform.reach)


def _at_least_single(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _bin(at: Tensor, edges: Tensor, across: Tensor, up: Tensor, slopes: Tensor) -> tuple[Tensor, ...]:
    """x, width, y, height and the two slopes of the bin in which `at` lies among `edges`."""
    k = (at[..., None] >= edges[..., 1:-1]).sum(-1, keepdim=True)
    (x0, x1), (y0, y1), (d0, d1) = (
        (knots.gather(-1, k)[..., 0], knots.gather(-1, k + 1)[..., 0]) for knots in (across, up, slopes)
    )
    return x0, x1 - x0, y0, y1 - y0, d0, d1
