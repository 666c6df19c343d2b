"""A parametrisation of electromagnetic showers, fitted to the data: profiles in depth and radius, and energy spots."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from scipy.special import gammaincinv
from torch import Tensor, nn

from simulacra.batch import Batch, DataSpec, Given
from simulacra.classical import lateral, longitudinal
from simulacra.classical.lateral import POWER, REAL, Plane
from simulacra.errors import UserError
from simulacra.training.game import Loss

BINS = 64
PER_DECADE = 8  # bins of the energy, from 1 MeV
GEV = 1e3


class GFlash(nn.Module):
    """Showers in MeV from a particle's energy: few numbers, each with a meaning.

    The longitudinal profile is a gamma distribution whose (alpha, T) fluctuate from shower to shower, follow ln E and
    are correlated; the sampling of each layer fluctuates by `c / sqrt(E)`. Across, a core and a tail of the form
    `2 r R^2 / (r^2 + R^2)^2` in each layer, around an impact that is uniform in a rectangle (on the axis for polar
    cells). A layer's energy falls in spots of equal size, whose number grows as E^0.9. `longitudinal` and `lateral` fit
    them by moments and least squares; `collect` sums what they need.

    The paper gives the constants as functions of the material; here they are fitted to the showers, the radii per layer
    instead of per age of the shower, and each layer has a fraction of its own.

    Args:
        spec: physical: layout `layers`, with a detector's geometry, `energy` given in MeV.
        cut: MeV; smaller deposits are dropped.

    Source: Grindhammer and Peters 1993, arXiv hep-ex/0001020.
    """

    constants: Tensor
    fraction: Tensor
    mean_log: Tensor
    across: Tensor
    reach: Tensor
    rounds: Tensor

    def __init__(self, spec: DataSpec, cut: float = 1e-3) -> None:
        super().__init__()
        spec.need("energy")
        if not spec.geometry:
            raise UserError(f"expected showers with a detector's geometry, {spec.name} has none; name the detector")
        layers = spec.geometry["layers"]
        self.cut, self.planes = cut, [Plane.from_json(layer) for layer in layers]
        self.sizes = [plane.size for plane in self.planes]
        self.edges = longitudinal.depths([float(layer["z"]) for layer in layers])
        count = len(layers)
        self.register_buffer("constants", torch.zeros(10, dtype=REAL))
        self.register_buffer("fraction", torch.zeros(count, dtype=REAL))
        self.register_buffer("mean_log", torch.zeros((), dtype=REAL))
        self.register_buffer("across", torch.zeros(count, 5, dtype=REAL))
        self.register_buffer("reach", torch.zeros(2, dtype=REAL))
        self.register_buffer("rounds", torch.zeros((), dtype=torch.long))

    def collect(self, batch: Batch) -> dict[str, Tensor]:
        """Sums by bins of ln E of layer energies, their products and the squares of cell shares; of shares over all."""
        x, energy = batch.x.to(REAL), batch.given["energy"].flatten().to(REAL)
        weight = (torch.ones(len(batch), device=x.device) if batch.weight is None else batch.weight).to(REAL)
        place = (energy.log10() * PER_DECADE).long().clamp(0, BINS - 1)
        parts = x.split(self.sizes, 1)
        layers = torch.stack([part.sum(1) for part in parts], 1)
        hit = weight[:, None] * (layers > 0)
        shares = [part / layer[:, None].clamp(min=1e-12) for part, layer in zip(parts, layers.T, strict=True)]
        fractions = layers / energy[:, None]
        totals = longitudinal.totals(fractions)

        def binned(values: Tensor) -> Tensor:
            return x.new_zeros(BINS, *values.shape[1:]).index_add_(0, place, values)

        heavy = weight[:, None]
        return {
            "count": x.new_full((), len(x)),
            "events": binned(weight),
            "log_energy": binned(weight * (energy / GEV).log()),
            "layers": binned(heavy * fractions),
            "pairs": binned(heavy[..., None] * totals[:, :, None] * totals[:, None, :]),
            "hit": binned(hit),
            "power": binned(hit * (layers / GEV) ** POWER),
            "squares": binned(heavy * torch.stack([share.square().sum(1) for share in shares], 1)),
            "share": torch.cat([weight @ share for share in shares]),
            "share2": torch.cat([weight @ share.square() for share in shares]),
        }

    def solve(self, sums: Mapping[str, Tensor]) -> Loss:
        """Fits depth, then the layers from fine cells to coarse; the finest in x and in y tell how impacts scatter.

        Raises:
            UserError: there are too few showers.
        """
        device = self.constants.device
        per_event = float(sums["count"] / sums["events"].sum().clamp(min=1e-30))  # weights are one on average
        sums = {name: per_event * value.cpu() for name, value in sums.items()}
        if not bool((sums["events"] >= 2).any()) or not bool(sums["layers"].sum() > 0):
            raise UserError("expected showers of like energies to fit gflash to, came too few; use more data")
        again = bool(self.rounds > 0)  # a later round starts where the last one ended
        *found, depth = longitudinal.fit(sums, self.edges, self.constants.cpu() if again else None)
        for buffer, value in zip((self.constants, self.fraction, self.mean_log), found, strict=True):
            buffer.copy_(value)
        pitches = torch.stack([plane.pitch for plane in self.planes])  # [L, 2]
        finest = [int(k) for k in pitches.argmin(0)]  # which layer tells the scatter of impacts in x, and in y
        narrow = (pitches.min(0).values / 4).nan_to_num(posinf=0)
        reach = self.reach.cpu() if again else narrow
        u, worst = sums["log_energy"] / sums["events"].clamp(min=1e-9) - self.mean_log.cpu(), []
        for k in sorted(range(len(self.planes)), key=lambda k: float(pitches[k].min())):
            here = {name: sums[name].split(self.sizes)[k] for name in ("share", "share2")}
            here |= {name: sums[name][:, k] for name in ("power", "squares")} | {"events": sums["hit"][:, k], "u": u}
            axes = [a for a in (0, 1) if finest[a] == k and narrow[a] > 0]
            across, reach, chi2 = lateral.fit(
                self.planes[k], here, reach, axes, self.across[k].cpu() if again else None
            )
            self.across[k] = across.to(device)
            worst.append(chi2)
        self.reach.copy_(reach)
        self.rounds += 1
        parts = {"depth": depth.to(device), "width": torch.stack(worst).max().to(device)}
        return Loss(parts, {"events": sums["events"].sum()})

    def layer_energies(self, energy: Tensor) -> Tensor:
        """Visible energies of the layers in MeV, [B, L], at energy [B] MeV; like all of sampling on the CPU."""
        gev = energy.to("cpu", REAL) / GEV
        one, two = torch.randn(2, len(gev), dtype=REAL)
        u = gev.log() - self.mean_log.cpu()
        shares = longitudinal.layer_shares(self.constants.cpu(), self.edges, u, one, two)
        step = math.exp(2 * float(self.constants[-1]))  # c^2 GeV
        mean, chance = gev[:, None] * shares / step, torch.rand_like(shares)
        sampled = torch.from_numpy(gammaincinv(mean.clamp(min=1e-6).numpy(), chance.numpy()))
        return sampled * step * GEV * self.fraction.cpu()

    @torch.no_grad()
    def sample(self, n: int, given: Given = {}) -> Batch:
        """n showers; each from random numbers of its own."""
        energy = given["energy"].flatten()
        layers = self.layer_energies(energy)
        at = self.reach.cpu() * (2 * torch.rand(n, 2, dtype=REAL) - 1)
        u = (energy.to("cpu", REAL) / GEV).log() - self.mean_log.cpu()
        cells = [lateral.spots(*one, u, at) for one in zip(self.planes, self.across.cpu(), layers.T, strict=True)]
        x = torch.cat(cells, 1).to(energy)
        return Batch(torch.where(x < self.cut, 0.0, x), given)
