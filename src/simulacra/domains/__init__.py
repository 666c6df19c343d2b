"""Data by name or path: `open_data("toys:ring8")`, `open_data("fashion-mnist")`, `open_data("showers.h5")`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from simulacra.batch import Batch, DataSpec
from simulacra.errors import UserError, nearest
from simulacra.protocols import Dataset, Observable

PICTURES = ("fashion-mnist", "mnist")
RENDERED = ("shapes", "faces")
NAMED = (*PICTURES, "emoji", "speckle", *RENDERED, "electrons", "numbers")


def open_data(name: str | Path, *, ignore: str = "", **options: Any) -> Dataset:
    """The data set that a name or a path stands for, in physical units.

    Args:
        name: `toys:NAME`, `fashion-mnist`, `mnist` (also `mnist:binary`), `emoji` (also `emoji:32`,
            `emoji:google:64`), `speckle` (also `speckle:64`), `shapes` and `faces` (also `shapes:64`, `faces:told`),
            `electrons`, `numbers`, or a path: `.h5`/`.hdf5` showers, `.npz` arrays, `.txt` text, `.tsv` pairs of texts,
            an IDX file (`...-idx3-ubyte`, also `.gz`) or a folder of PNGs.
        ignore: conditions that are not told, by name, with commas between them.
        options: go to the one that opens it: `rows` and `seed` for toys, `rows` for numbers, `fetch` and `binary` for
            Fashion-MNIST and MNIST, `fetch`, `size`, `vendor` and `variants` for emoji, `rows`, `seed`, `size`,
            `photons` and `modes` for speckle, `rows`, `seed`, `size` and `told` for shapes and faces.

    Raises:
        UserError: nothing has this name, it does not hold what its name says, or has no such condition to ignore.

    Example:
        >>> open_data("toys:ring8", rows=1000).spec.x.shape
        (2,)
    """
    if not ignore:
        return _open(str(name), options)
    from simulacra.domains.dataset import Without

    return Without(_open(str(name), options), ignore.split(","))


def _open(text: str, options: Mapping[str, Any]) -> Dataset:
    """The data set that a name or a path stands for, by the one that opens it."""
    if text.startswith("toys:"):
        from simulacra.domains import toys

        return _call(toys.open_toy, text.removeprefix("toys:"), text, options)
    if text.split(":")[0] in PICTURES:
        from simulacra.domains import images

        return _call(images.open_canonical, text, text, options)
    if text.split(":")[0] == "emoji":
        from simulacra.domains import images

        return _call(images.open_emoji, text, text, options)
    if text.split(":")[0] == "speckle":
        from simulacra.domains import images

        return _call(images.open_speckle, text, text, options)
    if text.split(":")[0] in RENDERED:
        from simulacra.domains import images

        return _call(images.open_rendered, text, text, options)
    if text == "electrons":
        from simulacra.domains import calorimeter

        return _call(calorimeter.open_bundled, text, text, options)
    if text == "numbers":
        from simulacra.domains.text import open_numbers

        return _call(open_numbers, text, text, options)
    path = Path(text).expanduser()
    return _call(_opener(path), path, text, options)


def names() -> list[str]:
    """Every name that `open_data` knows, paths aside."""
    from simulacra.domains import toys

    return sorted([*NAMED, *(f"toys:{name}" for name in toys.TOYS)])


def _call(opener: Callable[..., Dataset], subject: str | Path, name: str, options: Mapping[str, Any]) -> Dataset:
    known = list(inspect.signature(opener).parameters)[1:]
    for option in options:
        if option not in known:
            hint = nearest(option, known) if known else "leave it out"
            raise UserError(f"expected an option of {name}, came {option!r}; {hint}")
    return opener(subject, **options)


def _opener(path: Path) -> Callable[..., Dataset]:
    """What opens a path, told by its suffix."""
    if not path.exists():
        raise UserError(f"expected a data set's name or a path, came {str(path)!r}; {nearest(str(path), names())}")
    if path.suffix in (".h5", ".hdf5"):
        from simulacra.domains import calorimeter

        return calorimeter.open_showers
    if path.suffix == ".npz":
        from simulacra.domains import arrays

        return arrays.open_npz
    if path.suffix == ".txt":
        from simulacra.domains import text

        return text.open_text
    if path.suffix == ".tsv":
        from simulacra.domains import text

        return text.open_pairs
    from simulacra.domains import images

    if path.is_dir():
        return images.open_folder
    if path.name.removesuffix(".gz").endswith(("ubyte", ".idx")):
        return images.open_idx
    raise UserError(
        "expected a path that ends in .h5, .hdf5, .npz, .txt or -ubyte, or a folder of PNGs, "
        f"came {path.name!r}; convert it"
    )


def observables(spec: DataSpec) -> list[Observable]:
    """What a specialist reads off an event of this data."""
    from simulacra.domains import calorimeter, images, text, toys

    by_layout: dict[str, Any] = {"layers": calorimeter, "image": images, "sequence": text}
    return list(by_layout.get(spec.layout, toys).observables(spec))


def simulator_ms(spec: DataSpec, events: Batch) -> float | None:
    """What one of these events costs in the simulator on one quiet core, in ms, where that is known."""
    if spec.layout != "layers":
        return None
    from simulacra.domains import calorimeter

    return calorimeter.simulator_ms(spec, events)
