"""What adaptive instance normalisation makes of the maps that come in, and what it forgets of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from simulacra.claims.claim import Claim, Result
from simulacra.figures.curves import Curves, curves
from simulacra.networks.conditional_norm import ConditionalBatchNorm
from simulacra.networks.modulation import AdaIN
from simulacra.networks.style import MappingNetwork, StyleGenerator, Synthesis
from simulacra.random import reseed

SHAPE, LATENT, MAPS = (1, 16, 16), 16, 8
MEAN, SPREAD = "largest |mean of a map - y_b|", "largest |ln(deviation of a map / y_s)|"
FORGOTTEN = "change of maps as incoming ones are scaled and shifted"
PICTURE = "change of pictures as all maps are scaled and shifted"


class Passage(NamedTuple):
    """What came into the norm of one layer and what came out, both [B, C, H, W]."""

    before: Tensor
    after: Tensor


def untrained() -> StyleGenerator:
    """A StyleGAN generator in double precision, whose noise has a strength."""
    made = StyleGenerator(MappingNetwork(LATENT, depth=2), Synthesis(SHAPE, LATENT, base=MAPS))
    for layer in layers(made):
        nn.init.normal_(layer.noise.strength)
    return made.double().eval()


def layers(generator: StyleGenerator) -> list[Any]:
    synthesis: Any = generator.synthesis
    return list(synthesis.layers)


def over_the_batch(norm: AdaIN) -> ConditionalBatchNorm:
    """Batch norm of the same scales and shifts: means and deviations over all events, not of one."""
    zero = torch.zeros(1, LATENT).double()
    offset = norm.style(zero).detach()
    made = ConditionalBatchNorm(offset.shape[1] // 2, LATENT).double()
    with torch.no_grad():
        made.own.add_(offset[0])
        made.embedding.copy_(norm.style(torch.eye(LATENT).double()) - offset)  # type: ignore[union-attr]
    return made


def batch_normed(generator: StyleGenerator) -> StyleGenerator:
    """The same generator with `over_the_batch` in place of every AdaIN."""
    twin = deepcopy(generator)
    for layer in layers(twin):
        layer.norm = over_the_batch(layer.norm)
    return twin


def run(generator: StyleGenerator, noise: dict[str, Tensor], disturbed: bool) -> tuple[Tensor, list[Passage]]:
    """Pictures and what passed the norm of each layer; `disturbed` scales maps, 1/3 to 3 times, and shifts them."""
    passed: list[Passage] = []

    def disturb(module: nn.Module, told: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        x, w = told
        one = x[..., :1, :1]
        return x * 3 ** (2 * torch.rand_like(one) - 1) + 3 * torch.randn_like(one), w

    norms = [layer.norm for layer in layers(generator)]
    hooks = [norm.register_forward_pre_hook(disturb) for norm in norms if disturbed]
    hooks += [norm.register_forward_hook(lambda _, told, out: passed.append(Passage(told[0], out))) for norm in norms]
    with torch.no_grad():
        picture = generator(noise)
    for hook in hooks:
        hook.remove()
    return picture, passed


def change(before: Tensor, after: Tensor) -> float:
    """The root mean square of the difference, over the deviation before."""
    return float((after - before).square().mean().sqrt() / before.std())


def spread(maps: Tensor) -> Tensor:
    """Deviations [B, C] of maps."""
    return maps.std((2, 3), correction=0)


def passing(seed: int, events: int = 64) -> Result:
    """An untrained generator; the control has conditional batch norm of the same scales and shifts."""
    reseed(seed, "claims", "instance styles")
    generator = untrained()
    noise = {name: torch.randn(events, size).double() for name, size in {"z": LATENT, **generator.noises}.items()}
    with torch.no_grad():
        w = generator.mapping(noise["z"])
        wanted = [layer.norm.style(w).chunk(2, 1) for layer in layers(generator)]

    def measure(of: StyleGenerator) -> tuple[dict[str, float], list[Passage]]:
        (before, plain), (after, disturbed) = (run(of, noise, how) for how in (False, True))
        means = [(p.after.mean((2, 3)) - b).abs().max() for p, (_, b) in zip(disturbed, wanted, strict=True)]
        ratios = [
            (spread(p.after) / (1 + s)).abs().log().abs().max() for p, (s, _) in zip(disturbed, wanted, strict=True)
        ]
        moved = [change(one.after, two.after) for one, two in zip(plain, disturbed, strict=True)]
        found = float(torch.stack(means).max()), float(torch.stack(ratios).max()), max(moved), change(before, after)
        return dict(zip((MEAN, SPREAD, FORGOTTEN, PICTURE), found, strict=True)), disturbed

    values, passed = measure(generator)
    control, other = measure(batch_normed(generator))
    scale = 1 + wanted[1][0]
    arrays = {
        f"{name}, {when}": found[:8].flatten().numpy()
        for name, held in (("AdaIN", passed[1]), ("batch norm", other[1]))
        for when, found in (("in", spread(held.before)), ("out", (spread(held.after) / scale).abs()))
    }
    return Result(values, control, arrays)


def draw_passing(results: Sequence[Result]) -> Figure:
    held = results[0].arrays
    marks = {name: (held[f"{name}, in"], held[f"{name}, out"]) for name in ("AdaIN", "batch norm")}
    x, y = "deviation of an incoming map", "that of the outgoing one / y_s"
    return curves([Curves("second layer", x, y, marks=marks, log="xy")], width=4.5)


CLAIMS = (
    Claim(
        name="styles-rescale-maps",
        statement="Styles re-scale feature maps: AdaIN gives each map the deviation and the mean of its style.",
        lecture="B:563-567",
        paper="Karras, Laine and Aila 2019, arXiv 1812.04948; Huang and Belongie 2017, arXiv 1703.06868",
        experiment=passing,
        bounds={
            MEAN: (-math.inf, 1e-9),
            SPREAD: (-math.inf, 0.01),
            FORGOTTEN: (-math.inf, 0.01),
            PICTURE: (-math.inf, 0.01),
        },
        control="the same scales and shifts after batch norm, whose means and deviations are those of all events.",
        budget="four passes of 64 pictures of 16 x 16, float64",
        figure=draw_passing,
        seeds=8,
        fast=True,
        note="At all six layers of an untrained generator; maps that come in are scaled by 1/3 to 3 and shifted. The "
        "style replaces what they had: pictures forget the mean and deviation of every map before a norm, so that "
        "one layer can tell the next only how a map varies over its places. Deviations fall short of y_s by the "
        "eps of 1e-5 under the root.",
    ),
)  # fmt: skip
