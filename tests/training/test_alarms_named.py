"""Every alarm: a game that raises it, and the same game with its remedy, which does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from simulacra.batch import Batch, DataSpec, Field
from simulacra.gan import GAN, Minimax, NonSaturating, StandardNormal, Wasserstein, WeightClipping
from simulacra.gan.penalties import R1
from simulacra.networks import Critic, LinearHead, critic_for, generator_for
from simulacra.testing import Rows, Unchanged, state_of, streams_for, tiny_game
from simulacra.training.alarms import Alarms, Limits, _above, _gaps, _means, _visits
from simulacra.training.game import Experiment, Loss, Player, modules
from simulacra.training.loop import train


def ring(n: int, seed: int = 0) -> Batch:
    """Eight tight modes on the unit circle."""
    draw = torch.Generator().manual_seed(seed)
    angle = torch.randint(8, (n,), generator=draw) * torch.pi / 4
    return Batch(torch.stack([angle.cos(), angle.sin()], 1) + 0.02 * torch.randn(n, 2, generator=draw))


class Plain(nn.Module):
    """A critic's body that sees coordinates as they are."""

    def forward(self, view: Tensor, given: Any) -> Tensor:
        return view


class Point(nn.Module):
    """A generator of a small cloud that can only be moved (the Dirac GAN)."""

    def __init__(self) -> None:
        super().__init__()
        self.at = nn.Parameter(torch.tensor([1.5, 0.0]))

    def forward(self, noise: Any, given: Any) -> Tensor:
        return self.at + 0.02 * noise["z"]


def cloud(n: int, seed: int = 0) -> Batch:
    return Batch(torch.randn(n, 32, generator=torch.Generator().manual_seed(seed)))


def duel(
    *,
    critic: Callable[[], Critic] | None = None,
    generator: Callable[[], nn.Module] | None = None,
    objective: Any = NonSaturating(),
    terms: Any = (),
    rows: int = 2000,
    width: int = 32,
    rates: tuple[float, float] = (2e-3, 2e-3),
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
    repeats: int = 1,
    clip: float | None = None,
    rounds: int = 100,
    batch: int = 64,
    data: Callable[..., Batch] = ring,
) -> tuple[Experiment, Any]:
    torch.manual_seed(0)
    hidden: dict[str, Any] = {"hidden": (width, width)}
    events = data(rows)
    spec = DataSpec("toy", "vector", Field(tuple(events.x.shape[1:])))
    game = GAN(
        generator() if generator else generator_for(spec, 2, **hidden),
        critic() if critic else critic_for(spec, **hidden),
        objective,
        StandardNormal(2),
        terms,
    )
    after = [] if clip is None else [WeightClipping(game.critic, clip)]
    first = optimizer(game.critic.parameters(), lr=rates[0])
    second = optimizer(game.generator.parameters(), lr=rates[1])
    players = [
        Player("critic", game.critic, game.critic_loss, first, repeats=repeats, after=after),
        Player("generator", game.generator, game.generator_loss, second),
    ]
    experiment = Experiment(game, players, Unchanged(), rounds, batch, modules(game=game))
    return experiment, streams_for(experiment, Rows(spec, events))


QUICK = Limits(every=5, window=12)


def watched(**options: Any) -> Alarms:
    """The alarms after a whole run."""
    experiment, streams = duel(**options)
    lines: list[str] = []
    alarms = Alarms(experiment, streams, options.get("data", ring)(400, seed=1), QUICK, lines.append)
    for step in train(experiment, streams, watch=alarms):
        alarms.look(step.clock)
    assert lines == list(alarms.raised.values())
    assert all("\n" not in line and "; try " in line for line in lines)
    return alarms


def linear() -> Critic:
    return Critic(Plain(), LinearHead(2, offset=False))


def affine(size: int = 2) -> nn.Module:
    return generator_for(DataSpec("toy", "vector", Field((size,))), 2, hidden=())


DIRAC: dict[str, Any] = {
    "critic": linear,
    "generator": Point,
    "objective": Wasserstein(),
    "optimizer": torch.optim.SGD,
    "rates": (0.25, 0.25),
}
STRONG: dict[str, Any] = {"repeats": 3, "rates": (3e-2, 1e-6), "rounds": 45}
STEEP: dict[str, Any] = {"objective": Wasserstein(), "repeats": 3, "rates": (1e-2, 1e-4), "rounds": 60}
KEEN: dict[str, Any] = {
    "data": cloud,
    "generator": lambda: affine(32),
    "width": 64,
    "repeats": 2,
    "rates": (1e-2, 1e-4),
    "rounds": 60,
}
GAMES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "vanishing gradient": ({**STRONG, "objective": Minimax()}, {**STRONG, "objective": NonSaturating()}),
    "collapse": (DIRAC, {"generator": affine, "rates": (5e-3, 5e-3)}),
    "oscillation": (DIRAC, {**DIRAC, "terms": [R1(1.0)]}),
    "divergence": (STEEP, {**STEEP, "clip": 0.1}),
    "overfit critic": ({**KEEN, "rows": 30}, {**KEEN, "rows": 4000}),
}


