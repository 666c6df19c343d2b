"""What must never be trained on, losses that are not finite; and what a game is warned of."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from simulacra.batch import Batch
from simulacra.random import draws, seed_of
from simulacra.training.game import Clock, Experiment, Stream, batch_size_at
from simulacra.training.watch import Watch


@dataclass(frozen=True)
class Limits:
    """Where an alarm is raised.

    Attributes:
        vanishing: the generator's gradient norm, as a share of the largest seen, while the critic is right in
            `telling` of pairs or more.
        telling: see `vanishing`.
        collapse: the variance of samples over that of data, and a third of the share of data whose neighbourhood
            holds samples.
        oscillation: between a neighbourhood's first and last visit, the share of looks that find it empty.
        divergence: growth of scores or of a gradient norm over the largest of the first `patience` looks, or over 1.
        overfit: probability that the critic scores a training event above a held-out one; 0.5 for a fair critic. Four
            standard errors above 0.5 where that is more.
        patience: looks in a row that must agree; for collapse, half a window of them.
        window: looks over which the generator's way is followed.
        grace: share of the run at whose start collapse and oscillation are not looked for.
        size: events of one look.
        looks: over the run.
        every: rounds between looks at least.
    """

    vanishing: float = 1e-2
    telling: float = 0.95
    collapse: float = 0.1
    oscillation: float = 0.3
    divergence: float = 100.0
    overfit: float = 0.6
    patience: int = 3
    window: int = 20
    grace: float = 0.2
    size: int = 256
    looks: int = 100
    every: int = 10


@dataclass(frozen=True)
class Look:
    """What was seen of a game at one time.

    Attributes:
        round: over by then.
        gradients: median norm since the last look, by player.
        accuracy: probability that the critic scores a training event above a generated one.
        overfit: the same of a training event above a held-out one; NaN without held-out events.
        score: the larger of |mean score| of training and of generated events.
        spread: total variance of samples over that of data.
        kept: share of data whose neighbourhood holds samples.
        hits: which neighbourhoods hold samples.
    """

    round: int
    gradients: Mapping[str, float]
    accuracy: float = math.nan
    overfit: float = math.nan
    score: float = math.nan
    spread: float = math.nan
    kept: float = math.nan
    hits: tuple[bool, ...] = ()


REMEDIES = {
    "vanishing gradient": "try a non-saturating or Wasserstein objective, or a slower critic",
    "collapse": "try wgan_gp, a larger batch, or a critic that sees whole batches",
    "oscillation": "try a (stronger) gradient penalty, a lower learning rate, or judge the average of weights (ema)",
    "divergence": "try a lower learning rate, a gradient penalty, or clip the gradient",
    "overfit critic": "try more training events, a smaller critic, dropout, or a gradient penalty",
}


class Alarms(Watch):
    """Watches a game for what goes wrong in it, and says so in one line each; it never stops a run nor changes it.

    In every game the gradient norm of each player; in a duel of generator and critic also, every now and then, how
    often the critic is right, its scores, how varied the samples are and where they lie. Samples are drawn from
    generators of their own, networks are asked in evaluation mode, and nothing is kept that a checkpoint would need:
    after a resume the watching starts anew.

    * vanishing gradient: the critic is right and the generator learns nothing from it;
    * collapse: samples hardly vary, or leave most of the data without a neighbour;
    * oscillation: the generator leaves parts of the data and comes back to them, in turns;
    * divergence: scores or gradients keep growing;
    * overfit critic: it knows training events from held-out ones.

    The data's neighbourhoods are the cells of 8 means among the events of the look; one holds samples where it gets a
    quarter of its share. A look costs about half a round of small networks, and comes once in a hundredth of the run
    but at most every tenth round: 3 to 5 % of runs of up to 2,000 rounds, 1 % and less from 6,000. The first look is
    after `limits.every` rounds.

    Args:
        experiment: whose players are watched.
        streams: as `train` gets them.
        held_out: physical events that are not trained on, for `overfit critic`.
        limits: where alarms are raised.
        tell: what to do with a line; a warning of the logger `simulacra` (on stderr) where left out.

    Attributes:
        looks: the numbers seen, one entry per look.
        raised: the line of each alarm that was raised, by name. Each is told once.

    Example:
        >>> from simulacra.testing import tiny_game
        >>> from simulacra.training.loop import train
        >>> experiment, streams = tiny_game(rounds=30)
        >>> alarms = Alarms(experiment, streams)
        >>> for step in train(experiment, streams, watch=alarms):
        ...     alarms.look(step.clock)
        >>> [look.round for look in alarms.looks], alarms.raised
        ([10, 20, 30], {})

    Arjovsky and Bottou (2017, arXiv:1701.04862) for vanishing and unstable gradients; Metz et al. (2017,
    arXiv:1611.02163) for collapse and cycling; Karras et al. (2020, arXiv:2006.06676) for overfitting critics.
    """

    def __init__(
        self,
        experiment: Experiment,
        streams: Mapping[str, Stream],
        held_out: Batch | None = None,
        limits: Limits = Limits(),
        tell: Callable[[str], None] = logging.getLogger("simulacra").warning,
    ) -> None:
        super().__init__()
        self.experiment, self.streams, self.limits, self.tell = experiment, streams, limits, tell
        self.held_out = held_out
        self.looks: list[Look] = []
        self.raised: dict[str, str] = {}
        self.every = max(limits.every, experiment.clock.rounds // limits.looks)
        self._norms: dict[str, deque[Tensor]] = {p.name: deque(maxlen=50) for p in experiment.players}
        roots: Any = experiment.learners.modules()
        parts = list(roots)
        self._game: Any = next((m for m in parts if all(hasattr(m, k) for k in ("judge", "critic", "sample"))), None)
        if self._game is None and any(hasattr(m, "critic") for m in parts):
            tell("alarms look at gradients only: no part of this game judges the events that it samples")
        self._real: Batch | None = None
        self._fair = math.inf

    def see(self, player: str, round_: int, parts: Mapping[str, Tensor], gradient: Tensor) -> None:
        super().see(player, round_, parts, gradient)
        self._norms[player].append(gradient.detach())

    @torch.no_grad()
    def look(self, clock: Clock) -> None:
        """Looks at the game between two rounds, where it is time to."""
        if clock.round % self.every and clock.round != self.limits.every:
            return
        norms = {name: float(torch.stack(list(kept)).median()) for name, kept in self._norms.items() if kept}
        for kept in self._norms.values():
            kept.clear()
        seen = Look(clock.round, norms)
        if self._game is not None:
            modes = [(module, module.training) for module in self._game.modules()]
            self._game.eval()
            try:
                seen = self._duel(seen)
            except Exception as error:  # a look must never stop a run
                self._game = None
                self.tell(f"alarms look at gradients only: {' '.join(str(error).split())[:200]}")
            finally:
                for module, training in modes:
                    module.training = training
        self.looks.append(seen)
        for name, words in self._judge(clock):
            if name not in self.raised:
                self.raised[name] = f"{name} at round {clock.round}: {words}; {REMEDIES[name]}"
                self.tell(self.raised[name])

    def _duel(self, seen: Look) -> Look:
        game = self._game
        with draws(seed_of("look", seen.round)):
            real = self._real = self._real or self._begin()
            fake = self._pieces(real, lambda b: game.sample(len(b), b.given).x)
            asked = [real, real.with_x(fake), *([] if self.held_out is None else [self.held_out])]
            scores = [self._pieces(b, lambda p: game.judge(p).score) for b in asked]
        data, made = real.x.flatten(1).float(), fake.flatten(1).float()
        share, visits = (_visits(x, self._centres) for x in (data, made))
        hits = visits > share / 4
        return replace(
            seen,
            accuracy=_above(*scores[:2]),
            overfit=_above(scores[0], scores[2]) if len(scores) > 2 else math.nan,
            score=max(float(s.mean().abs()) for s in scores[:2]),
            spread=float(made.var(0).sum() / data.var(0).sum().clamp_min(1e-12)),
            kept=float(share[hits].sum()),
            hits=tuple(hits[share > 0.5 / len(share)].tolist()),
        )

    def _begin(self) -> Batch:
        """The same events at every look, and the means of the data's neighbourhoods."""
        critic = next((p for p in self.experiment.players if p.trains is self._game.critic), self.experiment.players[0])
        stream = self.streams[critic.stream] if isinstance(critic.stream, str) else critic.stream
        real = stream.peek(self.limits.size)
        if self.held_out is not None:
            codec = self.experiment.codec
            self.held_out = codec.encode(self.held_out[: self.limits.size].to(real.x.device))
            n, m = len(real.x.unique(dim=0)), len(self.held_out)
            self._fair = math.sqrt((n + m + 1) / (12 * n * m))  # standard error of `overfit` for a fair critic
        self._centres = _means(real.x.flatten(1).float())
        return real

    def _pieces(self, batch: Batch, of: Callable[[Batch], Tensor]) -> Tensor:
        """`of` a batch, in pieces no larger than those that are trained on."""
        size = batch_size_at(self.experiment.batch_size, self.experiment.clock)
        return torch.cat([of(batch[k : k + size]) for k in range(0, len(batch), size)])

    def _judge(self, clock: Clock) -> Iterator[tuple[str, str]]:
        """Names of alarms, and why, at the present state of the looks."""
        limits, looks = self.limits, self.looks
        last = looks[-limits.patience :]
        if len(last) < limits.patience:
            return
        now = last[-1]
        mine = {id(p) for p in self._game.generator.parameters()} if self._game else set()
        names = {k.name for k in self.experiment.players if any(id(p) in mine for p in k.trains.parameters())}
        for name in names & now.gradients.keys():
            most = max(k.gradients.get(name, 0.0) for k in looks)
            low = max(k.gradients.get(name, 0.0) for k in last)
            if low < limits.vanishing * most and min(k.accuracy for k in last) >= limits.telling:
                right = f"the critic is right in {now.accuracy:.0%} of pairs"
                yield "vanishing gradient", f"{right}, the generator's gradient fell to {low:.2g} from {most:.2g}"
        long = looks[-(limits.window // 2) :]
        if clock.progress >= limits.grace and len(long) == limits.window // 2:
            if max(k.spread for k in long) < limits.collapse:
                yield "collapse", f"samples have {now.spread:.1%} of the data's variance"
            elif max(k.kept for k in long) < 3 * limits.collapse:
                yield "collapse", f"samples are near {now.kept:.0%} of the data"
        hits = [k.hits for k in looks[-limits.window :] if k.hits and k.round > limits.grace * clock.rounds]
        if len(hits) == limits.window and (gaps := _gaps(hits)) > limits.oscillation:
            yield "oscillation", f"parts of the data are left and visited again, {gaps:.0%} of the time in between"
        sizes: dict[str, list[float]] = {"scores": [k.score for k in looks]}
        sizes |= {f"{name}'s gradient": [k.gradients.get(name, math.nan) for k in looks] for name in now.gradients}
        for name, values in sizes.items():
            start = max(1.0, *values[: limits.patience])
            if min(values[-limits.patience :]) > limits.divergence * start:
                yield "divergence", f"{name} grew to {values[-1]:.3g} from {values[0]:.3g}"
        if min(k.overfit for k in last) > max(limits.overfit, 0.5 + 4 * self._fair):
            yield "overfit critic", f"it scores training events above held-out ones in {now.overfit:.0%} of pairs"


def _above(first: Tensor, second: Tensor) -> float:
    """Probability that a score of the first is above one of the second, ties for a half."""
    gaps = torch.sign(first.float()[:, None] - second.float()[None])
    return float(gaps.mean() + 1) / 2


def _means(x: Tensor, count: int = 8, rounds: int = 10) -> Tensor:
    """k-means that start from points far from each other; [count, D]."""
    chosen = [x[0]]
    for _ in range(count - 1):
        chosen.append(x[torch.cdist(x, torch.stack(chosen)).amin(1).argmax()])
    centres = torch.stack(chosen)
    for _ in range(rounds):
        mine = torch.cdist(x, centres).argmin(1)
        centres = torch.stack([x[mine == k].mean(0) if (mine == k).any() else centres[k] for k in range(count)])
    return centres


def _visits(x: Tensor, centres: Tensor) -> Tensor:
    """The share of events whose nearest centre is k, [K]."""
    return torch.bincount(torch.cdist(x, centres).argmin(1), minlength=len(centres)) / len(x)


def _gaps(hits: Sequence[Sequence[bool]]) -> float:
    """Between a cell's first and last visit (both counted), the share of looks that find it empty; over all cells."""
    table = torch.tensor(hits).int()
    stays = table.cummax(0).values * table.flip(0).cummax(0).values.flip(0)
    return 1 - float(table.sum() / stays.sum().clamp_min(1)) if table.any() else 0.0
