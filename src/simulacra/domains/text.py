"""Text: a file cut into blocks of characters, or pairs of lines to translate; each character is a token."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
END = "\n"
"""What ends a line of a pair, and fills up shorter ones."""


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


def open_pairs(path: str | Path) -> ArrayDataset:
    """A UTF-8 file with a pair of texts in each line, a tabulator between them: the second given the first.

    Raises:
        UserError: the file is no text, a line has no two parts, or there are too few or too many characters.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise UserError(f"expected a text file in UTF-8, {path.name} cannot be read as one; convert it") from None
    pairs = [line.split("\t") for line in lines if line]
    for number, pair in enumerate(pairs, 1):
        if len(pair) != 2 or not all(pair):
            raise UserError(
                f"expected two texts and a tabulator between them, {path.name} line {number} has not; mend it"
            )
    if len(pairs) < 10:
        raise UserError(f"expected 10 pairs of texts or more, {path.name} has {len(pairs)}; use more")
    return paired(path.stem, [(first, second) for first, second in pairs])


def open_numbers(name: str = "numbers", rows: int = 10_000) -> ArrayDataset:
    """The numbers from 0 in English words, and in digits: a toy of translation of which all is known.

    >>> data = open_numbers(rows=100)
    >>> written(data[torch.tensor([42])], data.spec)[0].split()
    ['forty-two', '42']
    """
    if not 10 <= rows <= 10_000:
        raise UserError(f"expected 10 to 10,000 rows of numbers, came {rows}; choose fewer or more")
    return paired(name, [(spelled(n), str(n)) for n in range(rows)])


SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def spelled(number: int) -> str:
    """A number below 10,000 in words.

    >>> spelled(7043)
    'seven thousand forty-three'
    """
    for size, word in ((1000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = number % size
            return f"{spelled(number // size)} {word}{f' {spelled(rest)}' if rest else ''}"
    if number < 20:
        return SMALL[number]
    return TENS[number // 10 - 2] + (f"-{SMALL[number % 10]}" if number % 10 else "")


def paired(name: str, pairs: Sequence[tuple[str, str]]) -> ArrayDataset:
    """Pairs of texts as a sequence data set: x the second, `given["source"]` the first, each up to its end."""
    letters = sorted({END}.union(*(set(first + second) for first, second in pairs)))
    if len(letters) > MOST:
        raise UserError(f"expected at most {MOST} different characters, {name} has {len(letters)}; use other text")
    columns = list(zip(*pairs, strict=True))
    fields = [Field((max(map(len, texts)) + 1,), "token", len(letters), names=tuple(letters)) for texts in columns]
    source, x = (
        torch.stack([tokens_of(text, field) for text in texts]) for texts, field in zip(columns, fields, strict=True)
    )
    spec = DataSpec(name, "sequence", fields[1], {"source": fields[0]})
    return in_memory(spec, Batch(x.float(), {"source": source}))


def tokens_of(text: str, field: Field) -> Tensor:
    """Token numbers [T] of a text, filled up with its end.

    Raises:
        UserError: the text is too long, or has a character that the data have not.
    """
    odd = next((letter for letter in text if letter not in field.names), None)
    if odd is not None or END not in field.names:
        raise UserError(f"expected characters that the data have, came {odd!r} in {text!r}; use others")
    if len(text) > field.size - 1:
        raise UserError(f"expected at most {field.size - 1} characters, came {len(text)} in {text!r}; shorten it")
    number = {letter: k for k, letter in enumerate(field.names)}
    return torch.tensor([number[letter] for letter in text.ljust(field.size, END)])


def written(batch: Batch, spec: DataSpec) -> list[str]:
    """The text of every event, by the names of the tokens; of pairs both texts, a tabulator between them.

    >>> spec = DataSpec("ab", "sequence", Field((2,), "token", 2, names=("a", "b")))
    >>> written(Batch(torch.tensor([[0.0, 1.0], [1.0, 1.0]])), spec)
    ['ab', 'bb']
    """
    texts = ["".join(spec.x.names[int(k)] for k in row) for row in batch.x]
    if "source" not in spec.given:
        return texts
    names = spec.given["source"].names
    sources = ["".join(names[int(k)] for k in row) for row in batch.given["source"]]
    return ["\t".join(text.split(END)[0] for text in pair) for pair in zip(sources, texts, strict=True)]


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
