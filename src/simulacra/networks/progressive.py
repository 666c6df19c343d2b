"""Generator and critic that are built for every resolution from 4 x 4 on, and grow through them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from simulacra.batch import Batch, Field, Given, Noise
from simulacra.networks.conditioning import Conditions
from simulacra.networks.equalised import EqualisedConv2d, EqualisedDoublingConv2d, EqualisedLinear, PixelNorm
from simulacra.networks.heads import Critic, LinearHead, ProjectionHead
from simulacra.networks.minibatch import MinibatchDeviation
from simulacra.networks.style import SLOPE, widths_of


def enlarged(x: Tensor, side: int) -> Tensor:
    """Pictures whose pixels are repeated until they have this side, [B, C, side, side]; exact."""
    return x if x.shape[-1] == side else functional.interpolate(x, size=(side, side), mode="nearest")


def reduced(x: Tensor, side: int) -> Tensor:
    """Pictures of this side, each pixel the mean of a square, [B, C, side, side]; halved step by step."""
    while x.shape[-1] > side:
        x = functional.avg_pool2d(x, 2)
    return x


class Staged(nn.Module):
    """A network with all its stages, the pictures of stage k being 4 2^k wide, of which it uses those up to `stage`.

    The newest stage is faded in: with `alpha` 0 it changes nothing, with 1 it is all there is. Both are buffers, hence
    saved with the weights and copied with an average. A new network is grown up.
    """

    stage: Tensor
    alpha: Tensor

    def __init__(self, stages: int) -> None:
        super().__init__()
        self.stages, self.full = stages, 4 << (stages - 1)
        self.register_buffer("stage", torch.tensor(stages - 1))
        self.register_buffer("alpha", torch.tensor(1.0, dtype=torch.float64))

    @torch.no_grad()
    def grow(self, stage: int, alpha: float) -> None:
        """Uses the stages 0 to `stage`, the last with weight `alpha`.

        Raises:
            ValueError: there is no such stage, or alpha is not between 0 and 1.
        """
        if not (0 <= stage < self.stages and 0 <= alpha <= 1):
            raise ValueError(
                f"expected a stage below {self.stages} and alpha from 0 to 1, came {stage} and {alpha}; "
                "let the growth have as many stages as the network"
            )
        self.stage.fill_(stage)
        self.alpha.fill_(alpha)

    @property
    def now(self) -> tuple[int, float]:
        """Stage and alpha; alpha is 1 at stage 0, which has nothing to fade from."""
        stage = int(self.stage)
        return stage, float(self.alpha) if stage else 1.0

    @property
    def side(self) -> int:
        """Of the pictures at the present stage."""
        return 4 << int(self.stage)


class ProgressiveGenerator(Staged):
    """Progressive growing of a generator: z becomes 4 x 4 maps, each stage doubles them, each has a way to a picture.

    `x = (1 - alpha) up(picture_{k-1}) + alpha picture_k` at stage k; the pixels are then repeated up to the full side,
    so that the shape never changes. Nearest doubling and two convolutions per stage, leaky ReLU, pixel norm after each
    convolution and of z, equalised learning rate, no tanh at the end.

    Shapes: ({"z": [B, latent]}, given) -> [B, channels, side, side].

    Args:
        shape: of a picture: channels, height, width.
        latent: numbers in z.
        given_fields: conditions, which a linear layer makes as many numbers as z has, beside it; classes one-hot.
        base: maps at the full side; twice as many with every halving, up to `most`.

    Source: Karras et al. (2018), arXiv 1710.10196.

    Example:
        >>> generator = ProgressiveGenerator((1, 16, 16), 8, base=4)
        >>> generator.grow(1, 0.5)
        >>> x = generator({"z": torch.randn(2, 8)}, {})
        >>> x.shape, bool((x[..., 0::2, :] == x[..., 1::2, :]).all())
        (torch.Size([2, 1, 16, 16]), True)
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        latent: int,
        given_fields: Mapping[str, Field] | None = None,
        *,
        base: int = 16,
        most: int = 512,
    ) -> None:
        widths = widths_of(shape, base, most)
        super().__init__(len(widths))
        self.conditions, self.normalise = Conditions(given_fields or {}), PixelNorm()
        told = self.conditions.size
        self.told = EqualisedLinear(told, latent, gain=math.sqrt(told), bias=False) if told else None  # as large as z
        first = [EqualisedLinear(latent * (2 if told else 1), widths[0] * 16), nn.Unflatten(1, (widths[0], 4, 4))]
        blocks = [nn.Sequential(*first, nn.LeakyReLU(SLOPE), PixelNorm(), *_convolved(widths[0], widths[0]))]
        for before, width in pairwise(widths):
            blocks.append(nn.Sequential(*_convolved(before, width, EqualisedDoublingConv2d), *_convolved(width, width)))
        self.blocks = nn.ModuleList(blocks)
        self.pictures = nn.ModuleList([EqualisedConv2d(width, shape[0], 1, gain=1) for width in widths])

    def forward(self, noise: Noise, given: Given = {}) -> Tensor:
        stage, alpha = self.now
        z = noise["z"] if self.told is None else torch.cat([noise["z"], self.told(self.conditions(given))], 1)
        coarse = maps = self.normalise(z)
        for block in self.blocks[: stage + 1]:
            coarse, maps = maps, block(maps)
        x = self.pictures[stage](maps)
        if alpha < 1:
            x = torch.lerp(enlarged(self.pictures[stage - 1](coarse), self.side), x, alpha)
        return enlarged(x, self.full)


