"""The CaloChallenge's observables of showers whose answers are known on paper."""

from __future__ import annotations

import math
from tempfile import TemporaryFile

import numpy as np
import pytest
import torch

from simulacra.batch import Batch
from simulacra.domains.calorimeter import DETECTORS, save
from simulacra.domains.calorimeter.challenge import (
    Scratch,
    data_set,
    observables,
    open_file,
    read_table,
    read_voxels,
    voxel_counts,
)
from simulacra.errors import UserError

DS2 = DETECTORS["ds2"]
CELLS = {"ds1-photons": 368, "ds1-pions": 533, "ds2": 6480, "ds3": 40500}
CUT = 0.5e-3 / 0.033


def shower(hits: dict[tuple[int, int, int], float], energy: float = 1000.0) -> Batch:
    """A shower of data set 2 with energies at (layer, sector, ring)."""
    x = torch.zeros(1, 45, 16, 9)
    for at, value in hits.items():
        x[(0, *at)] = value
    return Batch(x.view(1, -1), {"energy": torch.tensor([[energy]])})


def read(batch: Batch, threshold: float = CUT) -> dict[str, torch.Tensor]:
    return {o.name: o(batch)[0] for o in observables(DS2, threshold)}


def middle(sector: int, ring: int) -> tuple[float, float, float]:
    alpha, r = -math.pi + 2 * math.pi * (sector + 0.5) / 16, 4.65 * (ring + 0.5)
    return r * math.cos(alpha), r * math.sin(alpha), r


@pytest.mark.parametrize("name", CELLS)
def test_each_data_set_has_its_voxels_and_observables(name):
    geometry, threshold = data_set(name)
    assert geometry.cells == CELLS[name]
    assert threshold == (10.0 if name.startswith("ds1") else pytest.approx(0.01515, rel=1e-3))
    found = {o.name: o.layers for o in observables(geometry, threshold)}
    turned = {"ds1-photons": [1, 2], "ds1-pions": [1, 2, 12, 13]}.get(name, range(45))
    assert found["EC_eta"] == found["width_phi"] == tuple(f"layer{k}" for k in turned)
    assert ("EC_r" in found) == (name in ("ds2", "ds3"))
    assert len(found["E_layer"]) == len(found["sparsity"]) == len(geometry.layers)


def test_a_single_hit_is_its_own_centre_without_width():
    found = read(shower({(7, 3, 5): 20.0}))
    x, y, r = middle(3, 5)
    assert found["E_tot/E_inc"].item() == pytest.approx(0.02)
    assert found["E_layer"][7] == 20
    assert found["E_layer"].sum() == 20
    for name, value in (("EC_eta", x), ("EC_phi", y), ("EC_r", r)):
        assert found[name][7].item() == pytest.approx(value, rel=1e-6)
        assert found[name].count_nonzero() == 1
        assert found[name.replace("EC", "width")].abs().max() < 1e-4


def test_two_hits_have_the_width_of_a_coin():
    found = read(shower({(0, 2, 1): 3.0, (0, 9, 6): 1.0}))
    for axis, a, b in zip(("eta", "phi", "r"), middle(2, 1), middle(9, 6), strict=True):
        assert found[f"EC_{axis}"][0].item() == pytest.approx(0.75 * a + 0.25 * b, rel=1e-5)
        assert found[f"width_{axis}"][0].item() == pytest.approx(math.sqrt(3) / 4 * abs(a - b), rel=1e-5)


def test_turning_a_shower_by_a_sector_turns_its_centre_and_keeps_its_radius():
    batch = Batch(torch.rand(4, DS2.cells), {"energy": torch.ones(4, 1)})
    turned = batch.with_x(batch.x.view(4, 45, 16, 9).roll(4, 2).reshape(4, -1))
    a, b = ({o.name: o(x) for o in observables(DS2)} for x in (batch, turned))
    assert torch.allclose(b["EC_phi"], a["EC_eta"], atol=1e-4)
    assert torch.allclose(b["EC_eta"], -a["EC_phi"], atol=1e-4)
    for name in ("EC_r", "width_r", "sparsity", "E_layer"):
        assert torch.allclose(a[name], b[name], atol=1e-4)


def test_the_threshold_decides_what_is_a_hit_and_no_energy_is_lost():
    batch = shower({(0, 0, 0): CUT / 2, (0, 0, 1): 2 * CUT, (0, 0, 2): 5.0})
    found = read(batch)
    assert found["sparsity"][0].item() == pytest.approx(1 - 2 / 144)
    assert found["sparsity"][1:].eq(1).all()
    assert found["E_layer"][0].item() == pytest.approx(5 + 2.5 * CUT)
    assert read(batch, 0.0)["sparsity"][0].item() == pytest.approx(1 - 3 / 144)
    assert voxel_counts(batch, [CUT, 1.0, 10.0], CUT).tolist() == [[0, 1, 1, 0]]
    assert voxel_counts(batch, [1.0, 2.0], CUT).tolist() == [[1, 0, 1]]


def test_files_read_in_blocks_give_what_the_whole_gives(tmp_path, monkeypatch):
    geometry = DETECTORS["ds1-photons"]
    torch.manual_seed(0)
    batch = Batch(100 * torch.rand(70, 368) ** 8, {"energy": 1000 + torch.rand(70, 1)})
    save(tmp_path / "x.h5", batch, geometry)
    monkeypatch.setattr("simulacra.domains.calorimeter.challenge.BLOCK", 16 * 368)
    file, observed = open_file(tmp_path / "x.h5", geometry), observables(geometry, 10.0)
    table = read_table(file, range(5, 70), observed)
    for o in observed:
        assert np.allclose(table.values[o.name].squeeze(), o(batch[5:]).numpy().squeeze(), atol=1e-5)
    assert table.largest == batch.x[5:].max().item()
    assert table.features().shape == (65, 1 + 5 + 4 * 2)
    assert np.isfinite(table.features()).all()
    edges = np.geomspace(10, 100, 6)
    assert (read_voxels(file, range(70), edges, 10.0) == voxel_counts(batch, edges, 10.0).numpy()).all()
    with TemporaryFile() as stream:
        held = Scratch(stream, file, range(10, 60))
        rows = np.array([49, 0, 7])
        assert len(held) == 50
        want = torch.cat([batch.x / batch.given["energy"], batch.given["energy"].log10()], 1)[10 + rows]
        assert torch.allclose(torch.from_numpy(held[rows]), want)


@pytest.mark.parametrize(("name", "words"), [("ds4", "did you mean"), ("lar3", "voxels in r and alpha")])
def test_what_is_no_data_set_is_refused(name, words):
    with pytest.raises(UserError, match=words):
        data_set(name)
