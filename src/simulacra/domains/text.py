"""Text: a file cut into blocks of characters, each character a token."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from simulacra.batch import Batch, DataSpec, Field, Given
from simulacra.domains.dataset import ArrayDataset, in_memory
from simulacra.errors import UserError
from simulacra.protocols import Observable

MOST = 1024
"""Different characters in a file."""


def open_text(path: str | Path, length: int = 64) -> ArrayDataset:
    """A UTF-8 text file as a sequence data set: blocks of `length` characters, one after the other.

    Each event is a row of token numbers [length], as real numbers; token k is the character `spec.x.names[k]`, in the
    order of Unicode. What does not fill the last block is left out.

    Args:
        length: T, characters in a block.

    Raises:
        UserError: the file is no text, is shorter than ten blocks, or has more than 1,024 different characters.
    """
    path = Path(path)
    if length < 2:
        raise UserError(f"expected blocks of 2 characters or more, came {length}; such as 64")
    try:
        text = path.read_text(encoding="utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError):
        raise UserError(f"expected a text file in UTF-8, {path.name} cannot be read as one; convert it") from None
    blocks = len(text) // length
    if blocks < 10:
        raise UserError(f"expected 10 blocks of {length} characters, {path.name} has {len(text)}; use more text")
    letters = sorted(set(text))
    if len(letters) > MOST:
        raise UserError(f"expected at most {MOST} different characters, {path.name} has {len(letters)}; use other text")
    number = {letter: k for k, letter in enumerate(letters)}
    tokens = torch.tensor([number[letter] for letter in text[: blocks * length]], dtype=torch.float32)
    field = Field((length,), "token", len(letters), names=tuple(letters))
    return in_memory(DataSpec(path.stem, "sequence", field), Batch(tokens.view(blocks, length)))


def written(batch: Batch, spec: DataSpec) -> list[str]:
    """The text of every event, by the names of the tokens.

    >>> spec = DataSpec("ab", "sequence", Field((2,), "token", 2, names=("a", "b")))
    >>> written(Batch(torch.tensor([[0.0, 1.0], [1.0, 1.0]])), spec)
    ['ab', 'bb']
    """
    return ["".join(spec.x.names[int(k)] for k in row) for row in batch.x]


class Tokens(nn.Module):
    """The codec of token sequences, which leaves them as they are; what a model says of them is a probability.

    Raises:
        UserError: the data are no sequences of tokens.
    """

    def __init__(self, data: DataSpec) -> None:
        super().__init__()
        if data.layout != "sequence" or data.x.kind != "token" or data.x.levels < 2:
            raise UserError(f"expected a sequence of tokens, {data.name} is {data.layout} of {data.x.kind}; use a .txt")
        self.fields = dict(data.given)

    def spec(self, data: DataSpec) -> DataSpec:
        return data

    def fit(self, batches: Iterable[Batch]) -> None:
        """Nothing to fit."""

    def encode(self, batch: Batch) -> Batch:
        return replace(batch, given=self.encode_given(batch.given))

    def encode_given(self, given: Given) -> Given:
        """As they are; what the codec does not know is left out."""
        return {name: given[name] for name in self.fields}

    def decode(self, batch: Batch) -> Batch:
        return batch

    def log_det(self, batch: Batch) -> Tensor:
        """0: tokens are counted, not measured; [B]."""
        return batch.x.new_zeros(len(batch))


@dataclass
class Share:
    """The share of characters of one kind in a block."""

    name: str
    of: tuple[int, ...]
    axis: str
    unit: str = ""

    def __call__(self, batch: Batch) -> Tensor:  # [B]
        return torch.isin(batch.x.long(), torch.tensor(self.of, device=batch.x.device)).float().mean(1)


@dataclass
class Distinct:
    """How many different characters a block has."""

    name: str = "distinct"
    axis: str = "different characters"
    unit: str = ""

    def __call__(self, batch: Batch) -> Tensor:  # [B]
        ordered = batch.x.sort(1).values
        return 1 + (ordered.diff(dim=1) != 0).sum(1).float()


def observables(spec: DataSpec) -> list[Observable]:
    """Shares of vowels, of spaces and of capitals, where the alphabet has them, and the number of different ones."""
    kinds = {"vowels": "aeiouAEIOU".__contains__, "spaces": str.isspace, "capitals": str.isupper}
    out: list[Observable] = [Distinct()]
    for name, belongs in kinds.items():
        of = tuple(k for k, letter in enumerate(spec.x.names) if belongs(letter))
        if 0 < len(of) < spec.x.levels:
            out.append(Share(name, of, f"share of {name}"))
    return out
