"""Showers of many layers: one code for the sum, and shares for everything else."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from simulacra.batch import Batch, DataSpec, Field, Given
from simulacra.domains.calorimeter.codec import GEV, ShowerCodec
from simulacra.domains.calorimeter.geometry import Geometry
from simulacra.domains.calorimeter.layer import Layer


class DepthCodec(ShowerCodec):
    """Between cell energies in MeV and [code of the sum | share of each layer | share of its layer in each cell].

    The code is `code_0` of `ShowerCodec`. Empty layers are shares of zero, exactly, and no noise stands for them: right
    where many layers are often empty, for whoever can draw shares.

    Example:
        >>> from simulacra.domains.calorimeter.geometry import LAR3
        >>> codec = DepthCodec(LAR3)
        >>> batch = Batch(torch.rand(4, 504), {"energy": torch.full((4, 1), 2000.0)})
        >>> codec.fit([batch])
        >>> x = codec.encode(batch).x
        >>> x.shape, torch.allclose(x[:, 1:4].sum(1), torch.ones(4))
        (torch.Size([4, 508]), True)

    Source: as ShowerCodec's.
    """

    @property
    def head(self) -> int:
        return 1 + self.layers

    def spec(self, data: DataSpec) -> DataSpec:
        """What networks see: x [1 + L + V], code, layers, cells; given["energy"] [2]."""
        return DataSpec(
            data.name,
            "layers",
            Field((self.head + self.cells,)),
            {**data.given, "energy": Field((2,))},
            {"codes": (1,), "layers": (self.layers,), **self.geometry.parts},
            self.geometry.to_json(),
            data.rows,
            data.fingerprint,
        )

    def energy_codes(self, layers: Tensor, energy: Tensor) -> Tensor:
        total = layers.sum(1, keepdim=True)
        return torch.cat([super().energy_codes(layers, energy)[:, :1], layers / total.clamp(min=self.threshold)], 1)

    def layer_energies(self, x: Tensor, energy: Tensor) -> Tensor:
        return self.total(x[:, :1], energy).to(x.dtype) * x[:, 1 : self.head]

    def log_det(self, batch: Batch) -> Tensor:
        """log |d encode / d x| of physical showers, [B]: over the positive cells, as in `ShowerCodec.log_det`.

        With E_l of k_l positive cells and their sum T over `lit` layers:
        -sum_l (k_l - 1) ln E_l - (lit - 1) ln T + ln(sqrt(E/GeV) / (E f s_0)) - (mirrors) ln 2.
        """
        x = self._cut(batch.x).to(self.code_mean)
        energy, t = self._energy(batch.given)[:, 0], self.threshold
        layers, counts = self.geometry.sum_layers(x), self.geometry.sum_layers((x > 0).to(x))
        out = -((counts - 1).clamp(min=0) * layers.clamp(min=t).log()).sum(1)
        total, lit = layers.sum(1), (layers > 0).sum(1)
        out = out - (lit - 1).clamp(min=0) * total.clamp(min=t).log()
        root = (energy / GEV).sqrt()
        seen = torch.where(total < t, (0.1 * root).log(), (root / (energy * self.sampling_fraction)).log())
        return (out + seen - self.code_spread[0].log() - len(self.mirrors) * math.log(2)).to(batch.x.dtype)


class TotalEnergy(nn.Module):
    """Reads the sum of a shower in MeV off given["energy"] [B, 2] and given["codes"] [B, 1], both encoded: [B, 1].

    Args:
        codec: its fitted constants say what the numbers mean; the module holds them as its own.

    Example:
        >>> from simulacra.domains.calorimeter.geometry import WSI45
        >>> codec = DepthCodec(WSI45)
        >>> told = codec.encode_given({"energy": torch.tensor([[20e3]])})
        >>> TotalEnergy(codec)({**told, "codes": torch.zeros(1, 1)}).round()
        tensor([[20000.]])
    """

    def __init__(self, codec: ShowerCodec) -> None:
        super().__init__()
        self.codec = codec

    def forward(self, given: Given) -> Tensor:
        return self.codec.total(given["codes"], self.codec.incident(given)).to(given["codes"].dtype)


def along_depth(geometry: Geometry) -> Geometry:
    """The layers of a calorimeter as the cells of one row, front to back, so that a tree can halve them.

    >>> from simulacra.domains.calorimeter.geometry import WSI45
    >>> along_depth(WSI45)
    Geometry(wsi45 in depth: 1 layers, 45 cells, mirrors ())
    """
    edges = tuple(float(k) for k in range(len(geometry.layers) + 1))
    return Geometry(f"{geometry.name} in depth", (Layer("layers", "cartesian", (-0.5, 0.5), edges),))
