"""Critics that are energies: margins, autoencoders, codes that are pulled apart, and the balance."""

from __future__ import annotations

import pytest
import torch
from plane import Plain, duel
from torch import nn

from simulacra.batch import Batch
from simulacra.gan import AutoencoderCritic, EnergyMargin, Equilibrium, LeastSquares, PullingAway


def test_the_margins_game_is_worth_the_overlap():
    p, q = torch.tensor([0.5, 0.3, 0.2, 0.0]), torch.tensor([0.2, 0.2, 0.2, 0.4])
    objective, grid = EnergyMargin(2.5), torch.linspace(0, 5, 501)

    def worth(a, b):
        nothing = torch.zeros_like(grid)
        real, fake = objective.critic(-grid, nothing) - objective.margin, objective.critic(nothing, -grid)
        return float((a[:, None] * real + b[:, None] * fake).amin(1).sum())

    variation = 0.5 * float((p - q).abs().sum())
    assert worth(p, q) == pytest.approx(2.5 * (1 - variation), rel=1e-5)
    assert worth(p, p) == pytest.approx(2.5)
    assert worth(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])) == pytest.approx(0.0, abs=1e-6)


class Decoder(nn.Module):
    """A point from its first number: the second is forgotten."""

    def forward(self, noise, given):
        return noise["z"] * torch.tensor([1.0, 0.0])


def test_an_autoencoders_score_is_minus_what_it_forgets():
    x = torch.tensor([[3.0, 0.0], [1.0, -4.0]])
    for power, want in [(2, 8.0), (1, 2.0)]:
        critic = AutoencoderCritic(Plain().body, Decoder(), power)
        assert critic(x).score.tolist() == [0.0, -want]


def test_pulling_away_measures_the_angles_between_codes():
    fakes = {1.0: torch.tensor([[1.0, 0.0], [-3.0, 0.0]]), 0.0: torch.tensor([[2.0, 0.0], [0.0, 5.0]])}
    for want, fake in fakes.items():
        assert PullingAway()(duel(Plain(), fake, fake)).item() == pytest.approx(want)
    fake = torch.randn(6, 2)
    cosine = torch.nn.functional.cosine_similarity(fake[:, None], fake[None], dim=2)
    want = sum(float(cosine[i, j]) ** 2 for i in range(6) for j in range(6) if i != j) / 30
    assert PullingAway()(duel(Plain(), fake, fake)).item() == pytest.approx(want, rel=1e-5)


def test_the_boundary_equilibrium_moves_k_towards_the_balance():
    objective, batch = Equilibrium(gamma=0.5, rate=0.1), Batch(torch.zeros(1, 2))

    def after(real, fake):
        objective.balance(batch, {"real_score": torch.tensor(-real), "fake_score": torch.tensor(-fake)})
        return objective.k.item()

    assert after(4.0, 1.0) == pytest.approx(0.1)
    assert after(4.0, 2.0) == pytest.approx(0.1)  # balanced
    assert after(1.0, 3.0) == 0.0
    assert after(1000.0, 0.0) == 1.0
    real, fake = torch.tensor([-4.0]), torch.tensor([-1.0])
    assert objective.critic(real, fake).item() == pytest.approx(4 - 1)
    assert objective.generator(None, fake).item() == 1
    assert objective.convergence(real, fake).item() == pytest.approx(4 + abs(0.5 * 4 - 1))


def test_a_margin_does_not_teach_beyond_itself():
    far = torch.tensor([-7.0], requires_grad=True)
    (slope,) = torch.autograd.grad(EnergyMargin(5.0).critic(torch.zeros(1), far).sum(), far)
    assert slope.item() == 0
    (slope,) = torch.autograd.grad(LeastSquares().critic(torch.zeros(1), far).sum(), far)
    assert slope.item() != 0
