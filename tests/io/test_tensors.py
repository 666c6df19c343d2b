"""Tensors and nested state keep values, layout, sharing and types on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from simulacra.errors import UserError
from simulacra.io.tensors import load_state, load_tensors, save_state, save_tensors


def awkward() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    shared, big = torch.randn(3, 4), torch.randn(6, 5)
    return {
        "shared": shared,
        "again": shared,
        "head": shared[:2],
        "first": shared[0],
        "turned": shared.T,
        "column": big[:, 1],
        "corner": big[1:3, 1:4],
        "last": torch.randn(2, 3, 5, 5).to(memory_format=torch.channels_last),
        "kernel": nn.Conv2d(4, 4, 1).weight.detach().to(memory_format=torch.channels_last),
        "expanded": torch.randn(1, 3).expand(4, 3),
        "windows": torch.arange(6.0).unfold(0, 3, 1),
        "none": torch.zeros(0, 3),
        "nothing": torch.zeros(0),
        "number": torch.tensor(3.5),
        "flags": torch.tensor([True, False]),
        "count": torch.tensor(7),
        "half": torch.randn(5).bfloat16(),
        "double": torch.randn(5).double(),
        "odd": torch.tensor([float("nan"), float("inf"), -0.0]),
        "bits": torch.randn(4).view(torch.int32),
    }


def test_every_layout_survives(tmp_path: Path) -> None:
    want = awkward()
    save_tensors(tmp_path / "t.safetensors", want)
    have = load_tensors(tmp_path / "t.safetensors")
    assert have.keys() == want.keys()
    for name, value in want.items():
        assert have[name].dtype == value.dtype, name
        assert torch.equal(have[name].nan_to_num(9), value.nan_to_num(9)), name
    for name in ("last", "kernel", "turned", "shared"):
        assert have[name].stride() == want[name].stride(), name
    assert have["again"].data_ptr() == have["shared"].data_ptr()
    assert have["odd"].view(torch.int32).tolist() == want["odd"].view(torch.int32).tolist()
    have["windows"][0, 1] = 100  # not an overlapping view any more
    assert have["windows"][1, 0] == 1


def test_two_writes_are_byte_equal(tmp_path: Path) -> None:
    written = set()
    for k in range(6):
        save_tensors(tmp_path / f"{k}", awkward())
        written.add((tmp_path / f"{k}").read_bytes())
    assert len(written) == 1


def test_shared_tensors_are_stored_once(tmp_path: Path) -> None:
    value = torch.randn(1000)
    save_tensors(tmp_path / "one", {"a": value})
    save_tensors(tmp_path / "two", {"a": value, "b": value, "c": value})
    assert (tmp_path / "two").stat().st_size < (tmp_path / "one").stat().st_size + 200


def test_nested_state_keeps_types_and_keys(tmp_path: Path) -> None:
    state = {
        "state": {0: {"step": torch.tensor(3.0), "m": torch.ones(2)}, 10: {}},
        1: torch.tensor(1),
        "1": torch.tensor(2),
        "a/b": torch.tensor(3),
        "a": {"b": torch.tensor(4)},
        "groups": [{"betas": (0.5, 0.9), "lr": 0.1 + 0.2, "params": [0, 1], "name": None, "on": True}],
        "odd": [float("inf"), 2**80, "x", {"x": "d"}],
        "empty": [(), [], {}],
    }
    save_state(tmp_path, "s", state)
    have = load_state(tmp_path, "s")

    def same(a, b) -> bool:
        if isinstance(a, torch.Tensor):
            return torch.equal(a, b)
        if isinstance(a, dict):
            return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
        if isinstance(a, list | tuple):
            return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
        return type(a) is type(b) and a == b

    assert same(state, have)


@pytest.mark.parametrize("bad", [{"a": {1, 2}}, {(1, 2): 3}, {"a": object()}])
def test_state_that_json_cannot_hold_is_refused(bad, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="state may"):
        save_state(tmp_path, "s", bad)


@pytest.mark.parametrize("kind", ["adam", "momentum"])
def test_an_optimiser_goes_on_exactly_with_channels_last_weights(kind: str, tmp_path: Path) -> None:
    def start() -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(2)
        net = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        if kind == "adam":
            return net, torch.optim.Adam(net.parameters(), lr=0.1, betas=(0.5, 0.9))
        return net, torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

    def steps(net: nn.Module, optimizer: torch.optim.Optimizer, ks: range) -> None:
        for k in ks:
            optimizer.zero_grad()
            net(torch.full((1, 3, 5, 5), float(k))).square().sum().sqrt().backward()
            optimizer.step()

    net, optimizer = start()
    steps(net, optimizer, range(3))
    save_state(tmp_path, "s", [net.state_dict(), optimizer.state_dict()])
    steps(net, optimizer, range(3, 6))
    other, again = start()
    weights, state = load_state(tmp_path, "s")
    other.load_state_dict(weights)
    again.load_state_dict(state)
    steps(other, again, range(3, 6))
    assert torch.equal(net.weight, other.weight)


def test_damaged_files_give_one_line(tmp_path: Path) -> None:
    path = tmp_path / "t"
    save_tensors(path, awkward())
    raw = path.read_bytes()
    header = int.from_bytes(raw[:8], "little")
    for cut in (0, 1, 7, 8, 9, header // 2, header + 8, len(raw) // 2, len(raw) - 1):
        path.write_bytes(raw[:cut])
        with pytest.raises(UserError, match=r"expected a safetensors file at .*") as caught:
            load_tensors(path)
        assert "\n" not in str(caught.value)
    for bad in (b'\\"strides\\":{\\"gone', b'\\"strides\\":{\\"last\\":[0'):
        good = b'\\"strides\\":{\\"last' if b"gone" in bad else b'\\"strides\\":{\\"kernel\\":[4'
        spoilt = raw.replace(good, bad.replace(b"last", b"kernel"), 1)
        path.write_bytes(spoilt)
        if len(spoilt) == len(raw) and spoilt != raw:
            with pytest.raises(UserError, match="expected a safetensors file"):
                load_tensors(path)
