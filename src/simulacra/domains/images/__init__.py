"""Pictures: Fashion-MNIST and MNIST, emoji, speckle, rendered shapes and faces, IDX files, folders of PNGs."""

from simulacra.domains.images.canonical import SOURCES, data_folder, open_canonical, open_idx_folder
from simulacra.domains.images.codec import ImageCodec
from simulacra.domains.images.emoji import open_emoji
from simulacra.domains.images.folder import open_folder, open_idx, read_png
from simulacra.domains.images.idx import read_idx, write_idx
from simulacra.domains.images.observables import observables
from simulacra.domains.images.pictures import pictures
from simulacra.domains.images.rendered import open_rendered
from simulacra.domains.images.speckle import open_speckle

__all__ = [
    "SOURCES",
    "ImageCodec",
    "data_folder",
    "observables",
    "open_canonical",
    "open_emoji",
    "open_folder",
    "open_idx",
    "open_idx_folder",
    "open_rendered",
    "open_speckle",
    "pictures",
    "read_idx",
    "read_png",
    "write_idx",
]
