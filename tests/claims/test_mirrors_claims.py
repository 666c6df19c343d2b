"""The claim on attention in mirrored pictures: what is switched off, and its experiment on a small budget."""

from __future__ import annotations

import pytest
import torch
from matplotlib.figure import Figure

from simulacra.batch import Batch
from simulacra.claims import mirrors
from simulacra.claims.mirrors import HELPS, USED, sampled
from simulacra.recipes.sagan import sagan


def test_the_experiment_gives_the_quantities_of_its_bounds_and_a_picture():
    (claim,) = mirrors.CLAIMS
    result = mirrors.mirroring(0, rounds=1)
    assert set(result.values) == set(claim.bounds) == {HELPS, USED}
    assert result.control == {USED: 0.0}
    assert isinstance(claim.figure([result]), Figure)


def test_attention_is_switched_off_for_the_sample_and_on_again():
    game = sagan(mirrors.PICTURES, attention=4, latent=4, width=2)
    game.codec.fit([Batch(torch.rand(8, 1, 8, 8))])
    (gamma,) = (p for name, p in game.model.named_parameters() if name.endswith("gamma"))
    on, off = (sampled(game.model, game.codec, 0, on=on) for on in (True, False))
    assert torch.equal(on, off)  # gamma starts at 0
    with torch.no_grad():
        gamma.fill_(2.0)
    assert torch.equal(sampled(game.model, game.codec, 0, on=False), off)
    assert not torch.allclose(sampled(game.model, game.codec, 0, on=True), off)
    assert gamma.item() == pytest.approx(2.0)
