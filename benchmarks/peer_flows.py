"""Flows of zuko, nflows and normflows with the transforms, masks, permutations and layers of simulacra's recipes.

Each builder gives the flow, its log density of rows and its draws.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from simulacra.flows.coupling import alternating

HIDDEN, BINS, TAIL = 128, 8, 4.0
LAYERS = {"realnvp": 8, "maf": 8, "nsf": 6}


class Net(nn.Sequential):
    """The network of a coupling as nflows and normflows call it, with a context that there is none of."""

    hidden_features = HIDDEN

    def __init__(self, inputs: int, outputs: int) -> None:
        middle = [nn.Linear(inputs, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, HIDDEN), nn.SiLU()]
        super().__init__(*middle, nn.Linear(HIDDEN, outputs))

    def forward(self, input: Tensor, context: None = None) -> Tensor:
        return super().forward(input)


def _mixing(recipe: str, size: int) -> list[Tensor | None]:
    """The permutation after each transform, as in the recipe; for MAF the reversal."""
    if recipe == "maf":
        return [torch.arange(size).flip(0)] * LAYERS[recipe]
    generator = torch.Generator().manual_seed(0)
    return [torch.randperm(size, generator=generator) if size > 2 and k % 2 else None for k in range(LAYERS[recipe])]


def of_zuko(recipe: str, size: int) -> tuple[nn.Module, Any, Any]:
    import zuko  # pyright: ignore[reportMissingImports]
    from zuko.flows.coupling import GeneralCouplingTransform  # pyright: ignore[reportMissingImports]
    from zuko.lazy import UnconditionalDistribution, UnconditionalTransform  # pyright: ignore[reportMissingImports]
    from zuko.transforms import MonotonicRQSTransform, PermutationTransform  # pyright: ignore[reportMissingImports]

    nets: dict[str, Any] = {"hidden_features": (HIDDEN, HIDDEN), "activation": nn.SiLU}
    if recipe == "maf":
        flow: Any = zuko.flows.MAF(size, transforms=LAYERS[recipe], **nets)
    else:
        if recipe == "nsf":
            shapes = [(BINS,), (BINS,), (BINS - 1,)]
            nets |= {"univariate": partial(MonotonicRQSTransform, bound=TAIL), "shapes": shapes}
        steps: list[Any] = []
        for k, order in enumerate(_mixing(recipe, size)):
            mask: Any = alternating(size, k)
            steps.append(GeneralCouplingTransform(size, mask=mask, **nets))
            if order is not None:
                steps.append(UnconditionalTransform(PermutationTransform, order, buffer=True))
        normal = UnconditionalDistribution(
            zuko.distributions.DiagNormal, torch.zeros(size), torch.ones(size), buffer=True
        )
        flow = zuko.flows.Flow(steps, normal)
    return flow, lambda model, x: model().log_prob(x), lambda model, n: model().sample((n,))


def of_nflows(recipe: str, size: int) -> tuple[nn.Module, Any, Any]:
    from nflows.distributions.normal import StandardNormal  # pyright: ignore[reportMissingImports]
    from nflows.flows import Flow  # pyright: ignore[reportMissingImports]
    from nflows.transforms import (  # pyright: ignore[reportMissingImports]
        AffineCouplingTransform,
        CompositeTransform,
        MaskedAffineAutoregressiveTransform,
        Permutation,
        PiecewiseRationalQuadraticCouplingTransform,
    )

    spline: dict[str, Any] = {"num_bins": BINS, "tails": "linear", "tail_bound": TAIL}
    plain: dict[str, Any] = {"num_blocks": 1, "use_residual_blocks": False, "activation": nn.functional.silu}
    steps: list[Any] = []
    for k, order in enumerate(_mixing(recipe, size)):
        moved = (~alternating(size, k)).int()
        if recipe == "maf":
            steps.append(MaskedAffineAutoregressiveTransform(size, HIDDEN, **plain))
        elif recipe == "nsf":
            steps.append(PiecewiseRationalQuadraticCouplingTransform(moved, Net, **spline))
        else:
            steps.append(AffineCouplingTransform(moved, Net))
        if order is not None:
            steps.append(Permutation(order))
    flow = Flow(CompositeTransform(steps), StandardNormal([size]))
    return flow, lambda model, x: model.log_prob(x), lambda model, n: model.sample(n)


def of_normflows(recipe: str, size: int) -> tuple[nn.Module, Any, Any]:
    """Turned round by its `Reverse` where its fast direction is sampling; RealNVP by halves that swap and shuffle."""
    import normflows as nf  # pyright: ignore[reportMissingImports]
    from normflows.flows.neural_spline.coupling import (  # pyright: ignore[reportMissingImports]
        PiecewiseRationalQuadraticCoupling,
    )

    spline: dict[str, Any] = {"num_bins": BINS, "tails": "linear", "tail_bound": TAIL}
    plain: dict[str, Any] = {"num_blocks": 1, "use_residual_blocks": False, "activation": nn.functional.silu}
    steps: list[Any] = []
    for k, order in enumerate(_mixing(recipe, size)):
        if recipe == "maf":
            steps.append(nf.flows.Reverse(nf.flows.MaskedAffineAutoregressive(size, HIDDEN, **plain)))
        elif recipe == "nsf":
            moved = (~alternating(size, k)).int()
            steps.append(nf.flows.Reverse(PiecewiseRationalQuadraticCoupling(moved, Net, **spline)))
        else:
            steps.append(nf.flows.AffineCouplingBlock(Net(math.ceil(size / 2), 2 * (size // 2))))
            steps.append(nf.flows.Permute(size, mode="swap"))
        if order is not None:
            steps.append(nf.flows.Permute(size, mode="shuffle"))
    steps.reverse()
    flow = nf.NormalizingFlow(nf.distributions.DiagGaussian(size, trainable=False), steps)
    return flow, lambda model, x: model.log_prob(x), lambda model, n: model.sample(n)[0]