class ProgressiveBody(Staged):
    """The generator's mirror image: pictures become maps, each stage halves them, down to 4 x 4 and a dense layer.

    `h = (1 - alpha) maps_{k-1}(halved x) + alpha block_k(maps_k(x))` at stage k. Leaky ReLU, no norm; the standard
    deviation of the minibatch joins at 4 x 4.

    Shapes: [B, channels, side, side] at the side of the present stage -> [B, features].

    Args:
        shape: of a picture at the full side.
        base, most: as of the generator.

    Attributes:
        features: numbers per event that come out.

    Source: Karras et al. (2018), arXiv 1710.10196.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        given_fields: Mapping[str, Field] | None = None,
        *,
        base: int = 16,
        most: int = 512,
    ) -> None:
        widths = widths_of(shape, base, most)
        super().__init__(len(widths))
        self.conditions, self.act = Conditions(given_fields or {}), nn.LeakyReLU(SLOPE)
        self.features = last = widths[0]
        self.maps = nn.ModuleList([EqualisedConv2d(shape[0], width, 1) for width in widths])
        halving = [_halving(width, after) for after, width in pairwise(widths)]
        end = nn.Sequential(
            MinibatchDeviation(last), EqualisedConv2d(last + 1, last), nn.LeakyReLU(SLOPE), nn.Flatten()
        )
        self.blocks = nn.ModuleList([end, *halving])
        self.dense = EqualisedLinear(last * 16, last)

    def forward(self, x: Tensor, given: Given = {}) -> Tensor:
        stage, alpha = self.now
        maps = self.act(self.maps[stage](x))
        for k in range(stage, 0, -1):
            maps = self.blocks[k](maps)
            if k == stage and alpha < 1:
                maps = torch.lerp(self.act(self.maps[k - 1](reduced(x, self.side // 2))), maps, alpha)
        return self.act(self.dense(self.blocks[0](maps)))


class ProgressiveCritic(Critic):
    """A critic that looks at pictures at the resolution that its body has grown to.

    A picture of a generator at the same stage has repeated pixels, and so loses nothing. Penalties on the slope are
    about the reduced pictures.

    Args:
        body: its features are scored by an equalised head, linear or, where there are conditions, a projection.
        given_fields: conditions that the head is told.
        offset: whether a constant is added to the score.
    """

    body: ProgressiveBody

    def __init__(
        self, body: ProgressiveBody, given_fields: Mapping[str, Field] | None = None, offset: bool = True
    ) -> None:
        head: LinearHead | ProjectionHead = LinearHead(body.features)
        if given_fields:
            head = ProjectionHead(body.features, given_fields)
            head.embedding = EqualisedLinear(head.conditions.size, body.features, gain=1, bias=False)  # type: ignore
        head.score = EqualisedLinear(body.features, 1, gain=1, bias=offset)  # type: ignore[assignment]
        super().__init__(body, head)

    def look(self, x: Tensor, given: Given = {}) -> Tensor:
        return reduced(x, self.body.side)

    def faded(self, batch: Batch) -> Batch:
        """Real pictures as sharp as generated ones are while a stage fades in: blended with their halved copy.

        `(1 - alpha) up(halved(x)) + alpha x` at the present resolution, with pixels repeated up to the full side.
        """
        side, full, (_, alpha) = self.body.side, self.body.full, self.body.now
        x = reduced(batch.x, side)
        if alpha < 1:
            x = torch.lerp(enlarged(reduced(x, side // 2), side), x, alpha)
        return batch.with_x(enlarged(x, full))


def _convolved(inputs: int, outputs: int, layer: Callable[[int, int], nn.Module] = EqualisedConv2d) -> list[nn.Module]:
    return [layer(inputs, outputs), nn.LeakyReLU(SLOPE), PixelNorm()]


def _halving(inputs: int, outputs: int) -> nn.Module:
    act = nn.LeakyReLU(SLOPE)
    return nn.Sequential(EqualisedConv2d(inputs, inputs), act, EqualisedConv2d(inputs, outputs), act, nn.AvgPool2d(2))
