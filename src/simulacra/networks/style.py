"""StyleGAN's generator: z becomes a style w, which sets the statistics of every layer, and noise the details.

Source: Karras, Laine and Aila (2019), arXiv 1812.04948.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from simulacra.batch import Field, Given, Noise
from simulacra.networks.conditioning import Conditions
from simulacra.networks.dcgan import stages_of
from simulacra.networks.equalised import EqualisedConv2d, EqualisedDoublingConv2d, EqualisedLinear, PixelNorm
from simulacra.networks.modulation import AdaIN, PixelNoise

SLOPE = 0.2
"""Of LeakyReLU on its negative side."""


def widths_of(shape: tuple[int, ...], base: int, most: int = 512) -> list[int]:
    """Maps at 4 x 4, 8 x 8, ... up to the picture's side, where there are `base`: doubled with every halving.

    >>> widths_of((1, 32, 32), 8)
    [64, 32, 16, 8]
    """
    stages = stages_of(shape)
    return [min(base * 2 ** (stages - k), max(most, base)) for k in range(stages + 1)]


def doubled(x: Tensor) -> Tensor:
    """Maps of twice the side: every pixel four times, then a blur [1, 2, 1] / 4 along both sides."""
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class MappingNetwork(nn.Module):
    """The mapping network: a latent, normalised by `PixelNorm`, becomes an intermediate latent w in a space W.

    w need not follow a normal distribution: W may be curved so that factors of variation lie straight in it. Conditions
    join z as numbers of mean square 1. In training the running mean of w is kept, for `truncate`.

    Shapes: (z [B, latent], given) -> w [B, size].

    Args:
        latent: numbers in z.
        given_fields: conditions by physical name; classes one-hot.
        size: numbers in w; `latent` unless given.
        depth: layers.
        rate: times the learning rate.
        momentum: of the running mean of w.

    Attributes:
        average: the running mean of w over training, whatever the conditions; a buffer.

    Example:
        >>> MappingNetwork(8)(torch.randn(2, 8)).shape
        torch.Size([2, 8])
    """

    average: Tensor

    def __init__(
        self,
        latent: int,
        given_fields: Mapping[str, Field] | None = None,
        *,
        size: int | None = None,
        depth: int = 8,
        rate: float = 0.01,
        momentum: float = 0.995,
    ) -> None:
        super().__init__()
        self.size, self.momentum = size or latent, momentum
        self.conditions = Conditions(given_fields or {})
        told = self.conditions.size
        # a one-hot row of K numbers has mean square 1 / K
        self.scales = [
            (field.levels or 1) ** 0.5
            for name, field in self.conditions.fields.items()
            for _ in range(self.conditions.sizes[name])
        ]
        self.embedding = EqualisedLinear(told, latent, gain=1) if told else None
        self.norm = PixelNorm()
        inputs = [latent * (2 if told else 1), *[self.size] * (depth - 1)]
        self.layers = nn.Sequential(
            *(
                layer
                for count in inputs
                for layer in (EqualisedLinear(count, self.size, rate=rate), nn.LeakyReLU(SLOPE))
            )
        )
        self.register_buffer("average", torch.zeros(self.size))

    def forward(self, z: Tensor, given: Given = {}) -> Tensor:
        row = self.norm(z)
        if self.embedding is not None:
            told = self.conditions(given).to(z.dtype)
            row = torch.cat([row, self.embedding(told * told.new_tensor(self.scales))], 1)
        w = self.layers(row)
        if self.training:
            with torch.no_grad():
                self.average.lerp_(w.mean(0).to(self.average.dtype), 1 - self.momentum)
        return w


def mix(first: Tensor, second: Tensor, layer: int | Tensor) -> Tensor:
    """Style mixing: the styles of `first` in the layers before `layer`, those of `second` from it on.

    The first layers, up to 8 x 8, set what is coarse in a picture, the last ones its colours and grain.

    Args:
        first: styles [B, L, size]; second likewise.
        layer: 0 to L, one for all events or [B].

    Source: Karras, Laine and Aila (2019), section 3.1, arXiv 1812.04948.

    Example:
        >>> mix(torch.zeros(1, 4, 1), torch.ones(1, 4, 1), 3).flatten().tolist()
        [0.0, 0.0, 0.0, 1.0]
    """
    cut = torch.as_tensor(layer, device=first.device).view(-1, 1, 1)
    return torch.where(torch.arange(first.shape[1], device=first.device)[None, :, None] < cut, first, second)


def truncate(styles: Tensor, centre: Tensor, psi: float, cutoff: int | None = None) -> Tensor:
    """The truncation trick in W: `centre + psi (w - centre)` in the layers before `cutoff`, w in the others.

    Args:
        styles: [B, L, size].
        centre: the mean of w, [size].
        psi: 1 leaves everything as it is, 0 gives every event the same styles, -1 their opposite.
        cutoff: 0 to L; all layers where `None`.

    Source: Karras, Laine and Aila (2019), appendix B, arXiv 1812.04948.

    Example:
        >>> truncate(torch.ones(1, 3, 1), torch.zeros(1), 0.7, cutoff=2).flatten().tolist()
        [0.699999988079071, 0.699999988079071, 1.0]
    """
    return mix(torch.lerp(centre, styles, psi), styles, styles.shape[1] if cutoff is None else cutoff)


class StyleLayer(nn.Module):
    """What makes new maps, then noise, LeakyReLU and the style: (x, w [B, size], noise [B, H W]) -> [B, C, H, W]."""

    def __init__(self, make: nn.Module, channels: int, size: int) -> None:
        super().__init__()
        self.make, self.noise, self.norm = make, PixelNoise(channels), AdaIN(size, channels)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        return self.norm(functional.leaky_relu(self.noise(self.make(x), noise), SLOPE), w)


class Synthesis(nn.Module):
    """The synthesis network: a learned constant of 4 x 4 is doubled until it is the picture, two layers at each side.

    All that differs between events comes in through the styles, by AdaIN, and through per-pixel noise. The picture is a
    tanh; the paper's is linear.

    Shapes: (styles [B, L, size], noise by name) -> [B, channels, side, side], L = 2 (stages + 1).

    Args:
        shape: of a picture: channels, height, width.
        size: numbers in w.
        base: maps at the full side; twice as many with every halving, up to `most`.

    Attributes:
        styles: L.
        noises: numbers in each noise, by name.
    """

    def __init__(self, shape: tuple[int, ...], size: int, *, base: int = 16, most: int = 512) -> None:
        super().__init__()
        widths = widths_of(shape, base, most)
        self.constant = nn.Parameter(torch.randn(1, widths[0], 4, 4))
        layers = []
        for stage, width in enumerate(widths):
            up = EqualisedDoublingConv2d(widths[stage - 1], width, smooth=True) if stage else nn.Identity()
            layers += [StyleLayer(up, width, size), StyleLayer(EqualisedConv2d(width, width), width, size)]
        self.layers = nn.ModuleList(layers)
        self.picture = EqualisedConv2d(base, shape[0], 1, gain=1)
        self.styles = len(layers)
        self.noises = {f"noise{k}": 4 ** (2 + k // 2) for k in range(len(layers))}

    def forward(self, styles: Tensor, noise: Noise) -> Tensor:
        x = self.constant.expand(len(styles), -1, -1, -1)
        for k, layer in enumerate(self.layers):
            x = layer(x, styles[:, k], noise[f"noise{k}"])
        return torch.tanh(self.picture(x))


class StyleGenerator(nn.Module):
    """A style-based generator: the mapping network, then the synthesis network; styles in between can be had.

    In training the share `mixing` of the events is made of two latents, the second drawn here, from a layer on that is
    drawn as well (mixing regularisation), so that neighbouring layers do not count on equal styles. In evaluation the
    events follow from the noise alone.

    Shapes: ({"z": [B, latent], "noise0": [B, 16], ...}, given) -> [B, channels, side, side].

    Args:
        mapping: (z, given) -> w.
        synthesis: (styles, noise) -> x; `Synthesis` or `SkipSynthesis`.
        mixing: the probability of mixing.
        psi, cutoff: of `truncate`, in evaluation only.

    Attributes:
        count: L, the number of styles.
        noises: numbers in each noise but z, by name.

    Source: Karras, Laine and Aila (2019), arXiv 1812.04948.

    Example:
        >>> generator = StyleGenerator(MappingNetwork(8, depth=2), Synthesis((1, 8, 8), 8, base=4))
        >>> noise = {name: torch.randn(3, n) for name, n in {"z": 8, **generator.noises}.items()}
        >>> generator(noise).shape
        torch.Size([3, 1, 8, 8])
    """

    def __init__(
        self,
        mapping: MappingNetwork,
        synthesis: nn.Module,
        *,
        mixing: float = 0.9,
        psi: float = 1.0,
        cutoff: int | None = None,
    ) -> None:
        super().__init__()
        self.mapping, self.synthesis, self.mixing, self.psi, self.cutoff = mapping, synthesis, mixing, psi, cutoff
        described: Any = synthesis
        self.count, self.noises = described.styles, described.noises

    def spread(self, w: Tensor) -> Tensor:
        """One w for all layers: [B, size] -> styles [B, L, size]."""
        return w[:, None].expand(-1, self.count, -1)

    def styles(self, noise: Noise, given: Given = {}) -> Tensor:
        """The styles of events, [B, L, size]: to be mixed, truncated or moved, and given to `synthesis`."""
        z = noise["z"]
        styles = self.spread(self.mapping(z, given))
        if self.training:
            if not self.mixing:
                return styles
            other = self.spread(self.mapping(torch.randn_like(z), given))
            cut = torch.randint(1, self.count, (len(z),), device=z.device)
            return mix(styles, other, torch.where(torch.rand(len(z), device=z.device) < self.mixing, cut, self.count))
        return styles if self.psi == 1 else truncate(styles, self.mapping.average, self.psi, self.cutoff)

    def from_w(self, w: Tensor, noise: Noise) -> Tensor:
        """Events of one w each: [B, size] -> [B, channels, side, side]."""
        return self.synthesis(self.spread(w), noise)

    def forward(self, noise: Noise, given: Given = {}) -> Tensor:
        return self.synthesis(self.styles(noise, given), noise)

    def truncated(self, psi: float, cutoff: int | None = None) -> StyleGenerator:
        """The same networks, whose styles are truncated: less diverse and more typical events for psi below 1."""
        twin = StyleGenerator(self.mapping, self.synthesis, mixing=self.mixing, psi=psi, cutoff=cutoff)
        twin.training = self.training  # only its own: the networks are shared and keep theirs
        return twin
