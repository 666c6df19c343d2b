"""The cases of every recipe, by name."""

from cases_of_gans import GANS
from cases_of_others import OTHERS

from simulacra import recipes

CASES = {**GANS, **OTHERS}
SOLVED = {name for name, row in recipes.table().items() if row["family"] == "classical"}
"""Recipes that are solved and feel no gradient."""
