"""Films: pictures in a row, each with a line above it."""

from __future__ import annotations

import importlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from simulacra.errors import UserError

SUFFIXES = (".gif", ".mp4")
LINE = 22
"""Height of the line above a picture, in pixels."""


def check_film(suffix: str) -> None:
    """Raises a UserError where no such film can be written here: .gif always can, .mp4 needs PyAV."""
    if suffix not in SUFFIXES:
        raise UserError(f"expected a film ending in .gif or .mp4, came {suffix!r}; .gif needs nothing installed")
    if suffix == ".mp4":
        _av()


def film(frames: Sequence[bytes], lines: Sequence[str], suffix: str = ".gif", rate: int = 12) -> bytes:
    """The bytes of a film of PNG frames, each under its line; the last one stays for two seconds.

    Args:
        frames: PNG files of one size; odd ones are cut to it.
        lines: what stands above each.
        suffix: `.gif`, or `.mp4` (H.264).
        rate: frames per second.

    Raises:
        UserError: there is no frame, or .mp4 is asked for and PyAV is not installed.

    Example:
        >>> box = io.BytesIO()
        >>> Image.new("RGB", (64, 32)).save(box, "PNG")
        >>> film([box.getvalue()] * 2, ["round 1", "round 2"])[:6]
        b'GIF89a'
    """
    check_film(suffix)
    if not frames:
        raise UserError("expected at least one frame of a film, came none; train on, or look more often")
    opened = [Image.open(io.BytesIO(frame)).convert("RGB") for frame in frames]
    width, height = (size - size % 2 for size in opened[-1].size)  # H.264 halves the colours
    made = [_under(line, picture.crop((0, 0, width, height))) for line, picture in zip(lines, opened, strict=True)]
    return _gif(made, rate) if suffix == ".gif" else _mp4(made, rate)


def _under(line: str, picture: Image.Image) -> Image.Image:
    page = Image.new("RGB", (picture.width, picture.height + LINE), "white")
    page.paste(picture, (0, LINE))
    ImageDraw.Draw(page).text((6, 4), line, fill="#404040", font=ImageFont.load_default(13))
    return page


def _gif(pages: list[Image.Image], rate: int) -> bytes:
    few = [page.quantize(64, dither=Image.Dither.NONE) for page in pages]
    box = io.BytesIO()
    durations = [1000 // rate] * (len(few) - 1) + [2000]
    few[0].save(box, "GIF", save_all=True, append_images=few[1:], duration=durations, loop=0, disposal=1)
    return box.getvalue()


def _mp4(pages: list[Image.Image], rate: int) -> bytes:
    av, box = _av(), io.BytesIO()
    with av.open(box, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = *pages[0].size, "yuv420p"
        for page in [*pages, *pages[-1:] * (2 * rate)]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(page), format="rgb24")))
        container.mux(stream.encode())
    return box.getvalue()


def _av() -> Any:
    try:
        return importlib.import_module("av")
    except ImportError:
        raise UserError(
            "expected PyAV to write .mp4, it is not installed; pip install 'simulacra[film]', or name a .gif"
        ) from None
