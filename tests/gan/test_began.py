"""Boundary equilibrium: the balance is kept by k, which the run carries along, and its measure is watched."""

import pytest
import torch

from simulacra.batch import Batch, DataSpec, Field
from simulacra.errors import UserError
from simulacra.gan import Equilibrium
from simulacra.recipes.began import began
from simulacra.testing import Rows, streams_for
from simulacra.training.game import Clock
from simulacra.training.loop import train

SPEC = DataSpec("dots", "image", Field((1, 16, 16), range=(0.0, 1.0)))


def played(rounds: int, **arguments):
    torch.manual_seed(3)
    halves = torch.rand(64, 1, 2, 1).round().repeat_interleave(8, 2).expand(-1, -1, -1, 16)
    data = Rows(SPEC, Batch(halves))
    experiment = began(SPEC, width=4, latent=4, batch=16, **arguments)
    experiment.clock = Clock(0, rounds)
    steps = [step.losses for step in train(experiment, streams_for(experiment, data))]
    return experiment, steps


def test_k_starts_at_zero_and_moves_by_what_the_critic_saw():
    rate, gamma, k = 0.3, 0.6, 0.0
    experiment, steps = played(12, rate=rate, gamma=gamma)
    for seen in steps:
        real, fake = -float(seen["critic/real_score"]), -float(seen["critic/fake_score"])
        assert float(seen["critic/k"]) == pytest.approx(k, abs=1e-6)
        assert float(seen["critic/critic"]) == pytest.approx(real - k * fake, abs=1e-5)
        assert float(seen["critic/convergence"]) == pytest.approx(real + abs(gamma * real - fake), abs=1e-5)
        k = min(1.0, max(0.0, k + rate * (gamma * real - fake)))
    assert float(experiment.learners.state_dict()["game.objective.k"]) == pytest.approx(k, abs=1e-6)


def test_the_balance_holds_the_energy_of_fakes_at_gamma_times_that_of_data():
    """The equilibrium that k is moved to, on a game that can keep it: E(x) = 1 and E(g) = 0.4 + k."""
    objective, nothing = Equilibrium(gamma=0.7, rate=0.05), Batch(torch.zeros(1, 1))
    for _ in range(400):
        objective.balance(nothing, {"real_score": torch.tensor(-1.0), "fake_score": -0.4 - objective.k})
    assert float(objective.k) == pytest.approx(0.3, abs=1e-3)


@pytest.mark.parametrize("size", [8, 16, 64])
def test_the_energy_of_a_picture_is_its_own_mean_absolute_error(size):
    torch.manual_seed(1)
    spec = DataSpec("dots", "image", Field((3, size, size), range=(0.0, 1.0)))
    critic, x = began(spec, width=4, latent=5).learners["game"].critic, torch.rand(4, 3, size, size)
    verdict = critic(x)
    assert verdict.features.shape == (4, 5)
    assert torch.allclose(verdict.score, -(x - critic.head({"z": verdict.features})).abs().mean((1, 2, 3)))
    assert torch.allclose(critic(x[:1]).score, verdict.score[:1], atol=1e-5)


def test_the_autoencoder_learns_to_reconstruct():
    _, steps = played(250, lr=3e-3)
    assert float(steps[-1]["critic/real_score"]) > 0.2 * float(steps[0]["critic/real_score"])


def test_points_are_refused_in_one_line():
    with pytest.raises(UserError, match="expected the layout image for began"):
        began(DataSpec("plane", "vector", Field((2,))))
