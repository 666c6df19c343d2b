"""Growing: the schedule, exact resume around every change, and optimisers that meet new layers."""

from __future__ import annotations

import pytest
import torch

from simulacra import recipes
from simulacra.batch import Batch, DataSpec, Field
from simulacra.testing import Rows, check_gradients, check_resume, streams_for
from simulacra.training.game import Clock
from simulacra.training.growing import GrowingBatch, Growth
from simulacra.training.loop import train

SPEC = DataSpec("noise", "image", Field((1, 16, 16), range=(0.0, 1.0)))
SMALL = {"latent": 4, "width": 2, "batch": 2, "ema": 0.9}
ROUNDS = 12
STARTS = Growth(3).starts(ROUNDS)


def dataset():
    return Rows(SPEC, Batch(torch.rand(40, 1, 16, 16, generator=torch.Generator().manual_seed(0))))


def build():
    chosen = recipes.find("progan")
    return chosen.build(SPEC, chosen.resolve(SMALL))


def playing(rounds=ROUNDS):
    """The experiment, and its steps."""
    torch.manual_seed(0)
    experiment = build()
    experiment.clock = Clock(0, rounds)
    return experiment, train(experiment, streams_for(experiment, dataset()))


@pytest.mark.parametrize("rounds", [1, 3, 7, 16, 1000])
@pytest.mark.parametrize(("stages", "until"), [(1, 0.6), (2, 0.6), (4, 0.6), (4, 1.0), (4, 0.0)])
def test_the_schedule_only_ever_grows(stages, until, rounds):
    growth = Growth(stages, until)
    levels = [growth(Clock(k, rounds)) for k in range(rounds + 1)]
    assert levels == sorted(levels, key=lambda phase: phase.stage + phase.alpha)
    assert all(0 < alpha <= 1 and 0 <= stage < stages for stage, alpha in levels)
    assert levels[-1] == (stages - 1, 1.0)
    assert until > 0 or levels == [levels[-1]] * len(levels)


def test_phases_are_equally_long_and_alpha_is_linear():
    growth = Growth(3, 0.8)
    held = [growth(Clock(k, 100)) for k in range(100)]
    assert growth.starts(100) == [0, 20, 40, 60, 80]
    assert held[:20] == [(0, 1.0)] * 20
    assert [alpha for _, alpha in held[20:40]] == pytest.approx([k / 20 for k in range(1, 21)])
    assert held[40:60] == [(1, 1.0)] * 20
    assert {stage for stage, _ in held[60:80]} == {2}
    assert held[80:] == [(2, 1.0)] * 20


def test_the_batch_halves_as_pictures_grow():
    batch = GrowingBatch(Growth(4, 0.6), 16, most=64)
    sizes = [batch(Clock(k, 100)) for k in range(100)]
    assert sorted(set(sizes), reverse=True) == [64, 32, 16]
    assert sizes == sorted(sizes, reverse=True)
    assert GrowingBatch(Growth(4), 256)(Clock(0, 10)) == 256


def test_a_run_cut_on_both_sides_of_every_change_goes_on_byte_for_byte():
    cuts = sorted({start + k for start in STARTS[1:] for k in (0, 1)})
    check_resume(build, dataset(), ROUNDS, cuts)


def test_every_parameter_feels_a_gradient_at_its_stages():
    check_gradients(build, dataset(), rounds=ROUNDS)


def test_the_networks_are_those_of_the_clock():
    experiment, steps = playing()
    growth = Growth(3)
    game = experiment.learners["game"]
    for step in steps:
        phase = growth(Clock(step.clock.round - 1, ROUNDS))
        for network in (game.generator, game.critic.body, experiment.model.generator):
            assert network.now == phase
        assert experiment.model.sample(3).x.shape == (3, 1, 16, 16)


def test_an_optimiser_meets_a_layer_when_it_joins():
    """Until then the layer does not move, in the average either, and its Adam has no state; then step 1 comes first."""
    experiment, steps = playing()
    joined = {0: 0, 1: STARTS[1], 2: STARTS[3]}
    game, average = experiment.learners["game"], experiment.model.generator
    networks = {"critic": game.critic.body, "generator": game.generator}
    of = {player.name: player.optimizer.state for player in experiment.players}
    start = {name: {k: v.clone() for k, v in net.named_parameters()} for name, net in networks.items()}
    for step in steps:
        for name, network in networks.items():
            for k, block in enumerate(network.blocks):
                for parameter in block.parameters():
                    state = of[name].get(parameter, {})
                    assert int(state.get("step", 0)) == max(step.clock.round - joined[k], 0), (name, k, step.clock)
                    if step.clock.round <= joined[k]:
                        assert not state
            if step.clock.round <= joined[2]:
                for key, value in network.blocks[2].named_parameters(prefix="blocks.2"):
                    assert torch.equal(value, start[name][key])
        if step.clock.round <= joined[2]:
            for own, live in zip(average.blocks[2].parameters(), game.generator.blocks[2].parameters(), strict=True):
                assert torch.equal(own, live)
    assert not torch.equal(average.blocks[2][0].weight, start["generator"]["blocks.2.0.weight"])


def test_the_drift_penalty_alone_says_which_constant_a_wasserstein_critic_has():
    """The objective has no slope in the head's offset, the penalty 2 w f."""
    torch.manual_seed(0)
    experiment = build()
    game = experiment.learners["game"]
    batch = Batch(torch.rand(6, 1, 16, 16))
    loss, offset = game.critic_loss(batch).parts, game.critic.head.score.bias
    scores = game.critic(batch.x).score
    assert loss["drift"].item() == pytest.approx(1e-3 * scores.square().mean().item(), rel=1e-4)
    (slope,) = torch.autograd.grad(loss["drift"], offset, retain_graph=True)
    assert slope.item() == pytest.approx(2e-3 * scores.mean().item(), rel=1e-3)
    (slope,) = torch.autograd.grad(loss["critic"], offset)
    assert abs(slope.item()) < 1e-6
