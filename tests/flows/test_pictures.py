"""Flows of pictures: squeezes, masks, scales, ActNorm and the 1x1 convolution."""

from __future__ import annotations

import copy

import pytest
import torch
from test_round_trips import condition
from torch import nn

from simulacra.batch import Batch, DataSpec, Field
from simulacra.errors import UserError
from simulacra.flows import ActNorm, Chain, Flow, InvertibleConvolution, MultiScale, PictureCoupling, Squeeze
from simulacra.flows.glow import glow_scale, realnvp_scale
from simulacra.flows.pictures import channelwise, checkerboard, scale_shapes
from simulacra.recipes.glow import glow

GIVEN = {"label": Field((), "class", 3)}
SHAPE = 2, 8, 4


def wild(module: nn.Module, seed: int = 0) -> nn.Module:
    """Random values in place of those that start at zero, the rotations left as they are."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return module


def pictures(kind: str) -> MultiScale:
    torch.manual_seed(1)
    scales = scale_shapes(SHAPE, 2)
    if kind == "glow":
        return MultiScale(SHAPE, [glow_scale(shape, 2, GIVEN, 4) for shape in scales])
    return MultiScale(SHAPE, [realnvp_scale(shape, GIVEN, 4) for shape in scales])


@pytest.mark.parametrize("kind", ["glow", "realnvp"])
def test_inverse_and_volume(kind: str):
    flow = wild(pictures(kind))
    given = {"label": torch.arange(5) % 3}
    x = torch.randn(5, 64)
    z, _ = flow.to_latent(x, given)  # type: ignore[operator]
    assert ((flow.to_data(z, given)[0] - x).abs() < 1e-5 * x.abs().clamp(min=1)).all()  # type: ignore[operator]
    flow.double()
    x = torch.randn(5, 64, dtype=torch.float64)
    z, log_det = flow.to_latent(x, given)  # type: ignore[operator]
    back, inverse = flow.to_data(z, given)  # type: ignore[operator]
    assert ((back - x).abs() < 1e-10 * x.abs().clamp(min=1)).all()
    assert torch.allclose(log_det, -inverse, atol=1e-10)
    x, told = x[0], {"label": torch.tensor([0])}
    jacobian = torch.autograd.functional.jacobian(lambda v: flow.to_latent(v[None], told)[0][0], x)  # type: ignore[operator]
    have = flow.to_latent(x[None], told)[1].item()  # type: ignore[operator]
    assert torch.linalg.slogdet(jacobian)[1].item() == pytest.approx(have, abs=1e-8)
    other = flow.to_latent(x[None], {"label": torch.tensor([1])})[0]  # type: ignore[operator]
    assert (other - flow.to_latent(x[None], told)[0]).abs().max() > 1e-3  # type: ignore[operator]


@pytest.mark.parametrize("factor", [1e3, 1e6])
@pytest.mark.parametrize("kind", ["glow", "realnvp"])
def test_far_away_the_inverse_is_as_exact_as_the_map_is_well_conditioned(kind: str, factor: float):
    """Every coupling is at its bound there: twelve of them stretch by up to e^24, and errors in z by as much.

    Backward error: `|x' - x| <= 1e-10 max(1, |x|) k`, k the condition number `|dx / dz| |z| / |x|` measured at z.
    """
    flow, told = wild(pictures(kind)).double(), {"label": torch.tensor([1])}
    x = factor * torch.randn(1, 64, dtype=torch.float64)
    with torch.no_grad():
        z, log_det = flow.to_latent(x, told)  # type: ignore[operator]
        back, inverse = flow.to_data(z, told)  # type: ignore[operator]
    factors = condition(flow, "to_data", z, told)
    assert ((back - x).abs()[0] <= 1e-10 * x[0].abs().clamp(min=1) * factors).all()
    assert torch.allclose(log_det, -inverse, atol=1e-10)


def test_masks_are_half_and_cover_all():
    for mask in (checkerboard, channelwise):
        one, other = mask((2, 4, 4), 0), mask((2, 4, 4), 1)
        assert torch.equal(one, ~other)
        assert one.sum() == 16
    coupling = wild(PictureCoupling(checkerboard((1, 4, 4)), width=4))
    x = torch.randn(1, 1, 4, 4)
    z, _ = coupling.to_latent(x)  # type: ignore[operator]
    stays = checkerboard((1, 4, 4))[None]
    assert torch.equal(z[stays], x[stays])
    assert (z[~stays] != x[~stays]).all()


def test_the_squeeze_and_the_scales():
    x = torch.randn(3, 2, 4, 6)
    assert torch.equal(Squeeze().to_data(Squeeze().to_latent(x)[0])[0], x)
    assert scale_shapes((3, 32, 32), 3) == [(3, 32, 32), (6, 16, 16), (12, 8, 8)]
    with pytest.raises(UserError, match="expected pictures of even sides to squeeze, came 9 x 8"):
        scale_shapes((1, 9, 8), 2)
    with pytest.raises(ValueError, match="expected at most 1 scales"):
        MultiScale((1, 2, 2), [Squeeze(), Squeeze()])
    with pytest.raises(UserError, match="expected the layout image for glow"):
        glow(DataSpec("dots", "vector", Field((2,))))


def test_actnorm_begins_at_mean_zero_and_variance_one():
    torch.manual_seed(0)
    x = 5 + 3 * torch.randn(16, 3, 4, 4)
    x[:, 2] = 1e6  # a channel that never varies
    norm = ActNorm(3)
    norm.begin(x)
    z, log_det = norm.to_latent(x)
    assert z.mean((0, 2, 3)).abs().max() < 1e-5
    assert (z[:, :2].var((0, 2, 3), correction=0) - 1).abs().max() < 1e-5
    assert (z[:, 2] == 0).all()
    assert log_det[0].item() == pytest.approx(16 * norm.log_scale.sum().item(), rel=1e-5)
    single = ActNorm(3)
    single.begin(x[:1, :, :1, :1])  # a batch of one number per channel
    assert torch.isfinite(single.to_latent(x)[0]).all()


def test_every_actnorm_in_a_flow_sees_what_arrives_at_it():
    flow = Flow(pictures("glow"), SHAPE)
    wild(flow)
    x, given = 3 + 2 * torch.randn(64, *SHAPE), {"label": torch.arange(64) % 3}
    arrived: list[torch.Tensor] = []
    handles = [m for m in flow.modules() if isinstance(m, ActNorm)]
    flow.begin(Batch(x, given))
    for norm in handles:
        go = norm.to_latent
        norm.to_latent = lambda x, given, go=go: arrived.append(go(x, given)[0]) or go(x, given)  # type: ignore[method-assign]
    with torch.no_grad():
        flow.log_prob(Batch(x, given))
    assert len(arrived) == 4
    for z in arrived:
        assert z.mean((0, 2, 3)).abs().max() < 1e-4
        assert (z.var((0, 2, 3), correction=0) - 1).abs().max() < 1e-3


def test_the_inverse_of_the_convolution_follows_its_weight():
    torch.manual_seed(0)
    layer = InvertibleConvolution(6)
    w = layer.weight()
    assert torch.allclose(w @ w.T, torch.eye(6), atol=1e-5)  # begun as a rotation
    x = torch.randn(2, 6, 3, 3)
    with torch.no_grad():
        for _ in range(3):
            back, log_det = layer.to_data(layer.to_latent(x)[0])
            assert (back - x).abs().max() < 1e-5
            assert log_det[0].item() == pytest.approx(-9 * torch.linalg.slogdet(layer.weight())[1].item(), abs=1e-4)
            assert layer.weight_inverse() is layer.weight_inverse()  # kept, not solved again
            layer.log_scale.add_(0.3)
        twin = copy.deepcopy(layer)
        layer.lower.add_(0.1)
        twin.load_state_dict(layer.state_dict())
        assert torch.allclose(twin.weight_inverse() @ layer.weight(), torch.eye(6), atol=1e-5)
        assert "inverse" not in layer.state_dict()
        double = copy.deepcopy(layer).double()
        eye = torch.eye(6, dtype=torch.float64)
        assert torch.allclose(double.weight_inverse() @ double.weight(), eye, atol=1e-12)
    layer.to_data(x)[0].sum().backward()  # with gradient where one is asked for
    assert layer.upper.grad is not None
    assert layer.upper.grad.abs().sum() > 0


def test_half_of_the_channels_leave_after_each_scale():
    flow = MultiScale((1, 4, 4), [Squeeze(), Chain([Squeeze(), ActNorm(8)])])
    with torch.no_grad():
        flow.scales[1].steps[1].log_scale.fill_(1.0)  # type: ignore[union-attr, index]
    x = torch.randn(2, 16)
    z, log_det = flow.to_latent(x)
    squeezed = Squeeze().to_latent(x.view(2, 1, 4, 4))[0]
    assert torch.equal(z[:, :8], squeezed[:, :2].flatten(1))
    assert log_det.tolist() == [8.0, 8.0]


@pytest.mark.parametrize("fused", [True, False])
def test_the_kept_inverse_is_of_the_present_weights(fused):
    torch.manual_seed(0)
    layer, x = InvertibleConvolution(4), torch.randn(2, 4, 3, 3)
    optimizer = torch.optim.Adam(layer.parameters(), 0.05, fused=fused)
    for _ in range(3):
        with torch.no_grad():
            torch.testing.assert_close(layer.to_data(layer.to_latent(x)[0])[0], x, atol=1e-5, rtol=0)
        optimizer.zero_grad()
        layer.to_latent(x)[0].pow(3).sum().backward()
        optimizer.step()
    with torch.no_grad():
        torch.testing.assert_close(layer.to_data(layer.to_latent(x)[0])[0], x, atol=1e-5, rtol=0)
