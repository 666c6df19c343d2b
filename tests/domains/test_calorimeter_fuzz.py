"""Damaged files: two thousand of them are read, and each gives the true showers or one line."""

import random
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from simulacra.domains.calorimeter import LAR3, load, open_bundled, save
from simulacra.errors import UserError


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Flips, overwrites, cuts, repeats or removes some bytes; often near the start, where the structure lies."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        at = rng.randrange(rng.choice((64, 1024, 4096, len(out))) % len(out) or len(out))
        kind = rng.randrange(6)
        if kind == 0:
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            out[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\x80", rng.randbytes(4)))
        elif kind == 2:
            out[at] = rng.randrange(256)
        elif kind == 3 and rng.random() < 0.3:
            del out[max(at, 600) :]
        elif kind == 4 and rng.random() < 0.3:
            del out[at : at + rng.randrange(1, 16)]
        else:
            piece = out[at : at + rng.randrange(1, 64)]
            to = rng.randrange(len(out))
            out[to : to + len(piece)] = piece
        if len(out) < 700:
            break
    return bytes(out)


def read_all(folder: str, first: int, count: int, checked: bool) -> None:
    """Reads `count` damaged files; run in a process of its own, so that a crash of the library would be seen."""
    whole = Path(folder, "whole.h5" if checked else "plain.h5")
    want = open_bundled()[0:12]
    data, path = whole.read_bytes(), Path(folder, f"damaged-{first}.h5")
    refused = 0
    for seed in range(first, first + count):
        path.write_bytes(mutate(data, random.Random(seed)))
        try:
            got = load(path)
        except UserError as error:
            refused += 1
            if "\n" in str(error):
                raise AssertionError(f"more than one line for seed {seed}") from error
        else:
            batch = got[:]
            x, energy = batch.x, batch.given["energy"]
            assert x.shape == (len(got), got.spec.x.size), seed
            assert energy.shape == (len(got), 1), seed
            assert torch.isfinite(x).all(), seed
            assert (x >= 0).all(), seed
            assert torch.isfinite(energy).all(), seed
            assert (energy > 0).all(), seed
            if checked:
                assert torch.equal(x, want.x), seed
                assert torch.equal(energy, want.given["energy"]), seed
    print("refused", refused)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("checked", [True, False], ids=["own files", "plain files"])
def test_two_thousand_damaged_files_never_lie(tmp_path, checked):
    batch = open_bundled()[0:12]
    save(tmp_path / "whole.h5", batch, LAR3, {"particle": "e-"})
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file["showers"] = batch.x.numpy().astype(np.float32)
        file["incident_energies"] = batch.given["energy"].numpy()
        file.attrs.update(geometry="lar3", particle="e-", seed=7)
    code = "import sys; sys.path.insert(0, {!r}); import test_calorimeter_fuzz as t; t.read_all({!r}, {}, {}, {})"
    count = 1600 if checked else 400
    command = code.format(str(Path(__file__).parent), str(tmp_path), 0, count, checked)
    done = subprocess.run([sys.executable, "-W", "error", "-c", command], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.split()[-1]) > count // 10
