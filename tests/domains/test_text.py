"""Text as a data set: blocks, alphabets, the way back, observables, and what is refused."""

import pytest
import torch

from simulacra.batch import Batch
from simulacra.domains import open_data
from simulacra.domains.text import Tokens, observables, open_text, written
from simulacra.errors import UserError

TEXT = "Hört, hört! Zwei Zeilen\nund Ähnliches. " * 30


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "lines.txt"
    place.write_text(TEXT, encoding="utf-8")
    return place


def test_blocks_written_again_are_the_text(path):
    data = open_text(path, 32)
    blocks = data[torch.arange(len(data))]
    assert "".join(written(blocks, data.spec)) == TEXT[: 32 * (len(TEXT) // 32)]
    assert data.spec.x.names == tuple(sorted(set(TEXT)))
    assert data.spec.layout == "sequence"


def test_a_file_opens_by_its_ending_and_windows_lines_are_lines(path, tmp_path):
    other = tmp_path / "other.txt"
    other.write_bytes(TEXT.replace("\n", "\r\n").encode())
    assert open_data(str(other)).spec.x == open_data(str(path)).spec.x


def test_the_codec_changes_nothing(path):
    data = open_text(path)
    codec, batch = Tokens(data.spec), data[torch.arange(4)]
    assert torch.equal(codec.decode(codec.encode(batch)).x, batch.x)
    assert torch.equal(codec.log_det(batch), torch.zeros(4))


def test_observables_count_characters(path):
    data = open_text(path, 8)
    letters = {letter: k for k, letter in enumerate(data.spec.x.names)}
    block = Batch(torch.tensor([[float(letters[c]) for c in "Zwei hh "]]))
    values = {o.name: o(block).item() for o in observables(data.spec)}
    assert values == {"distinct": 6.0, "vowels": 2 / 8, "spaces": 2 / 8, "capitals": 1 / 8}


@pytest.mark.parametrize(
    ("content", "length", "words"),
    [
        (b"\xff\xfe\x00", 8, "UTF-8"),
        (b"too short", 8, "10 blocks of 8 characters, lines.txt has 9"),
        (b"ab" * 100, 1, "blocks of 2 characters"),
        ("".join(map(chr, range(0x4E00, 0x4E00 + 1100))).encode(), 8, "1024 different"),
    ],
)
def test_what_is_refused(tmp_path, content, length, words):
    place = tmp_path / "lines.txt"
    place.write_bytes(content)
    with pytest.raises(UserError, match=words):
        open_text(place, length)


def test_points_are_no_text():
    data = open_data("toys:ring8", rows=100)
    with pytest.raises(UserError, match="sequence of tokens"):
        Tokens(data.spec)
