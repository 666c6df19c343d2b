"""simulacra's recipes and the same models of zuko, nflows, normflows and pythae, each as something that takes steps.

Peers get the transforms, masks, permutations, hidden layers and activations of the recipe, through their own public
classes, and the recipe's training by hand: Adam, rate and its decay, weight decay, clipping and, for flows, an average
of the weights.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import peer_vaes
import torch
from peer_flows import of_nflows, of_normflows, of_zuko
from torch import Tensor, nn

from simulacra import recipes
from simulacra.batch import Batch, DataSpec, Field
from simulacra.domains import open_data
from simulacra.domains.calorimeter import open_bundled
from simulacra.domains.calorimeter.observables import scalars
from simulacra.domains.dataset import ArrayDataset, parts_of
from simulacra.random import draws, seed_of
from simulacra.training.averaging import EMA
from simulacra.training.game import Clock, Experiment, Player
from simulacra.training.loop import train
from simulacra.training.stream import DataStream, streams_of
from simulacra.workflow import training_spec

FLOWS, VAES = ("realnvp", "maf", "nsf"), ("vae", "beta_vae", "iwae", "vamp_vae")
OBSERVABLES = (
    *("E_tot", "response", "depth", "x_layer0"),
    *("wx_layer0", "hottest1_layer0", "hottest5_layer0", "x_layer1"),
    *("wx_layer1", "y_layer1", "wy_layer1", "hottest1_layer1"),
)


@cache
def opened(name: str) -> tuple[ArrayDataset, dict[str, Tensor]]:
    """Events without conditions, and the rows of their parts; `showers` are observables of the bundled showers."""
    if name == "showers":
        held = open_bundled()
        of = {one.name: one for one in scalars(held.spec)}
        events = held[torch.arange(len(held))]
        x = torch.stack([of[word](events).float() for word in OBSERVABLES], 1)
        dataset = ArrayDataset(DataSpec(name, "vector", Field((len(OBSERVABLES),)), rows=len(x)), Batch(x))
    else:
        named: Any = open_data(name)
        spec = DataSpec(named.spec.name, named.spec.layout, named.spec.x, geometry=named.spec.geometry)
        dataset = ArrayDataset(spec, Batch(named.batch.x), named.parts)
    return dataset, dict(parts_of(dataset))


class Ours:
    """A recipe, played by `train`."""

    def __init__(self, recipe: str, data: str, seed: int, batch: int | None = None) -> None:
        dataset, rows = opened(data)
        chosen = recipes.find(recipe)
        told: dict[str, Any] = {"likelihood": "bernoulli"} if recipe in VAES else {}
        size = {} if batch is None else {"batch" if recipe in VAES else "batch_size": batch}
        with draws(seed_of(seed, "weights")):
            self.experiment: Experiment = chosen.build(
                training_spec(dataset, rows["train"]), chosen.resolve({**told, **size})
            )
        self.codec: Any = self.experiment.codec
        stream = DataStream(dataset, rows["train"], self.codec, seed=seed)
        self.codec.fit(stream.physical())
        self.play = train(self.experiment, streams_of(self.experiment, stream), seed=seed)
        self.model: Any = self.experiment.model
        self.player: Any = next(p for p in self.experiment.players if isinstance(p, Player))
        self.parameters = sum(p.numel() for p in self.player.trains.parameters())

    def step(self, progress: float) -> None:
        clock = self.experiment.clock
        rounds = round(clock.round / progress) if progress else 10**9
        self.experiment.clock = Clock(clock.round, max(clock.round + 1, rounds))
        next(self.play)

    def log_prob(self, model: Any, x: Tensor) -> Tensor:
        return model.log_prob(Batch(x))

    def sample(self, n: int) -> Tensor:
        return self.model.sample(n).x


class Peer:
    """A model of another package, trained by hand as the player of `ours` is."""

    def __init__(
        self,
        live: nn.Module,
        ours: Ours,
        data: str,
        seed: int,
        log_prob: Callable[[Any, Tensor], Tensor] | None,
        draw: Callable[[Any, int], Tensor],
        loss: Callable[[Any, Tensor], Tensor] | None = None,
    ) -> None:
        dataset, rows = opened(data)
        self.live, self.player, self._draw = live, ours.player, draw
        self.log_prob: Any = log_prob
        self.loss = loss or (lambda model, x: -self.log_prob(model, x).mean())
        rates = ours.player.optimizer.param_groups[0]
        self.lr = rates["lr"]
        self.optimizer = torch.optim.Adam(live.parameters(), lr=self.lr, weight_decay=rates["weight_decay"])
        decays: list[float] = [hook.decay for hook in ours.experiment.hooks if isinstance(hook, EMA)]
        self.decay = decays[0] if decays else None
        self.model: Any = copy.deepcopy(live).eval().requires_grad_(False) if decays else live
        self.count = 0
        size: Any = ours.experiment.batch_size
        self.batches = self._batches(ours.codec.encode(dataset[rows["train"]]).x, size, seed)
        self.parameters = sum(p.numel() for p in live.parameters())

    @staticmethod
    def _batches(x: Tensor, size: int, seed: int) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(seed)
        while True:
            for rows in torch.randperm(len(x), generator=generator).split(size):
                if len(rows) == size:
                    yield x[rows]

    def step(self, progress: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * self.player.schedule(progress)
        self.optimizer.zero_grad()
        self.loss(self.live, next(self.batches)).backward()
        nn.utils.clip_grad_norm_(self.live.parameters(), self.player.clip)
        self.optimizer.step()
        self.count += 1
        if self.decay is not None:
            share = 1 - min(self.decay, (1 + self.count) / (10 + self.count))
            with torch.no_grad():
                for own, other in zip(self.model.parameters(), self.live.parameters(), strict=True):
                    own.lerp_(other, share)

    def sample(self, n: int) -> Tensor:
        with torch.no_grad():
            return self._draw(self.model, n)


def sides(recipe: str, data: str, seed: int, peers: tuple[str, ...], batch: int | None = None) -> dict[str, Any]:
    """simulacra's recipe and the same model of each peer."""
    ours = Ours(recipe, data, seed, batch)
    out: dict[str, Any] = {"simulacra": ours}
    for k, name in enumerate(peers):
        torch.manual_seed(seed_of(seed, name) % 2**31)
        if name == "pythae":
            live: Any = peer_vaes.of_pythae(recipe, Ours("vae", data, seed).model)
            out[name] = Peer(live, ours, data, seed + k, None, partial(peer_vaes.draw, recipe), peer_vaes.loss)
        else:
            size = opened(data)[0].spec.x.size
            live, log_prob, draw = {"zuko": of_zuko, "nflows": of_nflows, "normflows": of_normflows}[name](recipe, size)
            out[name] = Peer(live, ours, data, seed + k, log_prob, draw)
    return out