@pytest.mark.parametrize("name", GAMES)
def test_a_game_that_goes_wrong_raises_its_alarm_and_its_remedy_does_not(name: str) -> None:
    wrong, right = (watched(**options) for options in GAMES[name])
    assert name in wrong.raised, wrong.looks[-1]
    assert name not in right.raised, right.raised[name]


def test_a_healthy_duel_raises_nothing() -> None:
    alarms = watched(generator=affine, objective=NonSaturating(), terms=[R1(0.1)], rates=(5e-3, 5e-3))
    assert not alarms.raised
    assert len(alarms.looks) == 20
    last = alarms.looks[-1]
    assert set(last.gradients) == {"critic", "generator"}
    assert 0.3 < last.accuracy < 0.97
    assert abs(last.overfit - 0.5) < 0.1
    assert 0.3 < last.spread < 3


def restless() -> Critic:
    """A critic whose buffers move in every forward, and that draws random numbers."""
    net = nn.Sequential(spectral_norm(nn.Linear(2, 8)), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Tanh())
    return Critic(Wrapped(net), LinearHead(8))


@pytest.mark.parametrize("seed", [0, 3])
def test_looking_never_changes_a_run(seed: int) -> None:
    def play(look: bool) -> tuple[dict[str, Tensor], list[dict[str, float]], Tensor]:
        experiment, streams = duel(rounds=12, critic=restless)
        alarms = Alarms(experiment, streams, ring(50), Limits(every=2), lambda line: None)
        torch.manual_seed(seed)
        losses = []
        for step in train(experiment, streams, seed=seed, watch=alarms if look else None):
            if look:
                alarms.look(step.clock)
            losses.append({k: float(v) for k, v in step.losses.items()})
        assert len(alarms.looks) == (6 if look else 0)
        return state_of(experiment, streams), losses, torch.rand(3)

    (state, losses, after), (other, others, later) = play(True), play(False)
    assert losses == others
    assert all(torch.equal(state[k], other[k]) for k in state)
    assert torch.equal(after, later)


class Wrapped(nn.Module):
    """A body that takes no conditions."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, view: Tensor, given: Any) -> Tensor:
        return self.net(view)


class Moody(Wrapped):
    """Works in training mode only."""

    def forward(self, view: Tensor, given: Any) -> Tensor:
        if not self.training:
            raise RuntimeError("no\nevaluation")
        return super().forward(view, given)


def test_a_look_that_fails_is_told_once_and_the_run_goes_on() -> None:
    experiment, streams = duel(rounds=30, critic=lambda: Critic(Moody(nn.Linear(2, 4)), LinearHead(4)))
    lines: list[str] = []
    alarms = Alarms(experiment, streams, tell=lines.append)
    for step in train(experiment, streams, watch=alarms):
        alarms.look(step.clock)
    assert lines == ["alarms look at gradients only: no evaluation"]
    assert [look.round for look in alarms.looks] == [10, 20, 30]
    assert alarms.looks[-1].gradients["critic"] > 0


def test_a_solitaire_is_watched_for_divergence_alone() -> None:
    experiment, streams = tiny_game(rounds=60)
    alarms = Alarms(experiment, streams, tell=lambda line: None)
    for step in train(experiment, streams, watch=alarms):
        alarms.look(step.clock)
    assert not alarms.raised
    hill = nn.Linear(1, 1, bias=False)
    player = Player(
        "climb", hill, lambda b: Loss({"height": -hill.weight.square().sum()}), torch.optim.SGD([hill.weight], lr=0.1)
    )
    experiment = Experiment(hill, [player], Unchanged(), 100, 8, modules(hill=hill))
    alarms = Alarms(experiment, streams, tell=lambda line: None)
    for step in train(experiment, streams, watch=alarms):
        alarms.look(step.clock)
    assert list(alarms.raised) == ["divergence"]
    assert "climb's gradient grew to" in alarms.raised["divergence"]


def test_without_another_place_lines_are_warnings_of_the_logger(caplog: pytest.LogCaptureFixture) -> None:
    experiment, streams = duel(**DIRAC)
    alarms = Alarms(experiment, streams)
    for step in train(experiment, streams, watch=alarms):
        alarms.look(step.clock)
    assert [(r.name, r.levelname, r.message) for r in caplog.records] == [
        ("simulacra", "WARNING", line) for line in alarms.raised.values()
    ]
    assert "collapse" in alarms.raised


def test_the_numbers_of_a_look() -> None:
    assert _above(torch.tensor([2.0, 3.0]), torch.tensor([1.0, 2.0])) == pytest.approx(7 / 8)
    x = torch.tensor([[0.0], [0.1], [5.0], [5.1]])
    means = _means(x, 2)
    assert sorted(means.flatten().tolist()) == pytest.approx([0.05, 5.05])
    assert _visits(torch.tensor([[0.2], [0.3], [4.0]]), torch.tensor([[0.0], [5.0]])).tolist() == pytest.approx(
        [2 / 3, 1 / 3]
    )
    assert _gaps([[True, False], [False, True], [True, False]]) == pytest.approx(1 / 4)
    assert _gaps([[True, False], [True, True], [False, True]]) == 0
    assert _gaps([[False], [False]]) == 0
