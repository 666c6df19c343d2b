"""The contracts as checks that anyone can run on their own recipe, codec or model."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from simulacra.batch import Batch, DataSpec, Field, Given
from simulacra.protocols import Codec, Dataset
from simulacra.random import seed_of
from simulacra.training import run
from simulacra.training.engine import Engine
from simulacra.training.game import Clock, Experiment, Loss, Player
from simulacra.training.loop import train
from simulacra.training.stream import DataStream, streams_of

Build = Callable[[], Experiment]
"""Builds the same experiment again, from nothing."""


class Unchanged(nn.Module):
    """The codec that leaves everything as it is."""

    def spec(self, data: DataSpec) -> DataSpec:
        return data

    def fit(self, batches: Iterable[Batch]) -> None:
        pass

    def encode(self, batch: Batch) -> Batch:
        return batch

    def encode_given(self, given: Given) -> Given:
        return given

    def decode(self, batch: Batch) -> Batch:
        return batch

    def log_det(self, batch: Batch) -> Tensor:
        return batch.x.new_zeros(len(batch))


class Rows:
    """Events in memory as a dataset."""

    def __init__(self, spec: DataSpec, batch: Batch) -> None:
        self.spec, self.batch = spec, batch

    def __len__(self) -> int:
        return len(self.batch)

    def __getitem__(self, rows: Any) -> Batch:
        return self.batch[rows]


def tiny_game(rounds: int = 4, seed: int = 0) -> tuple[Experiment, dict[str, DataStream]]:
    """A one-parameter solitaire, for examples and tests: the mean of 64 numbers."""
    torch.manual_seed(seed)
    model = nn.Linear(1, 1, bias=False)
    data = Batch(torch.linspace(-1, 1, 64)[:, None])
    player = Player(
        "fit",
        model,
        lambda batch: Loss({"square": batch.mean((model(torch.ones_like(batch.x)) - batch.x).square().squeeze(1))}),
        torch.optim.Adam(model.parameters(), lr=0.1),
    )
    codec = Unchanged()
    experiment = Experiment(model, [player], codec, rounds, 8, nn.ModuleDict({"model": model}))
    return experiment, streams_for(experiment, Rows(DataSpec("line", "vector", Field((1,))), data))


def streams_for(experiment: Experiment, dataset: Dataset, seed: int = 0, **options: Any) -> dict[str, DataStream]:
    """The streams that `train` wants: one of all rows, and those that the recipe makes of it."""
    data = DataStream(dataset, torch.arange(len(dataset)), experiment.codec, seed=seed, **options)
    return streams_of(experiment, data)


def state_of(experiment: Experiment, streams: Mapping[str, Any]) -> dict[str, Tensor]:
    """Every tensor that a continued run depends on, by name."""
    out: dict[str, Tensor] = {}
    from simulacra.io.tensors import flatten

    codec: Any = experiment.codec
    whole = {
        "learners": experiment.learners.state_dict(),
        "codec": codec.state_dict(),
        "optimizers": [o.state_dict() for o in experiment.optimizers()],
        "hooks": [h.state_dict() for h in experiment.hooks],
        "streams": [s.state_dict() for s in streams.values()],
    }
    form = flatten(whole, out)
    out["numbers"] = torch.tensor(seed_of(str(form)))
    return {k: v.detach().clone() for k, v in out.items()}


def check_resume(build: Build, dataset: Dataset, rounds: int, cuts: Iterable[int], seed: int = 5) -> None:
    """k rounds, save, rebuild, load and on to n equal n rounds, byte for byte, in state and losses.

    Between rounds the global generators and the modes are disturbed, as a user's loop body may.
    """

    def play(experiment: Experiment, streams: Any, until: int, log: list[dict[str, float]]) -> None:
        if experiment.clock.round >= until:
            return
        for step in train(experiment, streams, seed=seed):
            log.append({k: float(v) for k, v in step.losses.items()})
            torch.rand(3)
            experiment.learners.eval()
            if step.clock.round == until:
                break

    def start() -> tuple[Experiment, Any]:
        torch.manual_seed(seed)
        experiment = build()
        experiment.clock = Clock(0, rounds)
        return experiment, streams_for(experiment, dataset, seed)

    whole, streams = start()
    log: list[dict[str, float]] = []
    play(whole, streams, rounds, log)
    want = state_of(whole, streams)
    for cut in cuts:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            first, streams = start()
            parts: list[dict[str, float]] = []
            play(first, streams, cut, parts)
            run.save(folder, first, streams, Engine())
            torch.manual_seed(seed + 1)
            second = build()
            second.clock = Clock(0, rounds)
            streams = streams_for(second, dataset, seed)
            run.restore(folder, run.checkpoints(folder)[-1], second, streams, Engine())
            play(second, streams, rounds, parts)
            have = state_of(second, streams)
        assert parts == log, f"losses differ after a cut at round {cut}"
        assert have.keys() == want.keys(), f"a cut at round {cut} changes what is stored"
        for name, value in want.items():
            assert torch.equal(have[name], value), f"{name} differs after a cut at round {cut}"


def check_gradients(build: Build, dataset: Dataset, rounds: int = 20, seed: int = 0) -> None:
    """Every parameter of every player feels a finite gradient, and within `rounds` rounds a non-zero one."""
    torch.manual_seed(seed)
    experiment = build()
    experiment.clock = Clock(0, rounds)
    felt: set[int] = set()
    handles = []
    for player in experiment.players:
        for parameter in player.trains.parameters():
            if parameter.requires_grad:
                handles.append(parameter.register_hook(_feel(parameter, felt)))
    for _ in train(experiment, streams_for(experiment, dataset, seed), seed=seed):
        pass
    for handle in handles:
        handle.remove()
    for player in experiment.players:
        for name, parameter in player.trains.named_parameters():
            if parameter.requires_grad:
                assert id(parameter) in felt, f"{player.name}: {name} {tuple(parameter.shape)} never feels a gradient"


def _feel(parameter: nn.Parameter, felt: set[int]) -> Callable[[Tensor], None]:
    def note(gradient: Tensor) -> None:
        assert torch.isfinite(gradient).all(), f"a gradient of shape {tuple(parameter.shape)} is not finite"
        if bool((gradient != 0).any()):
            felt.add(id(parameter))

    return note


def check_codec(codec: Codec, dataset: Dataset, *, tolerance: float = 1e-4, mirrored: bool = False) -> None:
    """`spec` says what `encode` gives, and `decode` undoes `encode` (up to a mirror image where `mirrored`)."""
    batch = dataset[torch.arange(len(dataset))]
    codec.fit([batch])
    encoded = codec.encode(batch)
    codec.spec(dataset.spec).check(encoded)
    for name, value in codec.encode_given(batch.given).items():
        assert torch.equal(value, encoded.given[name]), f"encode and encode_given differ for {name!r}"
    back = codec.decode(Batch(encoded.x, batch.given)).x
    want = batch.x
    if mirrored:
        back, want = back.sort(1).values, want.sort(1).values
    scale = want.abs().amax().clamp(min=1)
    assert torch.allclose(back, want, atol=tolerance * float(scale)), "decode(encode(x)) is not x"
