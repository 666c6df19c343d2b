"""Two GANs with tied layers: pairs of events from two domains, learned without a single pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from simulacra.batch import Batch, Given, Noise
from simulacra.gan.gan import GAN
from simulacra.gan.latent import Latent
from simulacra.gan.pushforward import Pushforward
from simulacra.training.averaging import averaged_copy
from simulacra.training.game import Loss, Stream
from simulacra.training.stream import Beside, DataStream


def negative(x: Tensor) -> Tensor:
    """The negative of encoded pictures, `-x`: black is -1 and white is 1."""
    return -x


def edges(x: Tensor) -> Tensor:
    """Edges of encoded pictures: the largest minus the smallest of 3 x 3 pixels, minus 1; [B, C, H, W] within -1 to 1.

    Example:
        >>> import torch
        >>> flat, step = torch.ones(1, 1, 3, 4), torch.tensor([-1.0, -1.0, 1.0, 1.0]).expand(1, 1, 3, 4)
        >>> edges(flat).unique().tolist(), edges(step)[0, 0, 0].tolist()
        ([-1.0], [-1.0, 1.0, 1.0, -1.0])
    """
    return max_pool2d(x, 3, 1, 1) + max_pool2d(-x, 3, 1, 1) - 1


DOMAINS = {"negative": negative, "edges": edges}
"""What may be done to pictures to make a second domain of them."""


class Coupled(Pushforward):
    """One noise, two generators: `push` gives x of the first domain and its partner `given["partner"]` of the second.

    Args:
        generator: of the first domain, (noise, given) -> x.
        partner: of the second; shares layers with the first.
        latent: what both start from, by name or `z`.
    """

    def __init__(self, generator: nn.Module, partner: nn.Module, latent: Latent | Mapping[str, Latent]) -> None:
        super().__init__(generator, latent)
        self.partner = partner

    def push(self, noise: Noise, given: Given = {}) -> Batch:
        """Events of the first domain with their partners."""
        return Batch(self.generator(noise, given), {**given, "partner": self.partner(noise, given)})


class CoGAN(nn.Module):
    """Coupled generative adversarial networks: a GAN for each of two domains, some of whose layers are tied.

    The losses are those of two games that know nothing of each other. That x and its partner mean the same is due to
    the tied layers alone: early ones of the generators, which decide what there is, and late ones of the critics; each
    generator's last layers say how it looks in its domain.

    Args:
        first: the game of the first domain, on x.
        second: of the second, on `given["source"]`.

    Source: Liu and Tuzel (2016), arXiv 1606.07536.
    """

    def __init__(self, first: GAN, second: GAN) -> None:
        super().__init__()
        self.first, self.second = first, second

    def generators(self) -> nn.ModuleList:
        """Both of them, as one player moves them."""
        return nn.ModuleList([self.first.generator, self.second.generator])

    def critics(self) -> nn.ModuleList:
        return nn.ModuleList([self.first.critic, self.second.critic])

    def averaged(self) -> Coupled:
        """Frozen copies of both generators, tied as they are, to hold their averages."""
        generator, partner = averaged_copy(self.generators()).children()
        return Coupled(generator, partner, self.first.latent)

    def critic_loss(self, batch: Batch) -> Loss:
        """Of both critics."""
        first, second = _sides(batch)
        return _together(self.first.critic_loss(first), self.second.critic_loss(second))

    def generator_loss(self, batch: Batch) -> Loss:
        """Of both generators."""
        first, second = _sides(batch)
        return _together(self.first.generator_loss(first), self.second.generator_loss(second))


def _sides(batch: Batch) -> tuple[Batch, Batch]:
    given = {name: value for name, value in batch.given.items() if name != "source"}
    return replace(batch, given=given), Batch(batch.given["source"])


def _together(first: Loss, second: Loss) -> Loss:
    def named(kind: str) -> dict[str, Tensor]:
        both = {"first": first, "second": second}
        return {f"{side}_{name}": value for side, loss in both.items() for name, value in getattr(loss, kind).items()}

    return Loss(named("parts"), named("watch"))


class Changed:
    """A stream whose x is `change` of another's."""

    def __init__(self, stream: Stream, change: Callable[[Tensor], Tensor]) -> None:
        self.stream, self.change = stream, change

    def next(self, n: int) -> Batch:
        batch = self.stream.next(n)
        return batch.with_x(self.change(batch.x))

    def peek(self, n: int) -> Batch:
        batch = self.stream.peek(n)
        return batch.with_x(self.change(batch.x))

    def state_dict(self) -> dict[str, Any]:
        return self.stream.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.stream.load_state_dict(state)


def unpaired(stream: DataStream, change: Callable[[Tensor], Tensor]) -> Beside:
    """Two domains of one data set without a pair: one half of the rows as they are, the other half changed.

    Batches have x of the first half and `given["source"]` of the second, whose conditions are left aside.

    Raises:
        UserError: there are fewer than two rows.
    """
    first, second = (
        DataStream(
            stream.dataset, stream.rows[k::2], stream.codec, seed=stream.seed, engine=stream.engine, block=stream.block
        )
        for k in (0, 1)
    )
    return Beside(first, Changed(second, change))
