"""Shower files: what is written is read, and every bad file is told in one line."""

import json

import h5py
import numpy as np
import pytest
import torch

from simulacra.batch import Batch
from simulacra.domains.calorimeter import LAR3, Geometry, Layer, ShowerFile, format, load, open_bundled, read_xml, save
from simulacra.domains.calorimeter.layer import polar
from simulacra.errors import UserError

GOOD = {
    "showers": np.random.default_rng(0).random((20, 504)).astype(np.float32),
    "incident_energies": np.linspace(1e3, 5e4, 20, dtype=np.float32)[:, None],
}


def put(path, **changes):
    """A file in the CaloChallenge's layout with some arrays replaced; None leaves one out."""
    with h5py.File(path, "w") as file:
        for name, value in {**GOOD, **changes}.items():
            if value is not None:
                file[name] = value
    return path


def altered(name, row, value):
    array = GOOD[name].copy()
    array[row, 0] = value
    return {name: array}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "showers.h5"


def test_written_showers_are_read_back_bit_for_bit(path):
    batch = Batch(torch.from_numpy(GOOD["showers"]), {"energy": torch.from_numpy(GOOD["incident_energies"])})
    save(path, batch, LAR3, {"particle": "e-"})
    data = load(path)
    assert torch.equal(data[:].x, batch.x)
    assert torch.equal(data[:].given["energy"], batch.given["energy"])
    assert data.spec.given["energy"].range == (1000.0, 50000.0)
    assert data.spec.parts == {"layer0": (3, 96), "layer1": (12, 12), "layer2": (12, 6)}
    assert Geometry.from_json(json.loads(json.dumps(data.spec.geometry))) == LAR3
    assert ShowerFile(path).attributes["particle"] == "e-"
    assert [p.name for p in path.parent.iterdir()] == ["showers.h5"]


def test_rows_from_disk_equal_rows_in_memory_and_the_fingerprint_is_of_content(path, tmp_path):
    disk, memory = ShowerFile(put(path)), load(path)
    for rows in (slice(3, 9), slice(None, None, -4), torch.tensor([7, 0, 7]), np.array([19]), [-1, 2], slice(5, 5)):
        want = torch.from_numpy(GOOD["showers"][rows.numpy() if isinstance(rows, torch.Tensor) else rows].copy())
        assert torch.equal(disk[rows].x, want)
    assert torch.equal(torch.cat([b.x for b in disk.blocks(7)]), memory[:].x)
    with pytest.raises(IndexError, match="below 20"):
        disk[[20]]
    other = tmp_path / "again.h5"
    save(other, memory[:], LAR3, {"note": "other bytes"})
    changed = put(tmp_path / "changed.h5", **altered("showers", 3, 0.25))
    assert disk.spec.fingerprint == load(other).spec.fingerprint != load(changed).spec.fingerprint


def test_large_files_stay_on_disk(path, monkeypatch):
    monkeypatch.setattr(format, "MEMORY", 1000)
    assert isinstance(load(put(path)), ShowerFile)


BAD = {
    "wrong key": ({"showers": None, "shower": GOOD["showers"]}, r"expected the data set 'showers', .* has incident"),
    "wrong shape": ({"showers": GOOD["showers"].reshape(20, 12, 42)}, r"expected showers of shape \(N, cells\)"),
    "wrong shape of energies": (
        {"incident_energies": np.ones((20, 2))},
        r"expected incident_energies of shape \(N, 1\)",
    ),
    "wrong width": (
        {"showers": GOOD["showers"][:, :503]},
        r"expected showers of a known detector \(lar3 504.* has 503 cells",
    ),
    "unequal rows": (
        {"incident_energies": GOOD["incident_energies"][:19]},
        r"as many incident_energies as .* 19 and 20",
    ),
    "empty": ({k: v[:0] for k, v in GOOD.items()}, r"expected at least one shower"),
    "text": ({"showers": "none"}, r"expected numbers in 'showers'"),
    "text array": ({"incident_energies": [["a"]] * 20}, r"expected numbers in 'incident_energies'"),
    "complex": ({"showers": GOOD["showers"] * 1j}, r"expected numbers in 'showers'"),
    "one value": ({"showers": 3.0}, r"expected an array 'showers'"),
    "NaN": (altered("showers", 4, np.nan), r"expected finite numbers in '/showers' of .*, row 4 has nan"),
    "infinite": (altered("showers", 5, np.inf), r"expected finite numbers in '/showers' of .*, row 5 has inf"),
    "too large": ({"showers": GOOD["showers"].astype(float) * 1e300}, r"expected finite numbers"),
    "implausible": (altered("showers", 6, 1e30), r"expected showers from 0 to 1e\+12 MeV, row 6"),
    "negative energy": (altered("showers", 7, -1.0), r"expected showers from 0 to 1e\+12 MeV, row 7 .* has -1"),
    "zero incident energy": (
        altered("incident_energies", 8, 0.0),
        r"expected incident_energies above 0 .* row 8 .* has 0",
    ),
    "negative incident energy": (altered("incident_energies", 9, -5.0), r"expected incident_energies above 0 .* row 9"),
    "NaN incident energy": (
        altered("incident_energies", 1, np.nan),
        r"expected finite numbers in '/incident_energies'",
    ),
}


