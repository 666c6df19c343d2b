"""Laws of generative stochastic networks: what the chain leaves unchanged."""

import math

import pytest
import torch
from torch import nn

from simulacra.autoencoders.noise import Corruption
from simulacra.batch import Batch
from simulacra.markov.gsn import GSN, NARROWEST
from simulacra.networks import MLP


def exact(noise: float) -> GSN:
    """The true conditional for N(0, 1) data: `N(x' / (1 + s^2), s^2 / (1 + s^2))`."""
    net = nn.Linear(1, 3)
    width = noise / math.sqrt(1 + noise**2)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[0.0], [1 / (1 + noise**2) - 1], [0.0]]))
        net.bias.copy_(torch.tensor([0.0, 0.0, math.log(math.expm1(width - NARROWEST))]))
    return GSN(net, Corruption("gaussian", noise), (1,), burn=40)


@pytest.mark.parametrize("noise", [0.5, 1.0])
def test_the_chain_of_the_true_conditional_ends_at_the_data(noise):
    """From a start four times too wide, and from N(3, 0)."""
    model = exact(noise)
    torch.manual_seed(0)
    for start in (4 * torch.randn(20_000, 1), torch.full((20_000, 1), 3.0)):
        x = start
        for _ in range(model.burn):
            x = model.move(x)
        assert abs(x.mean()) < 5 / 20_000**0.5
        assert abs(x.var() - 1) < 5 * (2 / 20_000) ** 0.5


def test_a_wrong_conditional_ends_elsewhere():
    model = exact(1.0)
    with torch.no_grad():
        model.net.weight[1] += 0.2
    torch.manual_seed(0)
    assert abs(model.sample(5000).x.var() - 1) > 0.2


def test_the_loss_of_the_true_conditional_is_its_entropy():
    model = exact(1.0)
    torch.manual_seed(0)
    want = 0.5 * math.log(2 * math.pi * math.e * 0.5)
    assert model.loss(Batch(torch.randn(50_000, 1))).parts["restoration"].item() == pytest.approx(want, abs=0.02)


def test_a_trained_chain_has_the_modes_of_a_line():
    """Two bumps, of weight 1/3 at -1 and 2/3 at 1."""
    torch.manual_seed(0)
    model = GSN(MLP(1, 6, (24, 24)), Corruption("gaussian", 0.8), (1,), components=2, burn=40)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(300):
        optimizer.param_groups[0]["lr"] = 0.01 * (1 - step / 300)
        centre = 2 * (torch.rand(256, 1) < 2 / 3).float() - 1
        optimizer.zero_grad()
        model.loss(Batch(centre + 0.2 * torch.randn(256, 1))).parts["restoration"].backward()
        optimizer.step()
    x = model.sample(4000).x
    assert (x > 0).float().mean().item() == pytest.approx(2 / 3, abs=0.08)
    assert x.mean().item() == pytest.approx(1 / 3, abs=0.15)
    assert ((x.abs() - 1).abs() < 0.6).float().mean() > 0.9


def test_bits_of_a_true_conditional_are_the_stationary_ones():
    """One bit, white with probability 0.8, of which half are drawn anew: P(x | x') by Bayes."""
    white = torch.tensor([0.8 * 0.25, 0.8 * 0.75]) / torch.tensor([0.8 * 0.25 + 0.2 * 0.75, 0.8 * 0.75 + 0.2 * 0.25])
    odds = white.logit()
    net = nn.Linear(1, 1)
    with torch.no_grad():
        net.weight.fill_(odds[1] - odds[0])
        net.bias.fill_(odds[0])
    model = GSN(net, Corruption("salt_and_pepper", 0.5, low=0.0, high=1.0), (1,), binary=True, burn=30)
    torch.manual_seed(0)
    assert abs(model.sample(20_000).x.mean() - 0.8) < 5 * (0.16 / 20_000) ** 0.5


def test_walkback_steps_lead_back_to_the_start():
    """A walk of bits whose restoration ignores what it sees has the same loss at every step."""
    net = nn.Linear(3, 3)
    with torch.no_grad():
        net.weight.zero_()
    batch = Batch(torch.tensor([[1.0, 0.0, 1.0]]))
    noise = Corruption("salt_and_pepper", 0.5, low=0.0, high=1.0)
    for steps in (1, 5):
        model = GSN(net, noise, (3,), binary=True, walkback=steps)
        want = -torch.nn.functional.logsigmoid(net.bias * torch.tensor([1.0, -1.0, 1.0])).sum()
        assert model.loss(batch).parts["restoration"].item() == pytest.approx(want.item(), abs=1e-5)
