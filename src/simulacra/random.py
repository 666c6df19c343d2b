"""Seeded draws. A run reseeds at every round; sampling is reproducible in any thread."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


def seed_of(*words: int | str) -> int:
    """A 63-bit seed from any words: the same on every machine, different for different words.

    >>> seed_of(1, "round", 2) == seed_of(1, "round", 2) != seed_of(1, "round", 3)
    True
    """
    text = "\x1f".join(f"{type(w).__name__}:{w}" for w in words)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def reseed(*words: int | str) -> None:
    """Puts the default generators (CPU and, where one is in use, GPU) at the start of the stream named by `words`."""
    seed = seed_of(*words)
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)


class _Injected(TorchDispatchMode):
    """Hands every random operator below Python the generator of this block.

    A function mode would miss the draws inside composite functions (dropout, multi-head attention).
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self.generators: dict[torch.device, torch.Generator] = {}

    def _generator(self, device: torch.device) -> torch.Generator:
        if device.type == "cpu":
            device = torch.device("cpu")
        elif device.index is None:  # "cuda" and "cuda:0" must not start the same stream twice
            device = torch.device(device.type, torch.accelerator.current_device_index())
        if device not in self.generators:
            self.generators[device] = torch.Generator(device).manual_seed(self.seed)
        return self.generators[device]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded in func.tags and kwargs.get("generator") is None:
            target = func
            if not _takes_generator(func):
                target = _with_generator(func)
            if target is not None:
                device = kwargs.get("device") or next((a.device for a in args if isinstance(a, torch.Tensor)), None)
                kwargs["generator"] = self._generator(torch.device(device or "cpu"))
                func = target
        return func(*args, **kwargs)


def _takes_generator(func: Any) -> bool:
    return any(argument.name == "generator" for argument in func._schema.arguments)


def _with_generator(func: Any) -> Any | None:
    """The overload of the same operator that takes a generator, if there is one."""
    names = [a.name for a in func._schema.arguments]
    for overload in func.overloadpacket.overloads():
        other = getattr(func.overloadpacket, overload)
        if [a.name for a in other._schema.arguments if a.name != "generator"] == names and _takes_generator(other):
            return other
    return None


@contextmanager
def draws(seed: int) -> Iterator[None]:
    """Every random number drawn inside comes from `seed`, in any thread, and the global generators do not move.

    For sampling, not for training (it costs about 0.1 ms per forward pass); never hold it across a `yield`.

    Example:
        >>> with draws(1):
        ...     a = torch.randn(3)
        >>> with draws(1):
        ...     b = torch.randn(3)
        >>> bool((a == b).all())
        True
    """
    with _Injected(seed):
        yield