def one_line(error) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert "Traceback" not in text
    assert ";" in text  # what to do
    return text


@pytest.mark.parametrize("name", BAD)
def test_each_bad_content_has_its_sentence(path, name):
    changes, sentence = BAD[name]
    put(path, **changes)
    for reader in (load, ShowerFile):
        with pytest.raises(UserError, match=sentence) as error:
            reader(path)
        one_line(error)


def test_each_bad_file_has_its_sentence(path, tmp_path):
    def refuse(sentence, target=path, **options):
        with pytest.raises(UserError, match=sentence) as error:
            load(target, **options)
        one_line(error)

    refuse("does not exist")
    refuse("is not a file", tmp_path)
    path.write_bytes(b"")
    refuse("has no bytes")
    path.write_text("energy,cells\n1,2\n")
    refuse("is something else")
    path.write_bytes(put(tmp_path / "whole.h5").read_bytes()[:20_000])
    refuse("damaged or cut short")
    put(path)
    refuse("expected showers of 6480 cells as wsi45 has, .* has 504", detector="wsi45")
    refuse("did you mean 'lar3'", detector="lar4")
    refuse(r"nothing.xml cannot be read", detector=tmp_path / "nothing.xml")
    with h5py.File(path, "a") as file:
        file.attrs["geometry"] = '{"name": "x", "layers": []'
    refuse("does not parse")
    with h5py.File(path, "a") as file:
        file.attrs["geometry"] = "wsi45"
    refuse("as wsi45 has")
    assert len(load(path, detector="lar3")) == 20


def test_links_out_of_the_file_and_absurd_sizes_are_refused(path, tmp_path):
    other = put(tmp_path / "other.h5")

    def refuse(sentence, build):
        with h5py.File(path, "w") as file:
            file["incident_energies"] = GOOD["incident_energies"]
            build(file)
        with pytest.raises(UserError, match=sentence) as error:
            load(path)
        one_line(error)

    refuse("it is a link", lambda f: f.__setitem__("showers", h5py.ExternalLink(str(other), "/showers")))
    refuse("it is a link", lambda f: f.__setitem__("showers", h5py.SoftLink("/incident_energies")))
    refuse("it is a group", lambda f: f.create_group("showers"))
    layout = h5py.VirtualLayout((20, 504), "f4")
    layout[:] = h5py.VirtualSource(str(other), "showers", (20, 504))
    refuse("lie in other files", lambda f: f.create_virtual_dataset("showers", layout))
    raw = tmp_path / "raw.bin"
    raw.write_bytes(b"\0" * 20 * 504 * 4)
    refuse("lie in other files", lambda f: f.create_dataset("showers", (20, 504), "f4", external=str(raw)))
    refuse("it claims", lambda f: f.create_dataset("showers", (10**12, 504), "f4", chunks=(64, 504), compression=4))
    refuse("lacks some", lambda f: f.create_dataset("showers", (20, 504), "f4", chunks=(5, 504), compression=4))
    refuse("expected numbers", lambda f: f.create_dataset("showers", (20,), h5py.vlen_dtype("f4")))


def test_a_heap_of_text_that_would_be_walked_forever_is_refused(path):
    with h5py.File(put(path), "a") as file:
        file.attrs["particle"] = "e-"
    assert ShowerFile(path).attributes["particle"] == "e-"
    data = bytearray(path.read_bytes())
    heap = data.find(b"GCOL")
    free = heap + 16 + 16 + 8  # after the heap's header, one object's header and its padded text
    assert data[free : free + 2] == b"\0\0"
    data[free + 8 : free + 16] = bytes(8)
    path.write_bytes(data)
    with pytest.raises(UserError, match="does not add up") as error:
        load(path)
    one_line(error)


