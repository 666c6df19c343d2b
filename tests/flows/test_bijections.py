"""Every bijection: its inverse, its volume, its density, inside and far outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor, nn

from simulacra.batch import Batch, Field
from simulacra.flows import (
    AdditiveCoupling,
    Affine,
    Autoregressive,
    Chain,
    Coupling,
    Flow,
    Invert,
    Permute,
    Planar,
    Radial,
    RationalQuadratic,
    Scale,
    Shift,
    StandardLogistic,
    StandardNormal,
)
from simulacra.flows.coupling import alternating

GIVEN = {"energy": Field((1,)), "label": Field((), "class", 3)}
SPLINE = RationalQuadratic(bins=5, tail=3.0)
Build = Callable[[int, Mapping[str, Field]], nn.Module]


def twice(layer: Callable[[int], nn.Module]) -> Callable[[int], Chain]:
    return lambda size: Chain([layer(0), Permute(torch.arange(size).flip(0)), layer(1)])


BIJECTIONS: dict[str, Build] = {
    "additive": lambda d, g: Chain([twice(lambda k: AdditiveCoupling(alternating(d, k), g, (8,)))(d), Scale(d)]),
    "spline coupling": lambda d, g: twice(lambda k: Coupling(alternating(d, k), SPLINE, g, (8,)))(d),
    "maf": lambda d, g: twice(lambda k: Autoregressive(d, Affine(), g, (8,)))(d),
    "iaf": lambda d, g: Invert(twice(lambda k: Autoregressive(d, Affine(), g, (8,)))(d)),
    "spline maf": lambda d, g: twice(lambda k: Autoregressive(d, SPLINE, g, (8,)))(d),
    "planar": lambda d, g: twice(lambda k: Planar(d, g))(d),
    "inverse planar": lambda d, g: Invert(Planar(d, g)),
    "radial": lambda d, g: twice(lambda k: Radial(d, g))(d),
}


def wild(module: nn.Module, seed: int, scale: float = 0.5) -> nn.Module:
    """Random weights in place of those that start at zero."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(scale * torch.randn_like(parameter) / max(1, parameter[0].numel()) ** 0.5)
    return module


def told(n: int) -> dict[str, Tensor]:
    return {"energy": torch.linspace(-1, 1, n)[:, None], "label": torch.arange(n) % 3}


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("name", BIJECTIONS)
def test_inverse_and_volume(name: str, size: int, conditional: bool):
    flow, given = BIJECTIONS[name](size, GIVEN if conditional else {}), told(12) if conditional else {}
    wild(flow, size)
    single = torch.randn(12, size)
    z, _ = flow.to_latent(single, given)  # type: ignore[operator]
    assert ((flow.to_data(z, given)[0] - single).abs() < 1e-5 * single.abs().clamp(min=1)).all()  # type: ignore[operator]
    flow.double()
    near = torch.randn(12, size, dtype=torch.float64) * 2
    for x in (near, 1e3 * near, 1e6 * near):
        z, log_det = flow.to_latent(x, given)  # type: ignore[operator]
        back, inverse = flow.to_data(z, given)  # type: ignore[operator]
        assert ((back - x).abs() < 1e-10 * x.abs().clamp(min=1)).all()
        assert torch.allclose(log_det, -inverse, atol=1e-10)
    z, log_det = flow.to_latent(near, given)  # type: ignore[operator]
    assert (z - near).abs().max() > 1e-3
    for k in range(2):
        row = {key: value[k : k + 1] for key, value in given.items()}
        for way, at, want in (("to_latent", near, log_det), ("to_data", z.detach(), -log_det)):
            go = getattr(flow, way)
            jacobian = torch.autograd.functional.jacobian(lambda v, go=go, row=row: go(v[None], row)[0][0], at[k])
            assert torch.linalg.slogdet(jacobian)[1].item() == pytest.approx(want[k].item(), abs=1e-7)


@pytest.mark.parametrize("name", BIJECTIONS)
def test_a_density_integrates_to_one(name: str):
    flow = Flow(wild(BIJECTIONS[name](2, GIVEN), 4, 0.4), (2,))
    made = flow.sample(2000, {key: value[:1].expand(2000, *value.shape[1:]) for key, value in told(3).items()}).x
    reach = float((made - made.mean(0)).abs().max()) * 1.5
    axis = (torch.arange(400) + 0.5) / 400 * 2 * reach - reach
    grid = torch.cartesian_prod(axis, axis) + made.mean(0)
    given = {key: value[:1].expand(len(grid), *value.shape[1:]) for key, value in told(3).items()}
    with torch.no_grad():
        total = flow.log_prob(Batch(grid, given)).double().exp().sum() * (2 * reach / 400) ** 2
    assert total.item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("name", BIJECTIONS)
def test_one_event_copies_and_constants_are_defined(name: str):
    flow = Flow(wild(BIJECTIONS[name](3, {}), 2), (3,))
    one = torch.tensor([[0.0, 1e6, -3.0]])
    alone, many = flow.log_prob(Batch(one)), flow.log_prob(Batch(one.expand(5, 3)))
    assert torch.isfinite(alone).all()
    assert torch.allclose(many, alone.expand(5))
    flow.loss(Batch(torch.zeros(1, 3))).parts["nll"].backward()
    assert all(torch.isfinite(p.grad).all() for p in flow.parameters() if p.grad is not None)
    assert torch.isfinite(flow.push({"z": 1e6 * torch.ones(2, 3)}).x).all()


