"""What models, codecs, observables and simulators can do. Anything that does it, is one: no base classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor
from torch.distributions import Distribution

from simulacra.batch import Batch, DataSpec, Given, Noise


@runtime_checkable
class Sampler(Protocol):
    """Draws new events: no gradient, evaluation mode."""

    def sample(self, n: int, given: Given = {}) -> Batch: ...


@runtime_checkable
class NoiseMap(Sampler, Protocol):
    """A sampler whose randomness is one draw at the start: deterministic, differentiable, exportable after it."""

    def noise(self, n: int) -> Noise: ...

    def push(self, noise: Noise, given: Given = {}) -> Batch: ...


@runtime_checkable
class Density(Protocol):
    """Exact, normalised log p(x | given) in nats, [B]; honours the mask."""

    def log_prob(self, batch: Batch) -> Tensor: ...


@runtime_checkable
class Bound(Protocol):
    """A number below log p(x | given) in expectation, [B] (VAE, IWAE, DDPM)."""

    def log_prob_bound(self, batch: Batch, draws: int = 1) -> Tensor: ...


@runtime_checkable
class Energy(Protocol):
    """-log p up to a constant, [B]: a lattice action, a matrix element, a Boltzmann machine."""

    def energy(self, batch: Batch) -> Tensor: ...


@runtime_checkable
class Normalised(Energy, Protocol):
    """An energy whose constant can be had: log Z in nats and its standard error, 0 where it is exact."""

    def log_normaliser(self) -> tuple[float, float]: ...


@runtime_checkable
class Classifier(Protocol):
    """Gives log p(y | x) in nats for every class y of one condition, [B, classes]; never looks at that condition."""

    def log_posterior(self, batch: Batch) -> Tensor: ...


@runtime_checkable
class Encoder(Protocol):
    """q(z | x) as a torch distribution; an autoencoder returns a point mass."""

    def encode(self, batch: Batch) -> Distribution: ...


@runtime_checkable
class Codec(Protocol):
    """An nn.Module between physical units and what a network likes.

    Its fitted constants are buffers, saved with the weights. `decode` takes encoded x and *physical* given.
    `log_det` is log |d encode / d x| of a physical batch, and raises a UserError where `encode` is many-to-one.
    """

    def spec(self, data: DataSpec) -> DataSpec: ...

    def fit(self, batches: Iterable[Batch]) -> None: ...

    def encode(self, batch: Batch) -> Batch: ...

    def encode_given(self, given: Given) -> Given: ...

    def decode(self, batch: Batch) -> Batch: ...

    def log_det(self, batch: Batch) -> Tensor: ...


@runtime_checkable
class Observable(Protocol):
    """A number (or K numbers) that a specialist reads off an event: [B] or [B, K] of a physical batch."""

    @property
    def name(self) -> str: ...

    @property
    def unit(self) -> str: ...

    @property
    def axis(self) -> str: ...

    def __call__(self, batch: Batch) -> Tensor: ...


@runtime_checkable
class Simulator(Protocol):
    """Makes events with known parameters, the same ones for the same seed."""

    @property
    def spec(self) -> DataSpec: ...

    @property
    def parameters(self) -> Mapping[str, Any]: ...

    def __call__(self, n: int, parameters: Mapping[str, Any], *, seed: int) -> Batch: ...


@runtime_checkable
class Dataset(Protocol):
    """Events that can be read by row, in physical units."""

    @property
    def spec(self) -> DataSpec: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any) -> Batch: ...
