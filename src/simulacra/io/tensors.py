"""Tensors and nested state on disk: safetensors and JSON, never pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from simulacra.errors import UserError
from simulacra.io.publish import canonical


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Writes named tensors; shared ones once, and memory layout (channels-last) beside the values."""
    stored: dict[str, Tensor] = {}
    seen: dict[tuple[Any, ...], str] = {}
    aliases: dict[str, str] = {}
    strides: dict[str, list[int]] = {}
    for name, tensor in tensors.items():
        value = tensor.detach()
        key = (value.data_ptr(), value.shape, value.stride(), value.dtype, str(value.device))
        if value.numel() and key in seen:
            aliases[name] = seen[key]
            continue
        seen[key] = name
        if not value.is_contiguous() and 0 not in value.stride():
            strides[name] = list(value.stride())
        stored[name] = value.cpu().contiguous()
    layout = canonical({"aliases": aliases, "strides": strides}).decode()
    path.write_bytes(safetensors.torch.save(stored, metadata={"layout": layout}))


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Named tensors as they were saved, layout included.

    Raises:
        UserError: the file is missing or is not safetensors.
    """
    try:
        with safe_open(path, "pt") as file:
            layout = json.loads((file.metadata() or {}).get("layout", '{"aliases":{},"strides":{}}'))
            out = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise UserError(f"expected a safetensors file at {path}, came {type(error).__name__}; {error}") from None
    for name, stride in layout["strides"].items():
        value = out[name]
        out[name] = torch.empty_strided(value.shape, stride, dtype=value.dtype).copy_(value)
    for name, source in layout["aliases"].items():
        out[name] = out[source]
    return out


def flatten(state: Any, tensors: dict[str, Tensor], path: str = "") -> Any:
    """The JSON form of nested state; its tensors go to `tensors`. Integer keys and tuples survive."""
    if isinstance(state, Tensor):
        tensors[path] = state
        return {"x": path}
    if isinstance(state, Mapping):
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
