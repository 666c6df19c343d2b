"""Claims on attention, at a hundredth of the budget."""

from __future__ import annotations

import pytest
import torch
from matplotlib.figure import Figure

from simulacra.claims import attention
from simulacra.claims.attention import BORDER, HEIGHT, WIDTH, Painter, borders, pictures


def test_borders_of_the_data_agree():
    levels = borders(pictures(500))
    assert (levels[:, 0] == levels[:, 1]).all()
    assert levels.std() == pytest.approx(1.0, rel=0.15)


@pytest.mark.parametrize(
    ("kind", "reaches"),
    [("convolutions", False), ("attention", True), ("dense layer", True)],
)
def test_who_can_carry_noise_from_border_to_border(kind, reaches):
    painter = Painter(kind)
    if kind == "attention":
        torch.nn.init.constant_(painter.attention.get_parameter("gamma"), 1.0)
    z = torch.randn(4, HEIGHT * WIDTH, requires_grad=True)
    left = painter({"z": z}).view(-1, HEIGHT, WIDTH)[..., :BORDER]
    (slope,) = torch.autograd.grad(left.sum(), z)
    assert bool((slope.view(-1, HEIGHT, WIDTH)[..., -BORDER:] != 0).any()) == reaches


def test_the_experiment_gives_the_quantities_of_its_bounds_twice_the_same_and_a_picture():
    (claim,) = attention.CLAIMS
    first, second = attention.reaching(1, steps=4), attention.reaching(1, steps=4)
    assert first.values == second.values
    assert set(first.values) == set(claim.bounds)
    assert set(first.control) < set(claim.bounds)
    assert isinstance(claim.figure([first]), Figure)
