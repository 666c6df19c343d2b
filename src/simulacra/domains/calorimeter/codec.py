"""Showers as a few energies and many shares: the code in which both shower models think."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from simulacra.batch import Batch, DataSpec, Field, Given
from simulacra.domains.calorimeter.geometry import Geometry
from simulacra.domains.standard import spanned

GEV = 1e3  # MeV
BAND = 1.5  # width of the noise that stands for "empty", in the units of a log ratio
IDLE = 3.0  # width of the noise that stands for "nothing left to share", in standard deviations


class ShowerCodec(nn.Module):
    """Between cell energies in MeV and [one code per layer | the share of its layer's energy in each cell].

    With E the incident and E_l the layer energies, T = sum_l E_l, R_l = E_0 + ... + E_l and the threshold t = cut / 2:

        code_0 = (T / (E f) - 1) sqrt(E / GeV)                    f = sampling fraction, fitted
        code_l = ln(E_l / (R_l - E_l)) + a_l ln(R_l / t)          l = 1 ... L-1, from the back to the front

    each standardised by its mean and spread in the data it was fitted on. a_l = 1 for layers that are often empty, so
    that the code of a deposit at threshold is the same at all E. An empty layer is a band of uniform noise below the
    code of a deposit at threshold; a layer behind which lies nothing (R_l = E_l), a band above; where R_l = 0 the code
    is idle noise. Decoding these is exact: what lies beyond threshold becomes zero. (In float32 the total comes back to
    1e-7 of E f, so a shower that leaves next to nothing loses digits.)

    Showers are folded by the geometry's mirrors: each is turned so that the energy beside the axis, weighed by one over
    the cell's width, is larger on the positive side; decoding turns each shower at random, which loses nothing.
    Deposits below `cut` are dropped.

    Args:
        geometry: of the calorimeter, or the physical description of its data.
        cut: MeV; smaller deposits do not exist.

    Example:
        >>> from simulacra.domains.calorimeter.geometry import LAR3
        >>> codec = ShowerCodec(LAR3)
        >>> x = torch.rand(4, 504)
        >>> batch = Batch(x, {"energy": torch.full((4, 1), 2000.0)})
        >>> codec.fit([batch])
        >>> again = codec.decode(Batch(codec.encode(batch).x, batch.given))
        >>> torch.allclose(again.x.sum(1), x.sum(1), rtol=1e-4)
        True

    Source: the response times sqrt(E) and splitting by layers follow Krause & Shih 2021 (CaloFlow, arXiv 2106.05285).
    """

    sampling_fraction: Tensor
    code_mean: Tensor
    code_spread: Tensor
    often_empty: Tensor
    energy_mean: Tensor
    energy_spread: Tensor
    mirrors: Tensor
    sides: Tensor
    signs: Tensor
    layer_of: Tensor

    def __init__(self, geometry: Geometry | DataSpec | Mapping[str, Any], *, cut: float = 1e-3) -> None:
        super().__init__()
        self.others: dict[str, Field] = {}
        if isinstance(geometry, DataSpec):
            geometry.need("energy")
            self.others = {name: f for name, f in geometry.given.items() if name != "energy" and f.kind == "real"}
            geometry = geometry.geometry or {}
        self.geometry = geometry if isinstance(geometry, Geometry) else Geometry.from_json(geometry)
        self.cut, self.threshold = cut, cut / 2
        self.layers, self.cells = len(self.geometry.layers), self.geometry.cells
        real = torch.float64
        self.register_buffer("sampling_fraction", torch.ones((), dtype=real))
        self.register_buffer("code_mean", torch.zeros(self.layers, dtype=real))
        self.register_buffer("code_spread", torch.ones(self.layers, dtype=real))
        self.register_buffer("often_empty", torch.zeros(self.layers, dtype=real))
        self.register_buffer("energy_mean", torch.zeros((), dtype=real))
        self.register_buffer("energy_spread", torch.ones((), dtype=real))
        axes = self.geometry.mirrors
        turns = [self.geometry.mirror(axis) for axis in axes]
        self.register_buffer("mirrors", _stack(turns, self.cells, torch.int64), persistent=False)
        self.register_buffer("sides", _stack([self._side(a) for a in axes], self.cells, real), persistent=False)
        signs = [getattr(self.geometry, axis).sign() for axis in axes]
        self.register_buffer("signs", _stack(signs, self.cells, real), persistent=False)
        self.register_buffer("layer_of", self.geometry.layer_of, persistent=False)

    def extra_repr(self) -> str:
        return f"{self.geometry}, cut={self.cut:g} MeV"

    def _side(self, axis: str) -> Tensor:
        """One over its width, signed by its side, for each cell that touches the plane `axis = 0`; else 0."""
        out = []
        for layer in self.geometry.layers:
            low, high, left, right = layer.bounds()
            if layer.kind == "cartesian":
                near, far = (left, right) if axis == "x" else (low, high)
            else:
                near, far = left, right
            touches = (near * far <= 1e-9 * far.abs().max()) & ((near + far).abs() > 1e-9)
            middle = layer.centres()[0 if axis == "x" else 1]
            out.append(torch.where(touches & (middle.abs() > 1e-9), middle.sign() / (far - near), 0.0))
        return torch.cat(out)

    @property
    def head(self) -> int:
        """How many numbers come before the cells."""
        return self.layers

    def spec(self, data: DataSpec) -> DataSpec:
        """What networks see: x [L + V], codes then cells; given["energy"] [2]."""
        return DataSpec(
            data.name,
            "layers",
            Field((self.head + self.cells,)),
            {**data.given, "energy": Field((2,))},
            {"codes": (self.layers,), **self.geometry.parts},
            self.geometry.to_json(),
            data.rows,
            data.fingerprint,
        )

    @torch.no_grad()
    def fit(self, batches: Iterable[Batch]) -> None:
        """Fits sampling fraction, means and spreads in one weighted pass.

        Raises:
            ValueError: there are no showers.
        """
        sums: dict[str, Tensor] = {}
        for batch in batches:
            w = torch.ones(len(batch)) if batch.weight is None else batch.weight
            w = w.to(self.code_mean)[:, None]
            energy = self._energy(batch.given)
            layers = self.geometry.sum_layers(self._cut(batch.x).to(w))
            total, log_energy, root = layers.sum(1, keepdim=True), (energy / GEV).log(), (energy / GEV).sqrt()
            visible = total / energy * root  # f (code_0 + sqrt(E))
            plain, lift, live = self._sticks(layers, 0.5)
            new = {"n": w, "T": w * total, "E": w * energy, "l": w * log_energy, "ll": w * log_energy**2}
            new |= {"v": w * visible, "vv": w * visible**2, "vr": w * visible * root, "r": w * root, "rr": w * root**2}
            new |= {"empty": w * (layers < self.threshold), "live": w * live}
            for k, code in enumerate((plain, plain + lift)):
                new |= {f"c{k}": w * live * code, f"cc{k}": w * live * code**2}
            for name, value in new.items():
                sums[name] = sums.get(name, 0.0) + value.sum(0)
        if not sums:
            raise ValueError("expected showers to fit the codec on, came none; pass at least one batch")
        n, f = sums["n"], sums["T"] / sums["E"]
        mean0 = (sums["v"] / f - sums["r"]) / n
        square0 = (sums["vv"] / f**2 - 2 * sums["vr"] / f + sums["rr"]) / n
        often = (sums["empty"] / n > 0.01).to(f)
        live = sums["live"].clamp(min=1e-9)
        mean = torch.where(often > 0, sums["c1"], sums["c0"]) / live
        square = torch.where(often > 0, sums["cc1"], sums["cc0"]) / live
        mean, square = torch.cat([mean0, mean[1:]]), torch.cat([square0, square[1:]])
        self.sampling_fraction.copy_(f[0])
        self.often_empty.copy_(often)
        self.code_mean.copy_(mean)
        self.code_spread.copy_(_spread(mean, square))
        self.energy_mean.copy_(sums["l"][0] / n[0])
        self.energy_spread.copy_(_spread(sums["l"] / n, sums["ll"] / n)[0])

    def encode_given(self, given: Given) -> Given:
        """given["energy"] [B, 1] MeV -> [B, 2]: standardised ln E, and 2 exp(-ln(E / GeV) / 2) - 1.

        Classes pass, other numbers go from -1 to 1 over the range seen in training.
        """
        log_energy = (self._energy(given) / GEV).log()
        seen = torch.cat([(log_energy - self.energy_mean) / self.energy_spread, 2 * (-log_energy / 2).exp() - 1], 1)
        others = {name: spanned(field, given[name]) for name, field in self.others.items()}
        return {**given, **others, "energy": seen.to(given["energy"].dtype)}

    def encode(self, batch: Batch) -> Batch:
        """x [B, V] MeV -> [B, L + V]; draws the noise that stands for empty layers from the default generator."""
        x = self.fold(self._cut(batch.x))
        layers = self.geometry.sum_layers(x.to(self.code_mean))
        codes = self.energy_codes(layers, self._energy(batch.given))
        whole = layers.clamp(min=self.threshold)[:, self.layer_of]
        encoded = torch.cat([codes, x / whole], 1).to(batch.x.dtype)
        return Batch(encoded, self.encode_given(batch.given), batch.mask, batch.weight)

    def decode(self, batch: Batch) -> Batch:
        """x [B, L + V] with given["energy"] in MeV -> x [B, V] MeV, each shower mirrored at random."""
        layers = self.layer_energies(batch.x, batch.given["energy"]).to(batch.x.dtype)
        x = batch.x[:, self.head :] * layers[:, self.layer_of]
        for mirror in self.mirrors:
            x = torch.where(torch.rand(len(x), 1, device=x.device) < 0.5, x[:, mirror], x)
        return batch.with_x(x)

    def layer_energies(self, x: Tensor, energy: Tensor) -> Tensor:
        """The layer energies [B, L] in MeV that an encoded x [B, L + V] stands for, at energy [B, 1] MeV."""
        codes = x[:, : self.layers].to(self.code_mean) * self.code_spread + self.code_mean
        left = self.total(x[:, :1], energy)
        out: list[Tensor] = []
        for layer in range(self.layers - 1, 0, -1):
            lift = self.often_empty[layer] * (left.clamp(min=self.threshold) / self.threshold).log()
            code = codes[:, layer : layer + 1] - lift
            here, rest = left * code.sigmoid(), left * (-code).sigmoid()
            empty, full = here < self.threshold, rest < self.threshold
            here, rest = torch.where(full, left, here), torch.where(full, 0.0, rest)
            out.append(torch.where(empty, 0.0, here))
            left = torch.where(empty, left, rest)
        return torch.cat([left, *reversed(out)], 1).to(x.dtype)

    def total(self, code: Tensor, energy: Tensor) -> Tensor:
        """The sum of a shower in MeV that its first code stands for at energy [B, 1] MeV: [B, 1] float64."""
        code = code.to(self.code_mean) * self.code_spread[0] + self.code_mean[0]
        energy = energy.to(code)
        total = energy * self.sampling_fraction * (1 + code / (energy / GEV).sqrt())
        return torch.where(total < self.threshold, 0.0, total)

    def incident(self, given: Given) -> Tensor:
        """The energy [B, 1] in MeV that encoded conditions stand for."""
        return (given["energy"][:, :1] * self.energy_spread + self.energy_mean).exp() * GEV

    def energy_codes(self, layers: Tensor, energy: Tensor) -> Tensor:
        """What comes before the cells, [B, head], for layer energies [B, L] at energy [B, 1] MeV."""
        return self.codes(layers, energy, torch.rand_like(layers))

    def codes(self, layers: Tensor, energy: Tensor, noise: Tensor) -> Tensor:
        """Standardised codes [B, L] of layer energies [B, L] at energy [B, 1] MeV; noise [B, L] in [0, 1)."""
        total, root = layers.sum(1, keepdim=True), (energy / GEV).sqrt()
        first = (total / (energy * self.sampling_fraction) - 1) * root
        dark = -root * (1 + 0.1 * noise[:, :1])  # below what any deposit has
        first = torch.where(total < self.threshold, dark, first)
        plain, lift, live = self._sticks(layers, noise)
        codes = torch.cat([first, (plain + self.often_empty * lift)[:, 1:]], 1)
        codes = (codes - self.code_mean) / self.code_spread
        idle = (IDLE * (noise - 0.5)).to(codes)
        return torch.where(torch.cat([torch.ones_like(live[:, :1]), live[:, 1:]], 1) > 0, codes, idle)

    def _sticks(self, layers: Tensor, noise: Tensor | float) -> tuple[Tensor, Tensor, Tensor]:
        """ln(E_l / (R_l - E_l)) with bands for the empty, ln(R_l / t), and whether R_l > 0: each [B, L]."""
        t = self.threshold
        whole = layers.cumsum(1)
        rest = torch.cat([torch.zeros_like(whole[:, :1]), whole[:, :-1]], 1)
        live = (whole >= t).to(layers)
        safe = whole.clamp(min=2 * t)
        edge = (t / (safe - t)).log()
        ratio = layers.clamp(min=t).log() - rest.clamp(min=t).log()
        # a hair beyond the edge, so that rounding cannot bring an empty layer back
        beyond = 0.02 + BAND * noise
        ratio = torch.where(layers < t, edge - beyond, torch.where(rest < t, beyond - edge, ratio))
        return ratio, (safe / t).log(), live

    def log_det(self, batch: Batch) -> Tensor:
        """log |d encode / d x| of physical showers, [B], so that log p(x) = log p(code) + log_det.

        The density is in MeV over the positive cells of each shower and counts which ones they are. With k_l positive
        cells in layer l, (E_l, the first k_l - 1 shares) replace the k_l cells:

            log_det = -sum_l (k_l - 1) ln E_l + ln(sqrt(E/GeV) / (E f s_0))
                      + sum_{l cut in two} ln(R_l / (E_l (R_l - E_l) s_l)) + sum_{noise} ln(width / s) - (mirrors) ln 2

        s are the spreads of the codes. A shower with empty layers gets a lower bound, for noise stands for them.
        """
        x = self._cut(batch.x).to(self.code_mean)
        energy, t = self._energy(batch.given), self.threshold
        layers = self.geometry.sum_layers(x)
        counts = self.geometry.sum_layers((x > 0).to(x))
        out = -((counts - 1).clamp(min=0) * layers.clamp(min=t).log()).sum(1)
        root = (energy[:, 0] / GEV).sqrt()
        seen = (root / (energy[:, 0] * self.sampling_fraction)).log()
        whole = layers.cumsum(1)
        out = out + torch.where(whole[:, -1] < t, (0.1 * root).log(), seen) - self.code_spread[0].log()
        rest = torch.cat([torch.zeros_like(whole[:, :1]), whole[:, :-1]], 1)
        cut = whole.clamp(min=t).log() - layers.clamp(min=t).log() - rest.clamp(min=t).log()
        cut = torch.where((layers < t) | (rest < t), math.log(BAND), cut) - self.code_spread.log()
        cut = torch.where(whole < t, math.log(IDLE), cut)
        return (out + cut[:, 1:].sum(1) - len(self.mirrors) * math.log(2)).to(batch.x.dtype)

    def fold(self, x: Tensor) -> Tensor:
        """Each shower turned to its standing under the mirrors: the positive side beside the axis is the stronger."""
        for mirror, side, sign in zip(self.mirrors, self.sides, self.signs, strict=True):
            near, far = x @ side.to(x), x @ sign.to(x)
            x = torch.where(((near < 0) | ((near == 0) & (far < 0)))[:, None], x[:, mirror], x)
        return x

    def _cut(self, x: Tensor) -> Tensor:
        return torch.where(x < self.cut, 0.0, x)

    def _energy(self, given: Given) -> Tensor:
        return given["energy"].to(self.code_mean)


def _stack(rows: list[Tensor], cells: int, dtype: torch.dtype) -> Tensor:
    return torch.stack(rows).to(dtype) if rows else torch.zeros(0, cells, dtype=dtype)


def _spread(mean: Tensor, square: Tensor) -> Tensor:
    """Standard deviations; 1 where nothing varies."""
    spread = (square - mean**2).clamp(min=0).sqrt()
    return torch.where(spread > 1e-6 * (1 + mean.abs()), spread, torch.ones_like(spread))
