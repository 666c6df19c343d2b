"""Round trips of flows, searched for counter-examples: as exact as single and double precision let them be.

Near the data, `|x' - x| <= t max(1, |x|)` for every number, x' = to_data(to_latent(x)), t = 1e-5 in single and 1e-10 in
double precision. Far away a number of 1e6 moves its neighbours by 1e6, and no arithmetic gives them back more exactly
than `eps |dx / dz| |z|`: there t is multiplied by the measured condition number, where that is above 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_bijections import BIJECTIONS, GIVEN, twice, wild
from torch import Tensor, nn

from simulacra.flows import Affine, AffineCoupling, Chain, Coupling, RationalQuadratic, Shift
from simulacra.flows.coupling import alternating
from simulacra.flows.transforms import Elementwise

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}
SPLINE = RationalQuadratic(bins=8, tail=4.0)
FLOWS = {
    **BIJECTIONS,
    "realnvp": lambda d, g: twice(lambda k: AffineCoupling(alternating(d, k), g, (8,)))(d),
    "deep realnvp": lambda d, g: Chain([AffineCoupling(alternating(d, k), g, (8,)) for k in range(8)]),
    "deep spline": lambda d, g: Chain([Coupling(alternating(d, k), SPLINE, g, (8,)) for k in range(8)]),
}
TRANSFORMS: dict[str, Elementwise] = {"shift": Shift(), "affine": Affine(), "spline": SPLINE}
NEAR, FAR = st.floats(-10, 10, width=32), st.floats(-1e6, 1e6, width=32)
SEARCH = settings(max_examples=10)


def told(energy: float, label: int) -> dict[str, Tensor]:
    return {"energy": torch.tensor([[energy]]), "label": torch.tensor([label])}


def condition(flow: Any, way: str, at: Tensor, given: Mapping[str, Tensor]) -> Tensor:
    """`sum_j |d y_i / d x_j| max(1, |x_j|) / max(1, |y_i|)` of y = way(x), 1 at least; [D]."""
    go: Callable[[Tensor], Tensor] = lambda v: getattr(flow, way)(v[None], given)[0][0]  # noqa: E731
    slope = torch.autograd.functional.jacobian(go, at[0]).abs()
    return ((slope @ at[0].abs().clamp(min=1)) / go(at[0]).detach().abs().clamp(min=1)).clamp(min=1)


def trips(flow: nn.Module, x: Tensor, given: Mapping[str, Tensor], scaled: bool) -> None:
    """Both round trips of one event, and the two volumes."""
    tolerance = TOLERANCE[x.dtype]
    for way, back in (("to_latent", "to_data"), ("to_data", "to_latent")):
        with torch.no_grad():
            z, log_det = getattr(flow, way)(x, given)
            again, inverse = getattr(flow, back)(z, given)
        factor = condition(flow, back, z, given) if scaled else torch.ones_like(x[0])
        miss = (again - x).abs()[0] / x[0].abs().clamp(min=1)
        assert bool((miss <= tolerance * factor).all()), (way, miss.tolist(), factor.tolist())
        worst = float(factor.max()) * x.shape[1] * 10
        assert abs(float(log_det + inverse)) <= tolerance * worst * max(1.0, abs(float(log_det)))


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("name", FLOWS)
def test_near_the_data_round_trips_are_exact(name: str, conditional: bool):
    @SEARCH
    @given(st.lists(NEAR, min_size=3, max_size=3), st.integers(0, 99), st.floats(-1, 1), st.integers(0, 2))
    def search(values: list[float], seed: int, energy: float, label: int):
        flow = wild(FLOWS[name](3, GIVEN if conditional else {}), seed)
        given = told(energy, label) if conditional else {}
        for kind in TOLERANCE:
            trips(flow.to(kind), torch.tensor([values], dtype=kind), given, scaled=name.startswith("deep"))

    search()


@pytest.mark.parametrize("name", FLOWS)
def test_far_away_round_trips_are_as_exact_as_the_map_is_well_conditioned(name: str):
    """Backward error: `|x' - x| <= t max(1, |x|) k` with the condition number k measured at z (see above)."""

    @SEARCH
    @given(st.lists(FAR, min_size=3, max_size=3), st.integers(0, 99), st.floats(-3, 3))
    def search(values: list[float], seed: int, energy: float):
        flow = wild(FLOWS[name](3, GIVEN), seed)
        for kind in TOLERANCE:
            trips(flow.to(kind), torch.tensor([values], dtype=kind), told(energy, 1), scaled=True)

    search()


@pytest.mark.parametrize("name", ["spline coupling", "deep spline", "spline maf"])
def test_outside_the_box_of_splines_nothing_is_lost(name: str):
    """Conditions of the data's size, numbers in the box and others far outside it: t itself, in both directions."""

    @SEARCH
    @given(st.lists(st.one_of(NEAR, FAR), min_size=3, max_size=3), st.integers(0, 99), st.floats(-1, 1))
    def search(values: list[float], seed: int, energy: float):
        flow = wild(FLOWS[name](3, GIVEN), seed)
        for kind in TOLERANCE:
            trips(flow.to(kind), torch.tensor([values], dtype=kind), told(energy, 1), scaled=False)

    search()


@pytest.mark.parametrize("strength", [1.0, 4.0])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_inverse_is_the_exact_one_of_a_number_nearby(name: str, strength: float):
    """Backward error alone: x' lies between the inverses of z - t and z + t, however steep the transform is there."""
    transform = TRANSFORMS[name]

    @settings(SEARCH, max_examples=12)
    @given(st.integers(0, 2**31))
    def search(seed: int):
        torch.manual_seed(seed)
        h = strength * torch.randn(20_000, transform.size, dtype=torch.float64)
        x = (torch.rand(20_000, dtype=torch.float64) * 2 - 1) * 5
        x[::16] *= 1e5
        for kind, tolerance in TOLERANCE.items():
            raw = h.to(kind)
            z, _ = transform.forward(x.to(kind), raw)
            back, _ = transform.inverse(z, raw)
            size = tolerance * z.double().abs().clamp(min=1)
            low, high = (transform.inverse(z.double() + way * size, raw.double())[0] for way in (-1, 1))
            slack = tolerance * x.abs().clamp(min=1)
            assert bool(((back.double() >= low - slack) & (back.double() <= high + slack)).all())
            assert bool(((x.to(kind) >= low - slack) & (x.to(kind) <= high + slack)).all())

    search()


def test_the_inverse_of_a_spline_has_the_gradient_of_its_slope():
    torch.manual_seed(0)
    h = (2 * torch.randn(64, SPLINE.size, dtype=torch.float64)).requires_grad_()
    y = (torch.linspace(-3.9, 3.9, 64, dtype=torch.float64)).requires_grad_()
    x, log_slope = SPLINE.inverse(y, h)
    slope, along = torch.autograd.grad(x.sum(), (y, h))
    assert torch.allclose(slope.log(), log_slope, atol=1e-9)
    with torch.no_grad():  # by differences
        step = 1e-6 * torch.randn_like(h)
        found = SPLINE.inverse(y, h + step)[0] - SPLINE.inverse(y, h - step)[0]
    assert torch.allclose(found, 2 * (along * step).sum(1), rtol=1e-4, atol=1e-12)