@pytest.mark.parametrize("name", ["spline coupling", "maf", "spline maf", "additive"])
def test_a_new_layer_is_the_identity(name: str):
    x = torch.randn(6, 4)
    flow = BIJECTIONS[name](4, GIVEN)
    z, log_det = flow.to_latent(x, told(6))  # type: ignore[operator]
    order = x.flip(1)  # of the permutation between the layers
    assert torch.allclose(z, order, atol=1e-6)
    assert log_det.abs().max() < 1e-5


def test_additive_coupling_keeps_volume():
    flow = wild(AdditiveCoupling(alternating(4, 0), {}, (8,)), 0)
    _, log_det = flow.to_latent(torch.randn(5, 4))  # type: ignore[operator]
    assert (log_det == 0).all()
    scale = Scale(3)
    nn.init.constant_(scale.log_scale, 0.5)
    assert scale.to_latent(torch.ones(2, 3))[1].tolist() == pytest.approx([1.5, 1.5])


def test_splines_are_monotone_and_smooth_at_the_seams():
    torch.manual_seed(0)
    x = torch.linspace(-4, 4, 4001, dtype=torch.float64)
    h = 3 * torch.randn(SPLINE.size, dtype=torch.float64).expand(len(x), -1)
    y, log_slope = SPLINE.forward(x, h)
    assert (y.diff() > 0).all()
    outside = x.abs() >= 3
    assert torch.equal(y[outside], x[outside])
    assert (log_slope[outside] == 0).all()
    near = torch.tensor([3 - 1e-12, -3 + 1e-12], dtype=torch.float64)
    assert SPLINE.forward(near, h[:2])[1].abs().max() < 1e-6  # the slope is 1 from both sides
    leaf = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(SPLINE.forward(leaf, h)[0].sum(), leaf)
    assert torch.allclose(slope.log(), log_slope, atol=1e-9)


def test_splines_are_never_in_half_precision():
    x, h = torch.linspace(-2, 2, 50), torch.randn(50, SPLINE.size)
    want = SPLINE.forward(x, h)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        have = SPLINE.forward(x, h)
    assert torch.equal(want[0], have[0])
    y, _ = SPLINE.forward(x.bfloat16(), h.bfloat16())
    assert y.dtype == torch.float32
    assert (SPLINE.inverse(y, h.bfloat16())[0] - x.bfloat16().float()).abs().max() < 1e-4
    with pytest.raises(ValueError, match="expected 1 to 1000 bins"):
        RationalQuadratic(bins=0)


def test_radial_and_planar_limits():
    planar = Planar(2).double()
    with torch.no_grad():  # w along x, u along w: only the first number moves, by u^ tanh
        planar.numbers.base.copy_(torch.tensor([3.0, 0.0, 1.0, 0.0, 0.0]))
    x = torch.tensor([[0.7, -2.0]], dtype=torch.float64)
    z, log_det = planar.to_latent(x)
    push = torch.log1p(torch.exp(torch.tensor(3.5413248546129181, dtype=torch.float64))) - 1
    assert z[0].tolist() == pytest.approx([0.7 + push.item() * torch.tanh(x[0, 0]).item(), -2.0])
    assert log_det.item() == pytest.approx(torch.log1p(push / torch.cosh(x[0, 0]) ** 2).item())
    with torch.no_grad():  # u against w, as strongly as it likes: still invertible
        planar.numbers.base.copy_(torch.tensor([-50.0, 0.0, 2.0, 0.0, 0.0]))
    x = torch.linspace(-3, 3, 101, dtype=torch.float64)[:, None] * torch.tensor([[1.0, 0.0]])
    assert (planar.to_latent(x.double())[0][:, 0].diff() > 0).all()
    radial = Radial(2).double()
    far = torch.tensor([[1e9, 1e9]], dtype=torch.float64)
    assert radial.to_latent(far)[1].item() == pytest.approx(0, abs=1e-6)  # far away it does nothing
    centre = radial.numbers.base[:2].detach()[None]
    assert torch.allclose(radial.to_latent(centre)[0], centre)


@pytest.mark.parametrize(("base", "variance"), [(StandardNormal, 1.0), (StandardLogistic, torch.pi**2 / 3)])
def test_bases(base, variance: float):
    torch.manual_seed(0)
    draws = base(2).draw(20000)
    assert draws.var(0).tolist() == pytest.approx([variance] * 2, rel=0.05)
    axis = torch.linspace(-20, 20, 2001, dtype=torch.float64)
    assert torch.trapezoid(base(1).log_prob(axis[:, None]).exp(), axis).item() == pytest.approx(1, abs=1e-4)


def test_shift_is_what_it_says():
    x, h = torch.randn(4), torch.randn(4, 1)
    assert torch.equal(Shift().forward(x, h)[0], x + h[:, 0])
    assert torch.allclose(Shift().inverse(Shift().forward(x, h)[0], h)[0], x, atol=1e-6)


def test_autoregressive_sampling_is_one_number_after_another():
    flow = wild(Autoregressive(4, Affine(), {}, (16,)), 3)
    jacobian = torch.autograd.functional.jacobian(lambda v: flow.to_latent(v[None])[0][0], torch.randn(4))  # type: ignore[operator]
    assert torch.equal(jacobian, jacobian.tril())
    z = torch.randn(1, 4, requires_grad=True)
    flow.to_data(z)[0][0, 1].backward()  # type: ignore[operator]
    assert z.grad is not None
    assert (z.grad[0, 2:] == 0).all()
    assert (z.grad[0, :2] != 0).all()
