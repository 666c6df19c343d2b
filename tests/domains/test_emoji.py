"""Emoji: found or fetched as published, on white, and dealt by emoji rather than by picture."""

import base64
import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from simulacra.domains import open_data
from simulacra.domains.dataset import parts_of
from simulacra.domains.images import emoji
from simulacra.errors import SimulacraError, UserError

BASES = 40
TONES = ("1F3FB", "1F3FF")


def entry(code: str, **more: object) -> dict:
    return {"unified": code, "image": f"{code.lower()}.png", "has_img_twitter": True, **more}


def told() -> list[dict]:
    """Forty emoji in turns of two categories, every third with two tones; a man and a woman; a swatch; one undrawn."""
    rows = [entry(f"{0x1F400 + k:X}", category="ab"[k % 2]) for k in range(BASES)]
    for row in rows[::3]:
        row["skin_variations"] = {tone: entry(f"{row['unified']}-{tone}") for tone in TONES}
    rows += [entry(code, category="b") for code in ("1F468-200D-1F680", "1F469-200D-1F680")]
    rows += [entry("1F3FB", category="Component"), entry("1F600", category="a") | {"has_img_twitter": False}]
    return rows


def drawing(code: str) -> Image.Image:
    """Noise of its own for every picture; those of the second and the fifth emoji are equal."""
    seed = 0x1F401 if code == "1F404" else int(code.replace("-", ""), 16) % 2**31
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64, 4), dtype=np.uint8)
    pixels[:2, :2] = [[(9, 9, 9, 0), (0, 0, 0, 255)], [(0, 0, 0, 51), (200, 100, 0, 255)]]
    return Image.fromarray(pixels)


def pack(folder: Path) -> str:
    """Writes the package as a vendor publishes it and returns its digest."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, content = told(), {}
    for one in [one for row in rows for one in (row, *row.get("skin_variations", {}).values())]:
        held = io.BytesIO()
        drawing(one["unified"]).save(held, "PNG")
        content[f"package/img/twitter/64/{one['image']}"] = held.getvalue()
    path = folder / "emoji-datasource-twitter-16.0.0.tgz"
    with tarfile.open(path, "w:gz") as package:
        for name, data in {**content, "package/emoji.json": json.dumps(rows).encode()}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            package.addfile(member, io.BytesIO(data))
    return base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package at a file:// address, and an empty data folder."""
    digest = pack(tmp_path / "remote")
    monkeypatch.setattr(emoji, "ADDRESS", f"{(tmp_path / 'remote').as_uri()}/{{0}}-16.0.0.tgz")
    monkeypatch.setattr(emoji, "DIGESTS", {"twitter": digest, "google": digest})
    monkeypatch.setenv("SIMULACRA_DATA", str(tmp_path / "data"))
    return tmp_path / "remote"


def test_variants_share_a_part_and_one_picture_stands_for_all(remote: Path):
    every, one = (open_data("emoji", size=64, variants=v, fetch=True) for v in (True, False))
    # forty emoji less one equal to another, one for man and woman; swatches and what is not drawn are left out
    assert (len(every), len(one)) == (BASES + 2 * 14 + 2, BASES)
    assert {len(np.unique(p)) == len(p) for p in parts_of(every).values()} == {True}
    assert sorted(np.concatenate(list(parts_of(every).values()))) == list(range(len(every)))
    home = {}
    for dataset in (every, one):
        for part, rows in parts_of(dataset).items():
            home |= {(dataset is one, x.numpy().tobytes()): part for x in dataset[rows].x}

    def part_of(code: str, alone: bool) -> str | None:
        return home.get((alone, (torch.from_numpy(emoji._on_white(_png(code))).float() / 255).numpy().tobytes()))

    for row in told()[:BASES]:
        parts = {part_of(code, False) for code in (row["unified"], *(f"{row['unified']}-{t}" for t in TONES))} - {None}
        assert parts == {part_of(row["unified"], True)}
    assert part_of("1F468-200D-1F680", False) == part_of("1F469-200D-1F680", False)
    assert {len(rows) > 0 for name, rows in parts_of(one).items() if name != "validation"} == {True}
    assert every.spec.given["label"].names == ("a", "b")


