"""Tensors and nested state on disk: safetensors and JSON, never pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from simulacra.errors import UserError
from simulacra.io.publish import canonical


def _permuted(shape: Sequence[int], stride: Sequence[int]) -> bool:
    """Whether these strides only permute the axes of a gapless tensor (channels-last, transposed)."""
    expected = 1
    for step, size in sorted((step, size) for step, size in zip(stride, shape, strict=True) if size > 1):
        if step != expected:
            return False
        expected *= size
    return True


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Writes named tensors; shared ones once, and memory layout (channels-last) beside the values."""
    stored: dict[str, Tensor] = {}
    seen: dict[tuple[Any, ...], str] = {}
    storages: set[int] = set()
    aliases: dict[str, str] = {}
    strides: dict[str, list[int]] = {}
    for name, tensor in tensors.items():
        value = tensor.detach()
        key = (value.data_ptr(), value.shape, value.stride(), value.dtype, str(value.device))
        if value.numel() and key in seen:
            aliases[name] = seen[key]
            continue
        seen[key] = name
        plain = torch.empty(value.shape, device="meta").stride()
        if value.stride() != plain and _permuted(value.shape, value.stride()):  # also where a size of 1 hides it
            strides[name] = list(value.stride())
        copy = value.cpu().contiguous()
        if copy.untyped_storage().data_ptr() in storages:  # another view of stored memory
            copy = copy.clone()
        storages.add(copy.untyped_storage().data_ptr())
        stored[name] = copy
    layout = canonical({"aliases": aliases, "strides": strides}).decode()
    path.write_bytes(safetensors.torch.save(stored, metadata={"layout": layout}))


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Named tensors as they were saved, layout included.

    Raises:
        UserError: the file is missing or is not safetensors, or its layout does not fit its tensors.
    """
    try:
        with safe_open(path, "pt") as file:
            layout = json.loads((file.metadata() or {}).get("layout", '{"aliases":{},"strides":{}}'))
            out = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        for name, stride in layout["strides"].items():
            value = out[name]
            if not _permuted(value.shape, stride):
                raise ValueError(f"strides {stride} do not fit {name!r}")
            out[name] = torch.empty_strided(value.shape, stride, dtype=value.dtype).copy_(value)
        for name, source in layout["aliases"].items():
            out[name] = out[source]
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"expected a safetensors file at {path}, came {type(error).__name__}; {error}") from None
    return out


def flatten(state: Any, tensors: dict[str, Tensor], path: str = "") -> Any:
    """The JSON form of nested state; its tensors go to `tensors`. Integer keys and tuples survive."""
    if isinstance(state, Tensor):
        name, count = path, 0
        while name in tensors:  # the keys 1 and "1" of one mapping, or a key with a slash
            count += 1
            name = f"{path}~{count}"
        tensors[name] = state
        return {"x": name}
    if isinstance(state, Mapping):
        if not all(key is None or isinstance(key, bool | int | float | str) for key in state):
            raise TypeError(f"state may have keys that are numbers or strings, came {list(state)} at {path!r}")
        return {"d": [[k, flatten(v, tensors, f"{path}/{k}")] for k, v in state.items()]}
    if isinstance(state, tuple):
        return {"t": [flatten(v, tensors, f"{path}/{i}") for i, v in enumerate(state)]}
    if isinstance(state, list):
        return {"l": [flatten(v, tensors, f"{path}/{i}") for i, v in enumerate(state)]}
    if state is None or isinstance(state, bool | int | float | str):
        return state
    raise TypeError(f"state may hold tensors, numbers, strings and containers, came {type(state).__name__} at {path!r}")


def unflatten(form: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The inverse of `flatten`."""
    if not isinstance(form, dict):
        return form
    (tag, value), *_ = form.items()
    if tag == "x":
        return tensors[value]
    if tag == "d":
        return {k: unflatten(v, tensors) for k, v in value}
    items = [unflatten(v, tensors) for v in value]
    return tuple(items) if tag == "t" else items


def save_state(folder: Path, name: str, state: Any) -> None:
    """Writes nested state as `name.json` and `name.safetensors`."""
    tensors: dict[str, Tensor] = {}
    (folder / f"{name}.json").write_bytes(canonical(flatten(state, tensors)))
    save_tensors(folder / f"{name}.safetensors", tensors)


def load_state(folder: Path, name: str) -> Any:
    tensors = load_tensors(folder / f"{name}.safetensors")
    return unflatten(json.loads((folder / f"{name}.json").read_bytes()), tensors)
