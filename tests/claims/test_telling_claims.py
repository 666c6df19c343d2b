"""The claim on what BigGAN's blocks are told: its measures, and its experiment on a small budget."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from matplotlib.figure import Figure

from simulacra.claims import telling
from simulacra.claims.telling import COARSE, FOLLOWED, LATENT, SECOND, changed, played
from simulacra.networks.progressive import enlarged


@pytest.fixture(scope="module")
def result():
    return telling.telling(0, rounds=1)


def test_the_experiment_gives_the_quantities_of_its_bounds_and_a_picture(result):
    (claim,) = telling.CLAIMS
    assert set(result.values) == set(claim.bounds) == {FOLLOWED, COARSE, SECOND}
    assert set(result.control) == {FOLLOWED, COARSE}
    assert 0 <= result.values[FOLLOWED] <= 1
    assert isinstance(claim.figure([result]), Figure)


def test_the_generator_has_as_many_pieces_as_are_cut_and_an_embedding():
    model: Any = played(0, 1).model
    generator = model.generator
    assert generator.pieces == 2
    assert generator.embedding.shape == (10, 16)
    assert len(torch.arange(LATENT).tensor_split(2)[0]) == LATENT // 2


def test_a_change_is_split_into_what_four_by_four_pixels_show_and_all():
    before, coarse = torch.rand(5, 1, 8, 8), enlarged(torch.rand(5, 1, 4, 4), 8)
    chequered = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(4, 4)
    seen, everything = changed(before, before + coarse)
    assert seen == pytest.approx(everything, rel=1e-4)
    seen, everything = changed(before, before + chequered)
    assert seen == pytest.approx(0.0, abs=1e-4)
    assert everything == pytest.approx(64.0)