def test_bad_showers_are_not_written(tmp_path):
    batch = open_bundled()[0:3]
    for x in (batch.x * -1, batch.x * float("nan")):
        with pytest.raises(UserError, match="the showers to save"):
            save(tmp_path / "a.h5", batch.with_x(x), LAR3)
    with pytest.raises(UserError, match=r"ends in \.h5"):
        save(tmp_path / "a.txt", batch, LAR3)
    with pytest.raises(UserError, match="does not exist"):
        save(tmp_path / "no" / "a.h5", batch, LAR3)
    with pytest.raises(UserError, match="of 2 cells"):
        save(tmp_path / "a.h5", batch, Geometry("bar", (Layer("layer0", "cartesian", (0.0, 1.0), (0.0, 1.0, 2.0)),)))
    assert list(tmp_path.iterdir()) == []


XML = '<Bins><Bin pid="22" name="photon">{}</Bin></Bins>'
LAYERS = (
    '<Layer id="0" r_edges="0,5,10" n_bin_alpha="4"/><Layer id="1" r_edges="0" n_bin_alpha="1"/>'
    '<Layer id="7" r_edges="0,9" n_bin_alpha="1"/>'
)


def test_binning_files_describe_calorimeters(tmp_path, path):
    xml = tmp_path / "small.xml"
    xml.write_text(XML.format(LAYERS))
    geometry = read_xml(xml)
    assert geometry.parts == {"layer0": (4, 2), "layer7": (1, 1)}
    assert geometry.layers[0] == polar("layer0", (0, 5, 10), 4)
    put(path, showers=GOOD["showers"][:, :9])
    data = load(path, detector=str(xml))
    assert data.spec.x.shape == (9,)
    save(path, data[:], geometry)
    assert load(path).spec.geometry == geometry.to_json()  # the file now says so itself
    with pytest.raises(UserError, match="expected showers of 9 cells as small has"):
        load(put(path), detector=xml)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("<Bins><Bin", "not well formed"),
        ("", "not well formed"),
        ("<Bins/>", "<Bin> with layers"),
        (XML.format(""), "layers with cells"),
        (XML.format('<Layer id="0" r_edges="0,5,5" n_bin_alpha="4"/>'), "increasing column edges in layer0"),
        (XML.format('<Layer id="0" r_edges="5,0" n_bin_alpha="4"/>'), "increasing column edges"),
        (XML.format('<Layer id="0" r_edges="0,nan" n_bin_alpha="4"/>'), "finite r_edges"),
        (XML.format('<Layer id="0" r_edges="-5,5" n_bin_alpha="4"/>'), "radii from 0 up"),
        (XML.format('<Layer id="0" r_edges="0,a" n_bin_alpha="4"/>'), "r_edges as numbers"),
        (XML.format('<Layer id="0" r_edges="0,5" n_bin_alpha="0"/>'), "sensible n_bin_alpha"),
        (XML.format('<Layer id="0" r_edges="0,5" n_bin_alpha="999999999999"/>'), "sensible n_bin_alpha"),
        (XML.format('<Layer id="0" r_edges="0,5"/>'), "n_bin_alpha as a count"),
        (XML.format(LAYERS + LAYERS), "different names"),
        ('<!DOCTYPE b [<!ENTITY a "aaaa"><!ENTITY c "&a;&a;&a;">]><Bins>&c;</Bins>', "without document types"),
        ('<!DOCTYPE b [<!ENTITY x SYSTEM "file:///etc/hostname">]><Bins>&x;</Bins>', "without document types"),
    ],
)
def test_each_bad_binning_file_has_its_sentence(tmp_path, text, sentence):
    xml = tmp_path / "bad.xml"
    xml.write_text(text)
    with pytest.raises(UserError, match=sentence) as error:
        read_xml(xml)
    one_line(error)


def test_bundled_electrons_are_what_they_say():
    data = open_bundled("electrons")
    assert len(data) == 8200
    batch = data[:]
    assert float(batch.x[batch.x > 0].min()) >= 1e-3
    low, high = data.spec.given["energy"].range
    assert 1e3 <= low < high <= 5e4
    assert float((batch.x.sum(1) / batch.given["energy"][:, 0]).mean()) == pytest.approx(0.1895, abs=5e-4)
    with pytest.raises(UserError, match="did you mean 'electrons'"):
        open_bundled("electron")
