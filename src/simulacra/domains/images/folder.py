"""Pictures from files: a folder of PNGs, or an IDX file with its labels beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from simulacra.domains.dataset import ArrayDataset
from simulacra.domains.images.canonical import FILES, open_idx_folder
from simulacra.domains.images.idx import read_idx
from simulacra.domains.images.pictures import pictures
from simulacra.errors import UserError

LARGEST = 4096
"""Pixels along a side beyond which a picture is refused."""


def open_folder(path: str | Path) -> ArrayDataset:
    """A folder of PNG pictures of one size and mode (grey, RGB or RGBA), in the order of their names.

    Pictures in subfolders are labelled by their subfolder, in alphabetical order. A folder that holds the four IDX
    files of an MNIST-like set is opened as that.

    Raises:
        UserError: there are no pictures, or one is damaged or unlike the first.
    """
    path = Path(path)
    if any((path / (FILES[0] + end)).exists() for end in ("", ".gz")):
        return open_idx_folder(path)
    classes = sorted(p.name for p in path.iterdir() if p.is_dir() and any(p.glob("*.png")))
    if classes and any(path.glob("*.png")):
        raise UserError(f"expected PNGs in {path} or in its subfolders, came both; move them to one level")
    files = [(f, k) for k, name in enumerate(classes) for f in sorted((path / name).glob("*.png"))]
    files = files or [(f, 0) for f in sorted(path.glob("*.png"))]
    if not files:
        raise UserError(f"expected PNG pictures in {path}, came none; put .png files there or in one folder per class")
    first = read_png(files[0][0])
    images = np.empty((len(files), *first.shape), np.uint8)
    for k, (file, _) in enumerate(files):
        image = read_png(file)
        if image.shape != first.shape:
            raise UserError(
                f"expected pictures of {_size(first)} as {files[0][0].name}, {file.name} is {_size(image)}; resize them"
            )
        images[k] = image
    labels = np.array([k for _, k in files]) if classes else None
    return pictures(path.resolve().name, images, labels, classes=classes or None)


def read_png(path: Path) -> np.ndarray:
    """The pixels of a PNG, uint8 of [C, H, W] with C of 1 (grey), 3 (colour) or 4 (with transparency).

    Raises:
        UserError: the file is no PNG, is damaged, or is larger than `LARGEST` along a side.
    """
    from PIL import Image

    try:
        with Image.open(path, formats=["PNG"]) as image:
            if max(image.size) > LARGEST:
                raise UserError(
                    f"expected at most {LARGEST} pixels a side, {path.name} has {max(image.size)}; resize it"
                )
            clear = "transparency" in image.info or image.mode in ("LA", "PA", "RGBA")
            mode = "RGBA" if clear else "L" if image.mode in ("1", "L") else "RGB"
            if image.mode.startswith("I"):
                raise UserError(f"expected 8 bits a channel, {path.name} has 16; convert it to 8 bits")
            pixels = np.asarray(image.convert(mode))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as reason:
        if isinstance(reason, UserError):
            raise
        raise UserError(f"expected a PNG picture, {path.name} cannot be read; save it again or remove it") from reason
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, 2, 0)


def _size(image: np.ndarray) -> str:
    return f"{image.shape[2]} x {image.shape[1]} with {image.shape[0]} channel{'s' * (image.shape[0] > 1)}"


def open_idx(path: str | Path) -> ArrayDataset:
    """An IDX file of pictures; labels come from the file beside it whose name has `labels-idx1` for `images-idx3`.

    Raises:
        UserError: the file is damaged or does not hold pictures.
    """
    path = Path(path)
    images = read_idx(path)
    if images.ndim < 3:
        raise UserError(f"expected pictures, {path.name} holds {images.ndim} dimensions; open the images file")
    beside = path.with_name(path.name.replace("images-idx3", "labels-idx1"))
    labels = read_idx(beside) if beside != path and beside.exists() else None
    return pictures(path.name.split(".")[0], images, labels)
