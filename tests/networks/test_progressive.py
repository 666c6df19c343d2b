"""Growing networks: what a stage that fades in changes, and what it leaves alone."""

from __future__ import annotations

import pytest
import torch

from simulacra.batch import Batch, Field
from simulacra.networks.progressive import (
    ProgressiveBody,
    ProgressiveCritic,
    ProgressiveGenerator,
    enlarged,
    reduced,
)

SHAPE = (2, 32, 32)
TOLD = {"label": Field((), "class", 3)}


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return ProgressiveGenerator(SHAPE, 6, base=3, most=8)


@pytest.fixture
def critic():
    torch.manual_seed(0)
    return ProgressiveCritic(ProgressiveBody(SHAPE, base=3, most=8))


NOISE = {"z": torch.randn(5, 6, generator=torch.Generator().manual_seed(1))}
PICTURES = torch.randn(5, *SHAPE, generator=torch.Generator().manual_seed(2))


def grown(network, stage, alpha):
    network.grow(stage, alpha)
    return network


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_at_alpha_0_the_generator_is_the_smaller_one_enlarged_exactly(generator, stage):
    small = grown(generator, stage - 1, 1.0)(NOISE)
    assert torch.equal(grown(generator, stage, 0.0)(NOISE), small)
    assert torch.equal(enlarged(reduced(small, 2 << stage), 32), small), "pixels are not repeated"
    assert not torch.equal(grown(generator, stage, 0.5)(NOISE), small)


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_at_alpha_1_the_generator_is_its_new_block_alone(generator, stage):
    new = grown(generator, stage, 1.0)(NOISE)
    old = grown(generator, stage, 0.0)(NOISE)
    halfway = grown(generator, stage, 0.25)(NOISE)
    assert torch.allclose(halfway, 0.75 * old + 0.25 * new, atol=1e-6)
    with torch.no_grad():
        generator.pictures[stage - 1].weight.fill_(torch.nan)  # the old way to a picture is not taken
    assert torch.equal(grown(generator, stage, 1.0)(NOISE), new)


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_at_alpha_0_the_critic_is_the_smaller_one_on_halved_pictures_exactly(critic, stage):
    small = grown(critic.body, stage - 1, 1.0), critic(PICTURES).score
    assert critic.look(PICTURES).shape[-1] == 2 << stage
    assert torch.equal((grown(critic.body, stage, 0.0), critic(PICTURES).score)[1], small[1])
    assert not torch.equal((grown(critic.body, stage, 0.5), critic(PICTURES).score)[1], small[1])


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_at_alpha_1_the_critic_is_its_new_block_alone(critic, stage):
    critic.body.grow(stage, 1.0)
    new = critic(PICTURES).score
    with torch.no_grad():
        critic.body.maps[stage - 1].weight.fill_(torch.nan)
    assert torch.equal(critic(PICTURES).score, new)
    critic.body.grow(stage, 0.5)
    assert critic(PICTURES).score.isnan().all()


def test_only_stages_in_use_feel_a_gradient(generator, critic):
    for stage in range(4):
        for alpha in (1.0, 0.5):
            generator.grow(stage, alpha)
            critic.body.grow(stage, alpha)
            generator.zero_grad()
            critic.zero_grad()
            critic(generator(NOISE)).score.sum().backward()
            faded = stage - 1 if stage and alpha < 1 else stage
            for network, ways in ((generator, generator.pictures), (critic.body, critic.body.maps)):
                for k in range(4):
                    felt = {p.grad is not None for p in network.blocks[k].parameters()}
                    assert felt == {k <= stage}, (stage, alpha, k)
                    assert {p.grad is not None for p in ways[k].parameters()} == {k in (stage, faded)}


def test_real_pictures_are_as_sharp_as_generated_ones(critic):
    batch = Batch(PICTURES)
    critic.body.grow(2, 0.0)
    coarse = critic.faded(batch).x
    assert coarse.shape == PICTURES.shape
    assert torch.allclose(coarse, enlarged(reduced(PICTURES, 8), 32), atol=1e-6)
    critic.body.grow(2, 1.0)
    fine = critic.faded(batch).x
    assert torch.allclose(critic.look(fine), reduced(PICTURES, 16), atol=1e-6)
    critic.body.grow(2, 0.3)
    assert torch.allclose(critic.faded(batch).x, 0.7 * coarse + 0.3 * fine, atol=1e-6)
    critic.body.grow(3, 1.0)
    assert torch.equal(critic.faded(batch).x, PICTURES)
    critic.body.grow(0, 1.0)
    assert torch.allclose(critic.faded(batch).x, enlarged(reduced(PICTURES, 4), 32), atol=1e-6)


def test_a_new_generator_makes_pictures_of_unit_size(generator):
    """Equalised layers and pixel norm: the picture has variance 1 at every stage."""
    torch.manual_seed(3)
    wide = ProgressiveGenerator((8, 32, 32), 64, base=64)
    for stage in range(4):
        wide.grow(stage, 1.0)
        assert 0.6 < wide({"z": torch.randn(16, 64)}).var().item() < 1.6


def test_conditions_are_seen_by_both():
    torch.manual_seed(0)
    generator = ProgressiveGenerator(SHAPE, 6, TOLD, base=3)
    critic = ProgressiveCritic(ProgressiveBody(SHAPE, base=3), TOLD)
    one, other = ({"label": torch.full((5,), k)} for k in (0, 2))
    assert not torch.equal(generator(NOISE, one), generator(NOISE, other))
    assert not torch.equal(critic(PICTURES, one).score, critic(PICTURES, other).score)


def test_the_stage_is_saved_with_the_weights(generator):
    generator.grow(1, 0.375)
    other = ProgressiveGenerator(SHAPE, 6, base=3, most=8)
    other.load_state_dict(generator.state_dict())
    assert other.now == (1, 0.375)
    assert torch.equal(other(NOISE), generator(NOISE))


@pytest.mark.parametrize(("stage", "alpha"), [(4, 1.0), (-1, 1.0), (1, 1.5), (1, -0.1)])
def test_a_stage_that_is_not_there_is_refused(generator, stage, alpha):
    with pytest.raises(ValueError, match="expected a stage below 4"):
        generator.grow(stage, alpha)
