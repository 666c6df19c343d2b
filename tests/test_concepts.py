"""The index of concepts: every symbol is there, and its docstring knows the word."""

import inspect
import re

import pytest

from simulacra import recipes
from simulacra.cli import run
from simulacra.concepts import concepts


@pytest.mark.parametrize("concept", concepts(), ids=lambda concept: concept.word)
def test_the_symbol_knows_its_word(concept):
    doc = re.sub(r"\s+", " ", inspect.getdoc(concept.load()) or "")
    assert concept.word.lower() in doc.lower()
    assert set(concept.recipes) <= set(recipes.builtin())


def test_words_are_unique_and_every_recipe_is_found_by_one():
    words = [concept.word.lower() for concept in concepts()]
    assert len(set(words)) == len(words)
    assert set(recipes.builtin()) - {name for row in concepts() for name in row.recipes} <= {"untrained"}


def test_the_verbs_read_the_index(capsys):
    assert run(["list", "--concept", "gradient penalty"]) == 0
    out = capsys.readouterr().out
    assert "wgan_gp" in out
    assert "realnvp" not in out
    assert run(["explain", "Gradient Penalty"]) == 0
    out = capsys.readouterr().out
    assert "class GradientPenalty" in out
    assert "arXiv:1704.00028" in out
    assert run(["explain", "gan"]) == 0
    assert "def gan(" in capsys.readouterr().out
