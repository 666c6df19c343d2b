"""Modules by names that are not ours to choose, such as those of conditions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote

from torch import nn

_QUOTED = "of:"
_TAKEN = set(dir(nn.ModuleDict()))


class Named(nn.ModuleDict):
    """A `ModuleDict` whose keys may be any text, where torch takes neither `p.t` nor `type`, `values` or `forward`.

    Such names are quoted in the names of the weights; all others stand there as they are.

    Example:
        >>> both = Named({"type": nn.Identity(), "energy": nn.Linear(1, 1)})
        >>> list(both), "type" in both, list(both.state_dict())
        (['type', 'energy'], True, ['energy.weight', 'energy.bias'])
    """

    def __setitem__(self, key: str, module: nn.Module) -> None:
        super().__setitem__(_slot(key), module)

    def __getitem__(self, key: str) -> Any:
        return super().__getitem__(_slot(key))

    def __delitem__(self, key: str) -> None:
        super().__delitem__(_slot(key))

    def __contains__(self, key: object) -> bool:
        return super().__contains__(_slot(str(key)))

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> Any:
        return {_name(slot): None for slot in self._modules}.keys()

    def items(self) -> Any:
        return {_name(slot): module for slot, module in self._modules.items()}.items()


def _slot(name: str) -> str:
    odd = not name or "." in name or name in _TAKEN or name.startswith(_QUOTED)
    return _QUOTED + quote(name, safe=" ").replace(".", "%2E") if odd else name


def _name(slot: str) -> str:
    return unquote(slot.removeprefix(_QUOTED)) if slot.startswith(_QUOTED) else slot
