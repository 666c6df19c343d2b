"""Modules under names of any kind."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from simulacra.named import Named

WORDS = ["energy", "type", "p.t", "", "values", "of:x", "50 %", "%2E", "training", "häufig"]


def test_any_word_names_a_module_and_survives_saving() -> None:
    modules = Named({word: nn.Linear(1, k + 1) for k, word in enumerate(WORDS)})
    assert list(modules) == list(modules.keys()) == [word for word, _ in modules.items()] == WORDS
    assert [modules[word].out_features for word in WORDS] == list(range(1, 11))
    assert all(word in modules for word in WORDS)
    assert "other" not in modules
    assert "energy.weight" in modules.state_dict()
    again = copy.deepcopy(modules)
    with torch.no_grad():
        for p in again.parameters():
            p.zero_()
    again.load_state_dict(modules.state_dict())
    assert all(torch.equal(again[word].weight, modules[word].weight) for word in WORDS)
    del again["p.t"]
    assert "p.t" not in again
    with pytest.raises(KeyError):
        again["p.t"]
