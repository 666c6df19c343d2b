"""State: averages, exact resume, and the order of data."""

from __future__ import annotations

import pytest
import torch
from games import SPEC, Table, duel, points
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from simulacra.batch import Batch
from simulacra.errors import UserError
from simulacra.testing import Rows, Unchanged, check_resume
from simulacra.training.averaging import EMA, averaged_copy
from simulacra.training.engine import Engine
from simulacra.training.game import Clock, Experiment, Loss, Player, Solver, modules
from simulacra.training.loop import train
from simulacra.training.stream import Beside, DataStream, Weighed


def test_every_kind_of_state_survives_a_cut_anywhere() -> None:
    check_resume(duel, points(), 9, [1, 2, 3, 4, 7, 8])


class Forgetful(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = 1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.scale *= 0.9
        return x * self.scale


def test_the_contract_sees_state_that_is_a_python_number() -> None:
    def build():
        experiment = duel()
        experiment.learners["generator"].append(Forgetful())
        experiment.hooks = ()
        return experiment

    with pytest.raises(AssertionError, match="differ after a cut"):
        check_resume(build, points(), 4, [2])


def test_parameters_are_averaged_and_buffers_copied() -> None:
    torch.manual_seed(0)
    live = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    average = averaged_copy(live)
    ema = EMA(live, average, decay=0.5)
    want = [p.detach().clone() for p in live.parameters()]
    for k in range(1, 6):
        with torch.no_grad():
            for p in live.parameters():
                p.add_(torch.randn_like(p))
            live(torch.randn(7, 2))
        ema.after(Clock(k, 9))
        d = min(0.5, (1 + k) / (10 + k))
        want = [d * w + (1 - d) * p.detach() for w, p in zip(want, live.parameters(), strict=True)]
        for have, w in zip(average.parameters(), want, strict=True):
            assert torch.allclose(have, w, atol=1e-6)
        for have, b in zip(average.buffers(), live.buffers(), strict=True):
            assert torch.equal(have, b)
    assert not average.training
    assert not any(p.requires_grad for p in average.parameters())


@pytest.mark.parametrize("layer", [lambda: nn.Linear(12, 9), lambda: nn.Conv2d(3, 6, 3)])
def test_the_averaged_weight_under_a_spectral_norm_has_norm_one(layer) -> None:
    torch.manual_seed(1)
    live = nn.Sequential(spectral_norm(layer()))
    average = averaged_copy(live)
    ema = EMA(live, average, decay=0.9)
    ema.start(None)  # type: ignore[arg-type]
    weight = live[0].parametrizations.weight.original
    drift = torch.randn_like(weight) * 0.02
    for k in range(1, 201):
        with torch.no_grad():
            weight.add_(drift + 0.02 * torch.randn_like(weight))
            live.train()[0].weight  # noqa: B018, one iteration of the live vectors
        ema.after(Clock(k, 200))
    norm = torch.linalg.matrix_norm(average[0].weight.flatten(1), 2).item()
    assert norm == pytest.approx(1, abs=1e-3)


def test_the_average_follows_its_own_singular_vectors() -> None:
    """With the live weight's vectors in their place the norm strays from 1 three times as far."""
    worst = []
    for seed in range(4):
        torch.manual_seed(seed)
        live = nn.Sequential(spectral_norm(nn.Linear(64, 48)))
        average = averaged_copy(live)
        ema = EMA(live, average, decay=0.99)
        ema.start(None)  # type: ignore[arg-type]
        weight = live[0].parametrizations.weight.original
        drift = torch.randn_like(weight) * 0.002
        for k in range(1, 151):
            with torch.no_grad():
                weight.add_(drift + 0.005 * torch.randn_like(weight))
                live.train()[0].weight  # noqa: B018
            ema.after(Clock(k, 150))
            worst.append(abs(torch.linalg.matrix_norm(average[0].weight, 2).item() - 1))
    assert max(worst) < 0.02
    assert torch.tensor(worst).median() < 1e-4


def stream(n: int = 50, block: int = 0, **more) -> DataStream:
    rows = Rows(SPEC, Batch(torch.arange(float(n))[:, None].expand(n, 2), {"row": torch.arange(n)}))
    return DataStream(rows, torch.arange(n), Unchanged(), block=block, **more)


def rows_of(source, sizes: list[int]) -> list[int]:
    return [r for n in sizes for r in source.next(n).given["row"].tolist()]


@pytest.mark.parametrize("block", [0, 3, 5, 7, 64])
def test_each_row_comes_once_per_epoch_in_a_new_order(block: int) -> None:
    seen = rows_of(stream(50, block), [7, 50, 1, 30, 62])
    epochs = [seen[:50], seen[50:100], seen[100:150]]
    assert all(sorted(e) == list(range(50)) for e in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert sum(a == b for a, b in zip(epochs[0], range(50), strict=True)) < 15


@pytest.mark.parametrize("block", [0, 3, 5, 7, 64])
def test_a_position_holds_for_any_cut_and_batch_size(block: int) -> None:
    whole = rows_of(stream(50, block, seed=2), [150])
    for cut in range(0, 120, 7):
        first = stream(50, block, seed=2)
        assert rows_of(first, [cut] if cut else []) == whole[:cut]
        second = stream(50, block, seed=2)
        second.load_state_dict(first.state_dict())
        assert second.peek(9).given["row"].tolist() == whole[cut : cut + 9]
        assert rows_of(second, [1, 4, 11, 3]) == whole[cut : cut + 19]


@pytest.mark.parametrize("block", [0, 5])
@pytest.mark.parametrize("world", [2, 3])
def test_processes_take_turns_in_the_global_batch(block: int, world: int) -> None:
    whole = stream(50, block, seed=2)
    parts = [stream(50, block, seed=2, engine=Engine(rank=r, world=world)) for r in range(world)]
    for n in (7, 12, 60):
        want = rows_of(whole, [n])
        for r, part in enumerate(parts):
            assert rows_of(part, [n]) == want[r::world]
    with pytest.raises(UserError, match=f"one event for each of {world} processes, came 1"):
        parts[0].next(1)


WEIGHT = torch.tensor([0.0, 0.25, 1.0, 3.5, 0.0, 1e-6, 2.0, 1.0, 0.5, 0.0]).repeat(5)
HEAVY = WEIGHT.nonzero().flatten().tolist()


def dealt(block: int = 0, weight: Tensor = WEIGHT) -> DataStream:
    rows = Rows(SPEC, Batch(torch.zeros(50, 2), {"row": torch.arange(50)}, weight=weight))
    return DataStream(rows, torch.arange(50), Unchanged(), block=block, seed=2)


@pytest.mark.parametrize("block", [0, 7])
def test_events_are_dealt_by_weight(block: int) -> None:
    source, share = dealt(block), len(HEAVY) * WEIGHT.double() / WEIGHT.double().sum()
    counts = torch.stack([torch.tensor(rows_of(source, [len(HEAVY)])).bincount(minlength=50) for _ in range(400)])
    assert bool(((counts >= share.floor()) & (counts <= share.ceil())).all())
    assert bool((counts.double().mean(0) - share).abs().max() < 4 * 0.5 / 400**0.5)
    assert source.next(9).weight is None
    whole = rows_of(dealt(block), [150])
    for cut in range(0, 120, 17):
        second = dealt(block)
        rows_of(second, [cut] if cut else [])
        third = dealt(block)
        third.load_state_dict(second.state_dict())
        assert third.peek(9).given["row"].tolist() == whole[cut : cut + 9]
        assert rows_of(third, [1, 4, 11]) == whole[cut : cut + 16]


@pytest.mark.parametrize("block", [0, 7])
def test_solvers_see_each_event_of_some_weight_once_with_it(block: int) -> None:
    source = dealt(block)
    weighed = Weighed(source)
    for _ in range(2):
        batch = weighed.next(len(HEAVY))
        assert sorted(batch.given["row"].tolist()) == HEAVY
        assert torch.equal(batch.weight, WEIGHT[batch.given["row"]])
    assert weighed.peek(5).given["row"].tolist() == weighed.next(5).given["row"].tolist()
    assert source.state_dict() == weighed.state_dict() == {"epoch": 2, "at": 5, "rows": len(HEAVY)}
    assert [row for batch in source.physical(4) for row in batch.given["row"].tolist()] == HEAVY


def test_the_loop_deals_to_players_and_weighs_for_solvers() -> None:
    net, table, seen = nn.Linear(2, 1), Table(), []

    def loss(batch: Batch) -> Loss:
        seen.append(batch)
        return Loss({"score": net(batch.x).sum()})

    def collect(batch: Batch) -> dict[str, Tensor]:
        seen.append(batch)
        return table.collect(batch)

    players = [
        Player("fit", net, loss, torch.optim.SGD(net.parameters(), lr=0.1)),
        Solver("table", table, collect, table.solve),
    ]
    for _ in train(Experiment(net, players, Unchanged(), 1, 20, modules(net=net, table=table)), {"data": dealt()}):
        pass
    assert [batch.weight is None for batch in seen] == [True, False]


def test_weights_that_are_all_zero_are_refused() -> None:
    with pytest.raises(UserError, match="expected a weight above 0 among the training events, all are 0"):
        dealt(weight=torch.zeros(50))


def test_other_data_are_refused_on_resume() -> None:
    with pytest.raises(UserError, match=r"expected the 50 training events of the checkpoint, came 49"):
        stream(49).load_state_dict(stream(50).state_dict())


def test_beside_gives_both_and_peeks_without_moving() -> None:
    one = stream(50, seed=1)
    for pair in (Beside(stream(50, seed=1), stream(40, seed=2)), Beside(one, one)):
        peeked, came = pair.peek(6), pair.next(6)
        assert torch.equal(peeked.x, came.x)
        assert torch.equal(peeked.given["source"], came.given["source"])
        assert not torch.equal(came.x, came.given["source"])
        here = pair.state_dict()
        want = pair.next(5)
        pair.next(30)
        pair.load_state_dict(here)
        assert torch.equal(pair.next(5).given["source"], want.given["source"])