def _png(code: str) -> bytes:
    held = io.BytesIO()
    drawing(code).save(held, "PNG")
    return held.getvalue()


def test_pictures_are_on_white_and_mean_over_squares(remote: Path):
    large, small = open_data("emoji:64", fetch=True), open_data("emoji")
    assert (large.spec.x.shape, small.spec.x.shape) == ((3, 64, 64), (3, 16, 16))
    corner = large[:].x[:, :, :2, :2] * 255
    assert (corner == torch.tensor([[[255, 0], [204, v]] for v in (200, 100, 0)]).float()).all()
    mean = torch.nn.functional.avg_pool2d(large[:].x, 4)
    assert (small[:].x - mean).abs().max() <= 0.5 / 255 + 1e-6
    assert torch.equal(open_data("emoji:32:twitter")[:].x, open_data("emoji", size=32)[:].x)
    assert len(open_data("emoji:variants")) > len(small)


def test_a_palette_with_a_clear_colour_is_read(tmp_path: Path):
    picture = Image.new("P", (1, 2), 1)
    picture.putpalette([7, 7, 7, 10, 20, 30])
    picture.putpixel((0, 0), 0)
    picture.save(tmp_path / "a.png", transparency=0)
    assert emoji._on_white((tmp_path / "a.png").read_bytes())[:, :, 0].tolist() == [[255, 10], [255, 20], [255, 30]]


def test_found_in_the_data_folder_or_fetched_as_published(
    remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "data" / "emoji"
    with pytest.raises(UserError, match=r"^expected the emoji of twitter, found none; npm pack [^\n]+fetch=True$"):
        open_data("emoji")
    good = emoji.DIGESTS
    monkeypatch.setattr(emoji, "DIGESTS", {"twitter": "other"})
    with pytest.raises(SimulacraError, match=r"expected emoji-datasource-twitter as published, file:.* other content"):
        open_data("emoji", fetch=True)
    monkeypatch.setattr(emoji, "DIGESTS", good)
    with pytest.raises(SimulacraError, match=r"^expected file:[^\n]+ the download failed [^\n]+ or npm pack [^\n]+$"):
        open_data("emoji:google", fetch=True)
    assert not list(folder.iterdir())
    shutil.copy(remote / "emoji-datasource-twitter-16.0.0.tgz", folder)
    found = open_data("emoji")
    assert {p.name for p in folder.iterdir()} == {"emoji-datasource-twitter-16.0.0.tgz", "twitter.npz"}
    (folder / "emoji-datasource-twitter-16.0.0.tgz").unlink()
    assert open_data("emoji").spec.fingerprint == found.spec.fingerprint
    (folder / "twitter.npz").write_bytes((folder / "twitter.npz").read_bytes()[:-50])
    with pytest.raises(UserError, match=r"twitter\.npz is damaged; remove it"):
        open_data("emoji")


@pytest.mark.parametrize("name", ["emoji:48", "emoji:apple", "emoji:"])
def test_other_words_are_refused(remote: Path, name: str):
    with pytest.raises(UserError, match="expected emoji of size 16, 32 or 64 by twitter or google, came"):
        open_data(name, fetch=True)


@pytest.mark.slow
def test_the_published_emoji_where_they_are():
    try:
        every, one = open_data("emoji:variants"), open_data("emoji")
    except UserError as reason:
        pytest.skip(str(reason))
    assert (len(every), len(one)) == (3781, 1697)
    assert [len(parts_of(one)[part]) for part in ("train", "validation", "test")] == [1106, 75, 516]
    assert every.spec.given["label"].levels == 9
