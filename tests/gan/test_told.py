"""How critics are told conditions, and what goes with it: the norm of layers and the memory of optimisers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from simulacra import recipes
from simulacra.batch import DataSpec, Field
from simulacra.networks import BatchHead, LinearHead, MinibatchDeviation, ProjectionHead, critic_for
from simulacra.networks.conditioning import Conditions

LABEL = {"label": Field((), "class", 3)}
SINGLE = (
    "dragan",
    "fgan",
    "gan_gp",
    "historical_gan",
    "lsgan",
    "minibatch_gan",
    "minimax_gan",
    "noisy_gan",
    "r1_gan",
    "relativistic_gan",
    "sngan",
    "wgan_gp",
)
SLOW = ("dragan", "fgan", "gan_gp", "wgan_gp", "r1_gan")


def events(layout, given):
    return DataSpec("events", layout, Field((1, 16, 16) if layout == "image" else (2,)), given, rows=96)


@pytest.mark.parametrize("given", [{}, LABEL], ids=["untold", "told"])
@pytest.mark.parametrize("name", SINGLE)
def test_critics_of_single_pictures_have_no_batch_norm_and_are_told_conditions_by_a_projection(name, given):
    for layout in ("image", "vector"):
        experiment = recipes.find(name).function(events(layout, given), width=4)
        critic = experiment.learners["game"].critic
        compares = isinstance(critic.head, BatchHead)
        assert compares == (name == "minibatch_gan")
        head = critic.head.head if compares else critic.head
        told = head if layout == "image" else critic.body
        assert type(head) is (ProjectionHead if given and layout == "image" else LinearHead)
        assert getattr(told, "conditions", Conditions({})).size == 3 * len(given)
        norms = {type(m) for m in critic.modules() if isinstance(m, nn.BatchNorm2d | nn.GroupNorm)}
        assert norms == ({nn.GroupNorm} if layout == "image" and name != "sngan" else set())
        if layout == "image" and name not in SLOW:
            assert {g["betas"] for p in experiment.players for g in p.optimizer.param_groups} == {(0.0, 0.9)}


def test_the_features_that_a_generator_matches_depend_on_what_is_told():
    game = recipes.find("feature_matching_gan").function(events("image", LABEL), width=4).learners["game"].eval()
    x = torch.rand(3, 1, 16, 16) * 2 - 1
    one, other = ({"label": (torch.arange(3) + k) % 3} for k in range(2))
    with torch.no_grad():
        assert ((game.critic(x, one).features - game.critic(x, other).features).abs().amax(1) > 1e-6).all()


@pytest.mark.parametrize("projection", [False, True])
def test_what_is_read_is_not_told_and_what_compares_a_batch_lies_in_front_of_the_head(projection):
    spec = events("vector", {**LABEL, "energy": Field(())})
    critic = critic_for(spec, projection=projection, compare=MinibatchDeviation, reads=LABEL, hidden=(7,))
    assert isinstance(critic.head, BatchHead)
    assert critic.head.head.score.in_features == 8
    ears = [critic.body, *([critic.head.head] if projection else [])]
    assert [list(part.conditions.fields) for part in ears] == ([[], ["energy"]] if projection else [["energy"]])
    assert list(critic.readers) == ["label"]


@pytest.mark.parametrize(
    "name",
    [
        *SINGLE,
        "began",
        "biggan",
        "cgan",
        "ebgan",
        "feature_matching_gan",
        "progan",
        "projection_gan",
        "sagan",
        "unrolled_gan",
        "wgan",
    ],
)
def test_every_score_of_a_picture_depends_on_what_is_told(name):
    game = recipes.find(name).function(events("image", LABEL), width=4).learners["game"].eval()
    x = torch.rand(3, 1, 16, 16) * 2 - 1
    one, other = ({"label": (torch.arange(3) + k) % 3} for k in range(2))
    with torch.no_grad():
        assert ((game.critic(x, one).score - game.critic(x, other).score).abs() > 1e-9).all()
