"""Emoji: the colour pictures of two vendors, from the npm packages that carry them."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from simulacra.domains.dataset import ArrayDataset, split
from simulacra.domains.images.canonical import data_folder, download
from simulacra.domains.images.pictures import pictures
from simulacra.errors import SimulacraError, UserError

ADDRESS = "https://registry.npmjs.org/{0}/-/{0}-16.0.0.tgz"
DIGESTS = {
    "twitter": "7F+uCuHH+7Qnrc15P5tnbvKkg9E6tlzi4MnT2uW1RlN4pLYTza6cP/dstIfSDMtpjFLWuZewWg8jBbuL2eyELQ==",
    "google": "ZRexfzs7MVoLnmzZmNsO4TKhnAJp5D++Vm6PpUpH/jEQQlemp3l88CjZ+DoZ2faM9R4QxZkOPJCoT8DlPhfQ3A==",
}
"""The sha512 of each vendor's package `emoji-datasource-VENDOR` 16.0.0, as the npm registry publishes it."""
SIDE = 64
"""Pixels along a side of the published pictures."""
SIZES = (16, 32, SIDE)
UNSAID = {0x200D, 0xFE0F, 0x2640, 0x2642, 0x27A1, *range(0x1F3FB, 0x1F400)}
"""Code points that make a variant: joiner, style, female, male, facing right, the five skin tones."""
PERSON = {0x1F468: 0x1F9D1, 0x1F469: 0x1F9D1}
"""Man and woman are variants of person."""


def open_emoji(
    name: str = "emoji", *, size: int = 16, vendor: str = "twitter", variants: bool = False, fetch: bool = False
) -> ArrayDataset:
    """Emoji [3, size, size] on white, one picture each, or with all variants; the label is one of nine categories.

    Skin tones, genders and directions are variants of one emoji, and so are pictures that are equal bit for bit (the
    flags of Norway and Svalbard): of Twitter's 3,781 pictures 1,697 remain, in mixed order. Parts are dealt by emoji,
    64 : 4 : 32, so that no test picture has a variant in training. The variants of one emoji, up to 98, are no
    independent events all the same, which floors and the test for copies take them for: where the emoji were dealt to
    training, test and an honest model, that test was sure at 1 % of copies in 55 of 200 deals of all pictures, and in 3
    of 200 deals of one picture each.

    The label is the Unicode category; the five swatches of skin colour, a category of their own, are left out. Smaller
    sizes are means over squares of the published 64 x 64.

    The art is Twemoji by Twitter and other contributors, CC-BY 4.0 (say so where you show pictures), or Google's Noto
    Emoji, Apache 2.0; both as in Cal Henderson's emoji-data 16.0.0, MIT. None of it comes with this package.

    Args:
        name: `emoji`, or with options in words: `emoji:32`, `emoji:google`, `emoji:variants`, `emoji:google:64`.
        size: 16, 32 or 64 pixels along a side.
        vendor: `twitter` or `google`.
        variants: whether to keep all pictures of an emoji.
        fetch: download the vendor's package (60 to 75 MB) from the npm registry where it is missing.

    Raises:
        UserError: there is no such size or vendor, or the pictures are nowhere, or their file is damaged.
        SimulacraError: the download failed, or is not what was published.
    """
    for word in name.split(":")[1:]:
        if word == "variants":
            variants = True
        elif word.isdecimal():
            size = int(word)
        else:
            vendor = word
    if size not in SIZES or vendor not in DIGESTS:
        raise UserError(
            f"expected emoji of size 16, 32 or 64 by twitter or google, came {size} by {vendor!r}; such as emoji:32"
        )
    stored = data_folder() / "emoji" / f"{vendor}.npz"
    if not stored.exists():
        _store(vendor, stored, fetch)
    try:
        with stored.open("rb") as file, np.load(file) as held:
            images, label, emoji = held["images"], held["label"], held["emoji"]
            classes = [str(c) for c in held["classes"]]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as reason:
        raise UserError(f"expected pictures as they were stored, {stored} is damaged; remove it") from reason
    rows = np.arange(len(emoji)) if variants else np.unique(emoji, return_index=True)[1]
    rows = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0)).numpy()]
    dealt = split(int(emoji.max()) + 1)
    parts = {part: torch.from_numpy(np.flatnonzero(np.isin(emoji[rows], some))) for part, some in dealt.items()}
    called = "emoji" if vendor == "twitter" else f"emoji-{vendor}"
    return pictures(called, shrink(images[rows], size), label[rows], classes=classes, parts=parts)


