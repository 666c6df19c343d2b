"""Text as a data set: blocks, alphabets, the way back, observables, and what is refused."""

import pytest
import torch

from simulacra.batch import Batch
from simulacra.domains import open_data
from simulacra.domains.text import Tokens, observables, open_text, tokens_of, written
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


def test_pairs_written_again_are_the_lines(tmp_path):
    place = tmp_path / "pairs.tsv"
    lines = [f"{'ab' * (k % 4 + 1)}\tÄ{k}" for k in range(12)]
    place.write_text("\n".join([*lines, ""]), encoding="utf-8")
    data = open_data(str(place))
    assert written(data[:], data.spec) == lines
    assert (data.spec.x.shape, data.spec.given["source"].shape) == ((4,), (9,))
    assert data.spec.given["source"].names == data.spec.x.names


def test_numbers_are_spelled():
    data = open_data("numbers", rows=3000)
    pairs = dict(line.split("\t") for line in written(data[:], data.spec))
    assert (len(pairs), pairs["zero"], pairs["two thousand nine hundred ninety-nine"]) == (3000, "0", "2999")
    assert pairs["one thousand eleven"] == "1011"
    assert pairs["eighty"] == "80"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\tb\n" * 9, "expected 10 pairs"),
        ("a\tb\n" * 9 + "a b\n", "line 10 has not"),
        ("a\tb\n" * 9 + "a\tb\tc\n", "line 10 has not"),
        ("a\t\n" * 12, "line 1 has not"),
    ],
)
def test_what_is_no_pair_is_refused(text, words, tmp_path):
    place = tmp_path / "pairs.tsv"
    place.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=words):
        open_data(str(place))


def test_a_text_that_the_data_could_not_hold_is_refused():
    field = open_data("numbers", rows=100).spec.given["source"]
    assert tokens_of("six", field)[:3].tolist() == [field.names.index(letter) for letter in "six"]
    for text, words in (("zéro", "came 'é'"), ("seventy-seven!", "came '!'"), ("six" * 9, "expected at most 13")):
        with pytest.raises(UserError, match=words):
            tokens_of(text, field)
