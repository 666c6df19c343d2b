"""Where discriminators push samples: the claim at a hundredth of the budget, and pushes that are known."""

from __future__ import annotations

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor

from simulacra.claims import leading
from simulacra.claims.collapse import ring
from simulacra.claims.leading import FAKES, MEAN, SHARE, cosines, pushes, quantities
from simulacra.gan.objectives import Minimax, NonSaturating


def test_the_experiment_gives_the_quantities_of_its_bounds_twice_the_same_and_a_picture():
    (claim,) = leading.CLAIMS
    first, second = (leading.leading(1, steps=12) for _ in range(2))
    assert dict(first.values) == dict(second.values)
    assert set(first.values) == set(claim.bounds)
    assert set(first.control) < set(claim.bounds)
    assert isinstance(claim.figure([first, second]), Figure)


def bump(x: Tensor) -> Tensor:
    """A score that has its top in the middle."""
    return -x.square().sum(1, keepdim=True)


POINTS = torch.tensor([[1.0, 0.0], [0.0, -2.0], [3.0, 3.0]])


def test_a_score_with_its_top_at_the_data_leads_there_and_its_negative_away():
    data = torch.zeros(1, 2)
    torch.testing.assert_close(cosines(bump, POINTS, data), torch.ones(3))
    torch.testing.assert_close(cosines(lambda x: -bump(x), POINTS, data), -torch.ones(3))


def test_the_nearest_of_the_data_is_asked():
    slope = torch.tensor([[1.0], [0.0]])
    data = torch.tensor([[5.0, 0.0], [-9.0, 0.0]])
    found = cosines(lambda x: x @ slope, torch.tensor([[0.0, 0.0], [-8.0, 0.0]]), data)
    assert found.tolist() == [1.0, -1.0]


def test_both_losses_push_the_same_way_and_their_lengths_are_in_the_ratio_of_the_odds():
    saturating, other = pushes(bump, POINTS, Minimax()), pushes(bump, POINTS, NonSaturating())
    torch.testing.assert_close(torch.cosine_similarity(saturating, other, dim=1), torch.ones(3))
    torch.testing.assert_close(saturating.norm(dim=1) / other.norm(dim=1), bump(POINTS)[:, 0].exp())


@pytest.mark.parametrize("where", FAKES)
def test_the_optimal_discriminator_leads_to_the_data(where: str):
    """log p of the ring, whose gradient is that of a mixture, less log q of the fakes."""
    torch.manual_seed(0)
    x, centres = FAKES[where](400), torch.from_numpy(ring()[0]).float()
    width = 1.5 if where == "amid the data" else 0.3
    middle = torch.zeros(2) if where == "amid the data" else torch.tensor([5.5, 0.0])

    def best(x: Tensor) -> Tensor:
        log_p = (-torch.cdist(x, centres).square() / (2 * ring()[1] ** 2)).logsumexp(1)
        return (log_p + (x - middle).square().sum(1) / (2 * width**2))[:, None]

    found = quantities(where, best, x)
    assert found[MEAN.format(where)] > 0.8
    assert found[SHARE.format(where)] > 0.9
