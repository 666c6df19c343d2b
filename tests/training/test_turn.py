"""The laws of the turn, the yield and the alarms."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
import torch
from games import SPEC, Duel, duel, points
from torch import Tensor, nn

from simulacra.batch import Batch
from simulacra.errors import UserError
from simulacra.random import draws
from simulacra.testing import Rows, Unchanged, streams_for
from simulacra.training.game import Clock, Experiment, Loss, Player, every, from_round, linear_decay, modules, until
from simulacra.training.loop import train
from simulacra.training.stream import Weighed


def hashes(root: nn.Module) -> dict[str, str]:
    return {k: hashlib.sha256(v.detach().numpy().tobytes()).hexdigest() for k, v in root.state_dict().items()}


def alone(
    net: nn.Module, loss: Any, rows: Rows, rounds: int = 1, size: int | Any = 12, lr: float = 0.1, **more: Any
) -> Experiment:
    optimizer = more.pop("optimizer", None) or torch.optim.SGD(net.parameters(), lr=lr)
    player = Player("fit", net, loss, optimizer, **more)
    return Experiment(net, [player], Unchanged(), rounds, size, modules(net=net))


def run_through(experiment: Experiment, rows: Rows, seed: int = 0) -> list[dict[str, float]]:
    streams = {name: Weighed(stream) for name, stream in streams_for(experiment, rows, seed).items()}
    return [{k: float(v) for k, v in step.losses.items()} for step in train(experiment, streams, seed=seed)]


@pytest.mark.parametrize("who", ["critic", "slope", "generator", "table"])
def test_a_turn_moves_exactly_its_players_numbers(who: str) -> None:
    torch.manual_seed(0)
    game = Duel(points())
    experiment = game.experiment
    run_through(experiment, points())  # optimisers now hold momentum for everybody
    for p in experiment.learners.parameters():  # leftovers that must not act
        if p.requires_grad:
            p.grad = torch.ones_like(p)
    experiment.players = [p for p in experiment.players if p.name == who]
    experiment.hooks, experiment.clock = (), Clock(3, 4)
    own = {"critic": ["critic.", "replay."], "slope": ["critic."], "generator": ["generator."], "table": ["table."]}
    before = hashes(experiment.learners)
    run_through(experiment, points())
    after = hashes(experiment.learners)
    moved = {name for name in before if before[name] != after[name]}
    assert moved
    assert all(any(name.startswith(o) for o in own[who]) for name in moved), moved
    trained = {f"{o}{n}" for o in own[who] for n, _ in experiment.learners.get_submodule(o[:-1]).named_parameters()}
    assert trained - moved <= {"critic.3.bias"} if who == "slope" else trained <= moved  # a slope feels no last bias
    if who != "table":
        assert all(p.grad is None for p in experiment.players[0].trains.parameters())


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_shared_optimiser_moves_only_whose_turn_it_is(momentum: float) -> None:
    rows, ends = points(), []
    for leftover in (False, True):
        torch.manual_seed(4)
        mine, other = nn.Linear(2, 2), nn.Linear(2, 1)
        both = modules(mine=mine, other=other)
        optimizer = torch.optim.SGD(both.parameters(), lr=0.1, momentum=momentum, weight_decay=0.1)

        def loss(batch: Batch, mine: nn.Module = mine, other: nn.Module = other) -> Loss:
            return Loss({"both": other(mine(batch.x)).square().mean()})

        first = Experiment(other, [Player("o", other, loss, optimizer)], Unchanged(), 1, 9, both)
        run_through(first, rows)
        if leftover:
            for p in both.parameters():
                p.grad = torch.ones_like(p)
        before = hashes(other)
        run_through(Experiment(mine, [Player("m", mine, loss, optimizer)], Unchanged(), 2, 9, both), rows)
        assert hashes(other) == before
        ends.append(hashes(mine))
    assert ends[0] == ends[1]


def test_a_foreign_forward_does_move_its_buffers_where_nothing_restores_them() -> None:
    game = Duel(points())
    before = hashes(game.generator)
    game.judge(points().batch)
    assert before != hashes(game.generator)


def test_a_replaced_foreign_buffer_is_put_back() -> None:
    net, other = nn.Linear(2, 1), nn.Module()
    other.register_buffer("count", torch.zeros(3))
    other.register_buffer("empty", None)
    kept = other.count

    def loss(batch: Batch) -> Loss:
        other.count = torch.ones(3)
        other.empty = torch.ones(1)
        kept.add_(1)
        return Loss({"x": batch.mean(net(batch.x)[:, 0])})

    experiment = alone(net, loss, points())
    experiment.learners = modules(net=net, other=other)
    run_through(experiment, points())
    assert other.count is kept
    assert torch.equal(kept, torch.zeros(3))
    assert other.empty is None


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("count", [2, 3, 5, 12])
def test_pieces_give_what_the_whole_batch_gives(count: int, weighted: bool) -> None:
    rows, ends = points(48, torch.float64, weighted=weighted), []
    for accumulate in (1, count):
        torch.manual_seed(1)
        net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1)).double()

        def loss(batch: Batch, net: nn.Module = net) -> Loss:
            return Loss({"square": batch.mean((net(batch.x)[:, 0] - 1).square())}, {"mean": batch.mean(batch.x[:, 0])})

        log = run_through(alone(net, loss, rows, 6, size=13, accumulate=accumulate), rows)
        ends.append((torch.cat([p.detach().flatten() for p in net.parameters()]), log))
    assert torch.allclose(ends[0][0], ends[1][0], atol=1e-12, rtol=0)
    for a, b in zip(ends[0][1], ends[1][1], strict=True):
        assert a == pytest.approx(b, abs=1e-12)


def test_a_weight_of_two_is_an_event_twice() -> None:
    x = torch.randn(10, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    weight = torch.tensor([1.0, 2, 3, 1, 1, 2, 1, 1, 4, 1], dtype=torch.float64)
    ends = []
    for rows in (Rows(SPEC, Batch(x, weight=weight)), Rows(SPEC, Batch(x.repeat_interleave(weight.long(), 0)))):
        torch.manual_seed(1)
        net = nn.Linear(2, 1).double()

        def loss(batch: Batch, net: nn.Module = net) -> Loss:
            return Loss({"square": batch.mean((net(batch.x)[:, 0] - 1).square())})

        run_through(alone(net, loss, rows, 5, size=len(rows), accumulate=2), rows)
        ends.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
    assert torch.allclose(*ends, atol=1e-12, rtol=0)


@pytest.mark.parametrize("kind", [torch.bool, torch.uint8, torch.int64])
def test_batches_of_integers_weigh_what_they_count(kind: torch.dtype) -> None:
    rows, net = Rows(SPEC, Batch(torch.ones(300, 2, dtype=kind))), nn.Linear(2, 1)

    def loss(batch: Batch) -> Loss:
        return Loss({"one": net(batch.x.float()).mean() * 0 + 1})

    (seen,) = run_through(alone(net, loss, rows, size=300, accumulate=7), rows)
    assert seen["fit/one"] == pytest.approx(1, abs=1e-6)


def test_clip_bounds_the_step_and_leaves_short_gradients() -> None:
    for slope, want in ((100.0, 0.5), (0.1, 0.1)):
        net = nn.Linear(1, 1, bias=False)
        start = net.weight.detach().clone()
        rows = Rows(SPEC, Batch(torch.ones(4, 1)))

        def loss(batch: Batch, net: nn.Module = net, slope: float = slope) -> Loss:
            return Loss({"x": slope * net(batch.x).mean()})

        run_through(alone(net, loss, rows, lr=1.0, clip=0.5), rows)
        assert (start - net.weight).item() == pytest.approx(want, rel=1e-5)


def test_the_schedule_multiplies_the_rate_and_leaves_the_optimiser_as_it_was() -> None:
    net = nn.Linear(1, 1, bias=False)
    rows = Rows(SPEC, Batch(torch.ones(4, 1)))
    experiment = alone(net, lambda b: Loss({"x": net(b.x).mean()}), rows, 4, lr=1.0, schedule=linear_decay(0.0))
    places = [net.weight.item()]
    for _ in train(experiment, streams_for(experiment, rows)):
        places.append(net.weight.item())
    steps = [a - b for a, b in pairwise(places)]
    assert steps == pytest.approx([1, 0.75, 0.5, 0.25], abs=1e-5)
    assert experiment.optimizers()[0].param_groups[0]["lr"] == 1.0


def test_when_and_repeats_decide_who_plays() -> None:
    net, turns = nn.Linear(2, 1), []

    def player(name: str, **more: Any) -> Player:
        def loss(batch: Batch) -> Loss:
            turns.append(name)
            return Loss({"x": net(batch.x).mean()})

        return Player(name, net, loss, torch.optim.SGD(net.parameters(), lr=0.1), **more)

    players = [player("e", when=every(2)), player("f", when=from_round(2)), player("u", when=until(1))]
    players.append(player("r", repeats=lambda clock: clock.round))
    experiment = Experiment(net, players, Unchanged(), 3, 4, modules(net=net))
    run_through(experiment, points())
    assert turns == ["e", "u", "r", "e", "f", "r", "r"]


def looked_at(body: Any) -> tuple[dict[str, str], list[dict[str, float]]]:
    torch.manual_seed(3)
    experiment = duel()
    losses = []
    for step in train(experiment, streams_for(experiment, points()), seed=3):
        losses.append({k: float(v) for k, v in step.losses.items()})
        body(experiment)
    return hashes(experiment.learners), losses


def test_looking_never_changes_a_run() -> None:
    def nosy(experiment: Experiment) -> None:
        for root in (experiment.learners, experiment.model):
            root.eval()
        with draws(1), torch.no_grad():
            experiment.model(torch.randn(5, 3))
        with torch.inference_mode():
            experiment.model(torch.randn(5, 3))
        torch.manual_seed(99)
        torch.rand(7)

    assert looked_at(lambda experiment: None) == looked_at(nosy)


def test_a_break_in_evaluation_mode_leaves_the_run_as_it_was() -> None:
    torch.manual_seed(3)
    experiment = duel()
    streams, losses = streams_for(experiment, points()), []
    while experiment.clock.round < experiment.clock.rounds:
        for step in train(experiment, streams, seed=3):
            losses.append({k: float(v) for k, v in step.losses.items()})
            experiment.learners.eval()
            if step.clock.round % 3 == 0:
                break
        assert experiment.learners["generator"][1].training
        assert not experiment.learners["average"][1].training
    assert (hashes(experiment.learners), losses) == looked_at(lambda experiment: None)


def test_the_callers_grad_mode_does_not_matter_and_is_kept() -> None:
    with torch.no_grad():
        quiet = looked_at(lambda experiment: None)
        assert not torch.is_grad_enabled()
    seen = []
    assert quiet == looked_at(lambda experiment: seen.append(torch.is_grad_enabled()))
    assert all(seen)
    with torch.inference_mode(), pytest.raises(UserError, match=r"came torch.inference_mode; call train outside"):
        looked_at(lambda experiment: None)


def test_after_is_told_the_means_and_has_no_gradient() -> None:
    told: list[tuple[int, float, bool]] = []
    net = nn.Linear(2, 1)

    def after(batch: Batch, seen: Mapping[str, Tensor]) -> None:
        told.append((len(batch), float(seen["mean"]), torch.is_grad_enabled()))

    def loss(batch: Batch) -> Loss:
        return Loss({"x": net(batch.x).mean()}, {"mean": batch.mean(batch.x[:, 0])})

    rows = points(12)
    run_through(alone(net, loss, rows, accumulate=5, after=[after]), rows)
    assert told == [(12, pytest.approx(rows.batch.x[:, 0].mean().item(), abs=1e-6), False)]


@pytest.mark.parametrize("size", [1, 16])
def test_small_batches_learn_the_weighted_law(size: int) -> None:
    x = torch.linspace(0, 1, 200)[:, None].round()
    rows = Rows(SPEC, Batch(x.expand(200, 2), weight=torch.where(x[:, 0] == 0, 9.0, 1.0)))
    net, seen = nn.Linear(1, 1), []

    def loss(batch: Batch) -> Loss:
        seen.append(float(net.bias.detach()))
        return Loss({"square": batch.mean((net.bias - batch.x[:, 0]).square())})

    experiment = alone(net, loss, rows, 600, size=size, lr=0.02)
    for _ in train(experiment, streams_for(experiment, rows)):
        pass
    assert sum(seen[300:]) / 300 == pytest.approx(0.1, abs=0.06)
