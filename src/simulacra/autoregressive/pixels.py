"""Pictures of grey levels, pixel by pixel: exact probabilities and sequential drawing."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from simulacra.batch import Batch, Field, Given, Noise
from simulacra.networks import Conditions
from simulacra.networks.gated import GatedStack
from simulacra.training.game import Loss

CHUNK = 64
"""Pictures whose probability is computed at once."""
HEADS = ("categorical", "logistic")


class PixelCNN(nn.Module):
    """PixelCNN: `P(x | given) = prod P(x_ijc | rows above, pixels to the left, earlier channels, given)`.

    Encoded x holds grey levels 0 to K - 1, [B, C, H, W], and `log_prob` is a log probability in nats per picture, not a
    density. A number is `categorical` over the K levels, or a mixture of `logistic` distributions of which every level
    gets its interval and the outermost levels get the tails. A gated stack of convolutions reads the pixels before;
    channels of one pixel see its earlier channels (red, then green given red) in the last layers. Probabilities of
    one picture cost one pass. Drawing goes through the H W pixels one after the other, each once: what the layers found
    before is kept.

    Args:
        shape: (C, H, W).
        levels: K.
        width: feature maps.
        depth: gated layers.
        head: `categorical` or `logistic`.
        mixture: logistics per number.
        given_fields: the conditions.

    Example:
        >>> model = PixelCNN((1, 2, 2), 3, width=4, depth=2)
        >>> every = torch.cartesian_prod(*[torch.arange(3.0)] * 4).view(81, 1, 2, 2)
        >>> round(model.log_prob(Batch(every)).exp().sum().item(), 4), model.sample(5).x.shape
        (1.0, torch.Size([5, 1, 2, 2]))

    Source: van den Oord, Kalchbrenner and Kavukcuoglu (2016), arXiv:1601.06759; gates: van den Oord et al. (2016),
        arXiv:1606.05328; logistics: Salimans et al. (2017), arXiv:1701.05517.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        levels: int,
        *,
        width: int = 32,
        depth: int = 6,
        head: str = "categorical",
        mixture: int = 5,
        given_fields: Mapping[str, Field] | None = None,
    ) -> None:
        super().__init__()
        if head not in HEADS:
            raise ValueError(f"expected a head among {', '.join(HEADS)}, came {head!r}; choose one of them")
        self.shape, self.levels, self.head = shape, levels, head
        self.told = Conditions(given_fields or {})
        self.stack = GatedStack(shape[0], width, depth, self.told.size)
        outputs = levels if head == "categorical" else 3 * mixture
        self.heads = nn.ModuleList(_head(width, channel, outputs) for channel in range(shape[0]))

    def _features(self, x: Tensor, given: Given) -> Tensor:
        return self.stack(self._scaled(x), self.told(given) if self.told.size else None)

    def _scaled(self, x: Tensor) -> Tensor:
        return 2 * x / (self.levels - 1) - 1

    def _log_probs(self, features: Tensor, x: Tensor, channel: int, level: Tensor | None = None) -> Tensor:
        """Log probabilities of all levels of one channel, [B, K, H, W], with earlier channels as in x, or of `level`.

        What is asked of is [B, 1, H, W], and so is the answer.
        """
        output = self.heads[channel](torch.cat([features, self._scaled(x[:, :channel])], 1))
        if self.head == "logistic":
            every = torch.arange(self.levels, device=x.device).view(1, -1, 1, 1)
            return logistic(output, every if level is None else level, self.levels)
        all_levels = output.log_softmax(1)
        return all_levels if level is None else all_levels.gather(1, level.long())

    def log_prob(self, batch: Batch) -> Tensor:
        """`sum log P(x_ijc | ...)`, [B] in nats."""
        out = []
        for part in (batch[at : at + CHUNK] for at in range(0, len(batch), CHUNK)):
            features = self._features(part.x, part.given)
            each = [self._log_probs(features, part.x, c, part.x[:, c : c + 1]) for c in range(self.shape[0])]
            out.append(torch.cat(each, 1).flatten(1).sum(1))
        return torch.cat(out) if out else batch.x.new_zeros(0)

    def loss(self, batch: Batch) -> Loss:
        """The negative log-likelihood, in nats per number."""
        size = batch.x[:1].numel()
        return Loss({"nll": -batch.mean(self.log_prob(batch)) / size})

    def noise(self, n: int) -> Noise:
        """One uniform number per number, `u` [n, C, H, W]."""
        like = next(self.parameters())
        return {"u": torch.rand(n, *self.shape, device=like.device, dtype=like.dtype)}

    @torch.no_grad()
    def push(self, noise: Noise, given: Given = {}) -> Batch:
        """The picture whose every level is where the sum of probabilities passes u, in raster order; no gradient."""
        u = noise["u"]
        x, (channels, height, width) = torch.zeros_like(u), self.shape
        scan = self.stack.scan(len(u), width, self.told(given) if self.told.size else None)
        edge = torch.zeros_like(u[:, :, 0])  # nothing lies beyond, and zero is what a convolution sees there
        for row in range(height):
            scan.row(self._scaled(x[:, :, row - 1]) if row else edge)
            for column in range(width):
                before = self._scaled(x[:, :, row, column - 1]) if column else edge[:, :, 0]
                features, pixel = scan.pixel(column, before)[..., None, None], x[:, :, row, column, None, None]
                for c in range(channels):
                    sums = self._log_probs(features, pixel, c).exp().cumsum(1)[..., 0, 0]
                    level = (sums <= u[:, c, row, column, None] * sums[:, -1:]).sum(1)
                    x[:, c, row, column] = level.clamp(max=self.levels - 1).to(u)
        return Batch(x, given)

    def sample(self, n: int, given: Given = {}) -> Batch:
        """n new pictures; `given` is encoded and has n rows."""
        return self.push(self.noise(n), given)


def logistic(output: Tensor, level: Tensor, levels: int) -> Tensor:
    """Log probabilities of levels [B, N, H, W] among K under a mixture of logistics [B, 3 M, H, W], [B, N, H, W].

    `P(k) = sum_m pi_m [F((c_k + d - mu_m) / s_m) - F((c_k - d - mu_m) / s_m)]` with F the sigmoid, levels at
    `c_k = 2 k / (K - 1) - 1`, `d = 1 / (K - 1)`, and the first and the last interval reaching to infinity. As
    `F(b) - F(a) = F(b) F(-a) (1 - exp(a - b))`, its logarithm is exact for the smallest probabilities, too.

    Source: Salimans, Karpathy, Chen and Kingma (2017), arXiv:1701.05517.

    Example:
        >>> every = torch.arange(16).view(1, 16, 1, 1)
        >>> logistic(torch.randn(2, 6, 1, 1), every, 16).exp().sum(1).allclose(torch.ones(2, 1, 1))
        True
    """
    weight, mean, scale = (part[:, :, None] for part in output.unflatten(1, (3, -1)).unbind(1))
    rate, half, level = torch.exp(-scale.clamp(-7, 7)), 1 / (levels - 1), level[:, None].to(output)
    middle = (2 * level * half - 1 - mean) * rate
    below = functional.logsigmoid(middle + half * rate).where(level < levels - 1, 0.0)
    above = functional.logsigmoid(half * rate - middle).where(level > 0, 0.0)
    inside = torch.log(-torch.expm1(-2 * half * rate)).where((level > 0) & (level < levels - 1), 0.0)
    return (weight.log_softmax(1) + below + above + inside).logsumexp(1)


def _head(width: int, channels: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.ReLU(), nn.Conv2d(width + channels, width, 1), nn.ReLU(), nn.Conv2d(width, outputs, 1))