def shrink(images: np.ndarray, size: int) -> np.ndarray:
    """Pictures [N, C, H, H] of uint8 as the rounded mean over squares, [N, C, size, size].

    >>> shrink(np.array([[[[0, 2], [4, 8]]]], np.uint8), 1).tolist()
    [[[[4]]]]
    """
    k = images.shape[-1] // size
    total = images.reshape(*images.shape[:2], size, k, size, k).sum((3, 5), dtype=np.uint32)
    return ((2 * total + k * k) // (2 * k * k)).astype(np.uint8)


def meaning(code: str) -> tuple[int, ...]:
    """The code points of an emoji without what makes it a variant.

    >>> meaning("1F3C3-1F3FF-200D-2640-FE0F") == meaning("1F3C3"), meaning("1F469-200D-1F680") == meaning("1F468")
    (True, False)
    """
    points = [int(word, 16) for word in code.split("-")]
    return tuple(PERSON.get(point, point) for point in points if point not in UNSAID)


def _store(vendor: str, stored: Path, fetch: bool) -> None:
    """Reads the vendor's package, found or fetched, and keeps what is needed of it."""
    package = f"emoji-datasource-{vendor}"
    file, address = stored.parent / f"{package}-16.0.0.tgz", ADDRESS.format(package)
    instead = f"npm pack {package}@16.0.0 and put the file into {stored.parent}"
    if not file.exists() and not fetch:
        raise UserError(f"expected the emoji of {vendor}, found none; {instead}, or open it with fetch=True")
    stored.parent.mkdir(parents=True, exist_ok=True)
    part, kept = (stored.parent / f".{os.getpid()}.{vendor}{end}" for end in (".tgz", ".npz"))
    try:
        if not file.exists():
            download(address, part, instead)
        source = file if file.exists() else part
        with source.open("rb") as content:
            digest = base64.b64encode(hashlib.file_digest(content, "sha512").digest()).decode()
        if digest != DIGESTS[vendor]:
            came = address if source == part else source
            raise SimulacraError(f"expected {package} as published, {came} has other content; remove it and try again")
        images, label, classes, emoji = _read(source, vendor)
        np.savez_compressed(kept, images=images, label=label, classes=classes, emoji=emoji)
        kept.replace(stored)
    finally:
        part.unlink(missing_ok=True)
        kept.unlink(missing_ok=True)


def _read(file: Path, vendor: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pictures [N, 3, 64, 64] on white, labels [N], what they mean, and a number [N], the same for all variants."""
    folder, drawn, told = f"package/img/{vendor}/{SIDE}/", {}, ""
    with tarfile.open(file, "r:gz") as package:
        for member in package:
            if member.name.startswith(folder) and (content := package.extractfile(member)):
                drawn[member.name.removeprefix(folder)] = _on_white(content.read())
            elif member.name == "package/emoji.json" and (content := package.extractfile(member)):
                told = content.read().decode()
    rows = [
        (drawn[one["image"]], base["category"], meaning(one["unified"]))
        for base in json.loads(told)
        for one in [base, *base.get("skin_variations", {}).values()]
        if one[f"has_img_{vendor}"] and base["category"] != "Component"
    ]
    images = np.stack([row[0] for row in rows])
    classes, label = np.unique([row[1] for row in rows], return_inverse=True)
    first: dict[bytes | tuple[int, ...], int] = {}
    pairs = [(k, first.setdefault(key, k)) for k, row in enumerate(rows) for key in (row[0].tobytes(), row[2])]
    links = coo_array((np.ones(len(pairs)), np.array(pairs).T), (len(rows), len(rows)))
    return images, label, classes, connected_components(links)[1]


def _on_white(png: bytes) -> np.ndarray:
    """A PNG's colours over white by its transparency, uint8 [3, H, W]."""
    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        pixels = np.moveaxis(np.asarray(image.convert("RGBA")), 2, 0).astype(np.uint32)
    colour, opacity = pixels[:3], pixels[3]
    return ((colour * opacity + 255 * (255 - opacity) + 127) // 255).astype(np.uint8)
