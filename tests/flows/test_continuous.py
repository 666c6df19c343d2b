"""The continuous flow: reversible, with an exact or an unbiased trace, and normalised."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from simulacra.batch import Batch, Field
from simulacra.flows import Flow
from simulacra.flows.continuous import Continuous

GIVEN = {"label": Field((), "class", 2)}


def moving(size: int = 2, tolerance: float = 1e-4, **options) -> Continuous:
    torch.manual_seed(0)
    flow = Continuous(size, hidden=(16, 16), tolerance=tolerance, **options)
    last = flow.network.layers[-1]
    assert isinstance(last, nn.Linear)
    nn.init.normal_(last.weight, std=0.4)
    return flow


@pytest.mark.parametrize("size", [1, 3])
def test_inverse_and_volume(size: int):
    flow = moving(size, given=GIVEN).eval()
    given = {"label": torch.arange(8) % 2}
    x = torch.randn(8, size)
    with torch.no_grad():
        z, log_det = flow.to_latent(x, given)
        back, inverse = flow.to_data(z, given)
    tolerance = 10 * flow.tolerance / 100  # which is that of one step in evaluation mode; some ten steps add up
    assert ((back - x).abs() < tolerance * x.abs().clamp(min=1)).all()
    assert torch.allclose(log_det, -inverse, atol=tolerance)
    assert (z - x).abs().max() > 0.05
    flow = flow.double()
    flow.tolerance = 1e-9
    at = x[0].double()
    told = {"label": given["label"][:1]}
    jacobian = torch.autograd.functional.jacobian(lambda v: flow.to_latent(v[None], told)[0][0], at)
    have = flow.to_latent(at[None], told)[1].item()
    assert torch.linalg.slogdet(jacobian)[1].item() == pytest.approx(have, abs=1e-6)


def test_a_linear_field_is_the_matrix_exponential():
    flow = Continuous(2, hidden=(), tolerance=1e-8).double().eval()
    a = torch.tensor([[0.3, -1.0], [0.5, 0.2]], dtype=torch.float64)
    last = flow.network.layers[0]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight[:, :2] = a
    x = torch.randn(4, 2, dtype=torch.float64)
    with torch.no_grad():
        z, log_det = flow.to_latent(x)
    assert torch.allclose(z, x @ torch.linalg.matrix_exp(a).T, atol=1e-6)
    assert log_det.tolist() == pytest.approx([0.5] * 4, abs=1e-6)  # the trace


def test_hutchinson_is_unbiased_and_only_for_training():
    flow = moving(3)
    x = torch.randn(1, 3)
    with torch.no_grad():
        exact = flow.eval().to_latent(x)[1].item()
        assert flow.to_latent(x)[1].item() == exact
        flow.train()
        torch.manual_seed(0)
        found = torch.stack([flow.to_latent(x)[1][0] for _ in range(60)])
    assert found.std() > 1e-3
    assert found.mean().item() == pytest.approx(exact, abs=4 * found.std().item() / 60**0.5)
    told = moving(3, exact=True)
    with torch.no_grad():
        assert told.to_latent(x)[1].item() == pytest.approx(exact, abs=1e-3)


def test_the_density_integrates_to_one_and_is_finite_far_away():
    flow = Flow(moving(2), (2,)).eval()
    axis = (torch.arange(120) + 0.5) / 120 * 12 - 6
    grid = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        total = flow.log_prob(Batch(grid)).double().exp().sum() * (12 / 120) ** 2
        assert total.item() == pytest.approx(1, abs=0.01)
        assert torch.isfinite(flow.log_prob(Batch(torch.tensor([[1e6, 0.0]])))).all()
    assert flow.sample(0).x.shape == (0, 2)
    assert not flow.sample(3).x.requires_grad


def test_the_gradient_of_the_density_is_that_of_differences():
    flow = Flow(moving(2, exact=True, tolerance=1e-8).double(), (2,))
    batch = Batch(torch.randn(4, 2, dtype=torch.float64))
    weight = flow.bijection.network.layers[0].weight  # type: ignore[union-attr, index]
    flow.loss(batch).parts["nll"].backward()
    slope = weight.grad[0, 0].item()  # type: ignore[index]
    with torch.no_grad():
        weight[0, 0] += 1e-4  # type: ignore[index, operator]
        above = flow.loss(batch).parts["nll"]
        weight[0, 0] -= 2e-4  # type: ignore[index, operator]
        below = flow.loss(batch).parts["nll"]
    assert slope == pytest.approx(((above - below) / 2e-4).item(), rel=1e-3, abs=1e-6)
