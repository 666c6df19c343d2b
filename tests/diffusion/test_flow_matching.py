"""Flow matching: exact for normal data, a density that integrates to one, samples that follow the data."""

import math

import pytest
import torch
from torch import nn

from simulacra.batch import Batch, Field
from simulacra.diffusion.flow_matching import FlowMatching
from simulacra.networks.conditioning import Conditions


def bent(size, seed=0, **options):
    """A model whose field is not zero."""
    torch.manual_seed(seed)
    flow = FlowMatching(size, hidden=16, **options)
    nn.init.normal_(flow.network.exit.weight, std=0.2)
    return flow


def test_an_untrained_field_is_exact_for_the_standard_normal():
    x = torch.randn(50, 3)
    exact = torch.distributions.Normal(0.0, 1.0).log_prob(x).sum(1)
    assert torch.allclose(FlowMatching(3).log_prob(Batch(x)), exact, atol=1e-4)
    torch.manual_seed(0)
    drawn = FlowMatching(1, steps=10).sample(20_000).x
    assert drawn.std() == pytest.approx(1, abs=0.02)


def test_the_target_has_unit_size_for_standard_normal_data():
    """Minimal loss of normal data is 1 at every t: what lines cannot tell apart."""
    torch.manual_seed(0)
    loss = FlowMatching(2).loss(Batch(torch.randn(100_000, 2))).parts["velocity"]
    assert loss.item() == pytest.approx(1, abs=0.01)


def test_density_integrates_to_one():
    with torch.no_grad():
        x = torch.linspace(-9, 9, 1801)[:, None]
        assert bent(1).log_prob(Batch(x)).exp().sum() * 0.01 == pytest.approx(1, abs=1e-3)
        line = torch.linspace(-7, 7, 141)
        grid = torch.cartesian_prod(line, line)
        assert bent(2).log_prob(Batch(grid), steps=32).exp().sum() * 0.01 == pytest.approx(1, abs=1e-2)


def test_density_is_that_of_samples():
    flow = bent(1, steps=50)
    torch.manual_seed(1)
    x = flow.sample(50_000).x[:, 0]
    edges = torch.linspace(-3, 3, 25)
    seen = torch.histogram(x, edges)[0] / len(x)
    middle = ((edges[1:] + edges[:-1]) / 2)[:, None]
    with torch.no_grad():
        told = flow.log_prob(Batch(middle)).exp() * 0.25
    assert (seen - told).abs().max() < 0.006
    assert (told - torch.distributions.Normal(0.0, 1.0).log_prob(middle[:, 0]).exp() * 0.25).abs().max() > 0.006


def test_log_prob_has_gradients_where_they_are_wanted():
    flow = bent(2)
    flow.log_prob(Batch(torch.randn(5, 2)), steps=4).mean().backward()
    assert all(
        p.grad is not None and p.grad.isfinite().all() for p in flow.parameters() if p is not flow.network.exit.bias
    )


def test_it_learns_two_modes_and_what_it_is_told():
    torch.manual_seed(0)
    flow = FlowMatching(1, Conditions({"sign": Field((1,))}), hidden=32)
    optimizer = torch.optim.Adam(flow.parameters(), 5e-3)
    for _ in range(300):
        sign = torch.randint(0, 2, (256, 1)) * 2.0 - 1
        loss = flow.loss(Batch(sign + 0.2 * torch.randn(256, 1), {"sign": sign})).parts["velocity"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for name, parameter in flow.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name
    sign = torch.tensor([[1.0], [-1.0]]).repeat(1000, 1)
    x = flow.sample(2000, {"sign": sign}).x
    assert (x * sign).mean() == pytest.approx(1, abs=0.07)
    assert (x * sign).std() == pytest.approx(0.2, abs=0.07)


def test_weights_of_events_count():
    torch.manual_seed(0)
    flow, x = FlowMatching(1), torch.cat([torch.zeros(1, 1), 100 * torch.ones(1, 1)])
    loss = flow.loss(Batch(x, weight=torch.tensor([1.0, 0.0]))).parts["velocity"]
    assert math.isfinite(loss.item())
    assert loss < 20


def test_it_says_how_often_it_calls_its_network():
    flow, calls = FlowMatching(2, steps=7), []
    flow.network.register_forward_hook(lambda *_: calls.append(1))
    flow.sample(3)
    assert len(calls) == flow.evaluations == 14
