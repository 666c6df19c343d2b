"""`simulacra challenge` from two files to a table, a page and JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path

import h5py
import numpy as np
import pytest

import simulacra.cli as cli
from simulacra.domains.calorimeter import DETECTORS

GEOMETRY = DETECTORS["ds1-photons"]


def write(
    path: Path, rows: int, seed: int, scale: float = 1.0, reach: float = 60.0, cells: int = GEOMETRY.cells
) -> Path:
    """Showers with a falling radial profile and a twist of their own."""
    draw = np.random.default_rng(seed)
    energy = 10 ** draw.uniform(4, 5, (rows, 1))
    shape = np.exp(-GEOMETRY.radius.numpy() / reach) if cells == GEOMETRY.cells else np.ones(cells)
    x = shape * draw.gamma(0.3, size=(rows, cells))
    x *= 0.9 * scale * energy * draw.normal(1, 0.03, (rows, 1)) / x.sum(1, keepdims=True)
    with h5py.File(path, "w") as file:
        file["showers"], file["incident_energies"] = x.astype(np.float32), energy.astype(np.float32)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("challenge")
    return {
        "real": write(folder / "real.h5", 600, 0),
        "same": write(folder / "same.h5", 300, 1),
        "hot": write(folder / "hot.h5", 300, 2, scale=1.06, reach=45.0),
    }


def judged(capsys, generated: Path, reference: Path, out: Path, *words: str) -> dict:
    words = ("challenge", str(generated), "--reference", str(reference), "--dataset", "ds1-photons", *words)
    assert cli.run([*words, "--out", str(out), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_an_honest_set_is_at_the_floor_and_a_defect_is_found(capsys, files, tmp_path):
    same = judged(capsys, files["same"], files["real"], tmp_path / "same", "--fast")
    hot = judged(capsys, files["hot"], files["real"], tmp_path / "hot", "--fast")
    names = set(same["separations"])
    assert {"E_tot/E_inc", "voxels", "E_layer/layer12", "EC_eta/layer1", "sparsity/layer0"} <= names
    assert set(same["real against real"]) == names
    far = [s["unbiased"]["value"] / s["unbiased"]["floor_error"] for s in same["separations"].values()]
    assert max(far) < 4.5
    assert abs(np.mean(far)) < 1
    found = hot["separations"]["E_tot/E_inc"]["unbiased"]
    assert found["value"] > 5 * found["error"]
    assert found["value"] > 0.2
    for name in ("fpd", "kpd"):
        m = same["metrics"][name]
        assert abs(m["value"] - m["floor"]) < 5 * (m["error"] + m["floor_error"])


def test_the_page_stands_alone_and_says_where_it_differs(capsys, files, tmp_path):
    command = ["challenge", str(files["hot"]), "--reference", str(files["same"]), "--dataset", "ds1-photons"]
    assert cli.run([*command, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "AUC of a network on features" in said
    assert "no showers to spare" in " ".join(said.split())
    page = (tmp_path / "out" / "challenge.html").read_text()
    assert "Where this differs from the challenge's script" in page
    assert "EC_phi/layer2" in page
    assert "Size small" in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    held = json.loads((tmp_path / "out" / "challenge.json").read_text())
    assert held["metrics"]["auc/high"]["value"] > 0.7
    assert held["metrics"]["auc/trees"]["value"] > 0.8
    assert held["size"] == "small"


def test_what_does_not_fit_is_refused_in_one_line(refuse, files, tmp_path):
    real, same = files["real"], files["same"]
    (tmp_path / "text.h5").write_text("energy")
    other, few = write(tmp_path / "other.h5", 60, 3, cells=100), write(tmp_path / "few.h5", 20, 3)
    taken = tmp_path / "taken"
    taken.touch()

    def line(generated: Path, *words: object, dataset: str = "ds1-photons") -> str:
        return refuse("challenge", generated, "--reference", real, "--dataset", dataset, *words)

    assert "did you mean 'ds2'" in line(same, dataset="ds22")
    assert "does not exist" in line(tmp_path / "none.h5")
    assert "something else" in line(tmp_path / "text.h5")
    assert "expected showers of 368 cells" in line(other)
    assert "at least 50 showers" in line(few)
    assert "--limit of at least 50" in line(same, "--limit", 3)
    assert "size of the classifier" in line(same, "--size", "huge")
    assert "expected --threshold" in line(same, "--threshold", "inf")
    assert "expected a device" in line(same, "--device", "tpu")
    assert "is a file" in line(same, "--out", taken)
    assert "reference" in refuse("challenge", same, "--dataset", "ds2").lower()
    assert not (few.with_name("few_challenge")).exists()
