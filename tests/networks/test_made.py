"""MADE: strictly triangular, and normalised."""

import itertools

import pytest
import torch

from simulacra.networks.made import MADE


@pytest.mark.parametrize("order", [None, [2, 0, 3, 1]])
@pytest.mark.parametrize("told", [0, 2])
def test_the_jacobian_is_strictly_triangular_in_the_order(order, told):
    torch.manual_seed(0)
    net = MADE(4, 3, (32, 32), told, order=None if order is None else torch.tensor(order)).double()
    x, given = torch.randn(4, dtype=torch.float64), torch.randn(1, told, dtype=torch.float64) if told else None
    jacobian = torch.autograd.functional.jacobian(lambda v: net(v[None], given)[0].sum(1), x).abs()
    place = torch.arange(4) if order is None else torch.tensor(order)
    before = place[None, :] < place[:, None]
    assert (jacobian[~before] == 0).all()
    assert (jacobian[before] > 0).all()
    if given is not None:
        slope = torch.autograd.functional.jacobian(lambda g: net(x[None], g)[0].sum(1), given)
        assert (slope.abs() > 0).all()  # also the first number hears what is given


def test_bernoullis_sum_to_one_over_the_cube():
    torch.manual_seed(1)
    net = MADE(10, 1, (24, 24)).double()
    cube = torch.tensor(list(itertools.product([0.0, 1.0], repeat=10)), dtype=torch.float64)
    with torch.no_grad():
        net.last.weight.mul_(5)
        logits = net(cube)[..., 0]
    log_prob = torch.where(cube > 0, logits, -logits).neg().exp().log1p().neg().sum(1)
    assert log_prob.exp().sum().item() == pytest.approx(1, abs=1e-9)
    assert log_prob.std() > 0.1


def test_a_mask_that_is_not_strict_would_show():
    net = MADE(10, 1, (24, 24)).double()
    net.last.mask = torch.ones_like(net.last.mask)
    x = torch.randn(10, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda v: net(v[None])[0, :, 0], x)
    assert jacobian.triu().abs().max() > 0


@pytest.mark.parametrize("told", [0, 2])
@pytest.mark.parametrize("inputs", [1, 2, 5])
def test_every_parameter_is_used(inputs, told):
    torch.manual_seed(0)
    net = MADE(inputs, 2, (8, 8), told)
    net(torch.randn(4, inputs), torch.randn(4, told) if told else None).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_messages():
    with pytest.raises(ValueError, match="expected each of 0 to 1 once"):
        MADE(2, 1, order=torch.tensor([0, 0]))
    with pytest.raises(ValueError, match=r"expected \[B, 2\] and \[B, 1\]"):
        MADE(2, 1, given_size=1)(torch.zeros(3, 2))
