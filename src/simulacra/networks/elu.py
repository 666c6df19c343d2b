"""The plain autoencoder of BEGAN for pictures of any power-of-two size: 3 x 3 convolutions and ELU, no norm."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import interpolate

from simulacra.batch import Given, Noise
from simulacra.networks.dcgan import stages_of
from simulacra.networks.resampled import DoublingConv2d

COARSEST = 8


class ELUDecoder(nn.Module):
    """BEGAN's decoder and generator: a linear map to 8 x 8 maps, which are doubled until they are the picture.

    Shapes: ({"z": [B, latent]}, given) -> [B, channels, size, size], any real numbers.

    Two convolutions and ELUs at each size, `width` maps everywhere; nearest-neighbour doubling. The first maps are
    doubled as well and added before the convolutions of each size, so that the code is heard at all of them: without
    it all codes soon give one picture. Conditions are not told.

    Source: Berthelot, Schumm and Metz (2017), section 3.4, arXiv 1703.10717.

    Example:
        >>> import torch
        >>> ELUDecoder((1, 32, 32), 6, width=4)({"z": torch.zeros(2, 6)}).shape
        torch.Size([2, 1, 32, 32])
    """

    def __init__(self, shape: tuple[int, ...], latent: int, *, width: int = 32) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(latent, width * COARSEST**2), nn.Unflatten(1, (width, COARSEST, COARSEST)))
        self.stages = nn.ModuleList(
            nn.Sequential(enter(width, width), nn.ELU(), _same(width, width), nn.ELU())
            for enter in [_same, *[DoublingConv2d] * (stages_of(shape) - 1)]
        )
        self.last = _same(width, shape[0])

    def forward(self, noise: Noise, given: Given = {}) -> Tensor:
        first = self.first(noise["z"])
        maps = self.stages[0](first)
        for stage in self.stages[1:]:
            first, maps = interpolate(first, scale_factor=2), stage(maps + first)
        return self.last(maps)


class ELUEncoder(nn.Module):
    """BEGAN's encoder: pictures are halved by strided convolutions down to 8 x 8 maps and mapped to the code.

    Shapes: ([B, channels, size, size], given) -> code [B, code].

    Two convolutions at each size; width, 2 width, 3 width, ... maps, as the size falls.

    Source: Berthelot, Schumm and Metz (2017), section 3.4, arXiv 1703.10717.

    Example:
        >>> import torch
        >>> ELUEncoder((1, 32, 32), 6, width=4)(torch.zeros(2, 1, 32, 32)).shape
        torch.Size([2, 6])
    """

    def __init__(self, shape: tuple[int, ...], code: int, *, width: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = [_same(shape[0], width), nn.ELU()]
        stages = stages_of(shape)
        for stage in range(1, stages):
            layers += [_same(stage * width, stage * width), nn.ELU()]
            layers += [nn.Conv2d(stage * width, (stage + 1) * width, 3, 2, 1), nn.ELU()]
        layers += [_same(stages * width, stages * width), nn.ELU(), nn.Flatten()]
        self.features = code
        self.layers = nn.Sequential(*layers, nn.Linear(stages * width * COARSEST**2, code))

    def forward(self, x: Tensor, given: Given = {}) -> Tensor:
        return self.layers(x)


def _same(inputs: int, outputs: int) -> nn.Module:
    return nn.Conv2d(inputs, outputs, 3, 1, 1)
