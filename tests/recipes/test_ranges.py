"""Numbers that no recipe can take are refused in one line, before anything is built or trained."""

import math

import pytest

from simulacra import recipes
from simulacra.batch import DataSpec, Field
from simulacra.errors import UserError

PLANE = DataSpec("plane", "vector", Field((2,)), rows=100)


@pytest.mark.parametrize(
    ("recipe", "told", "words"),
    [
        ("vae", {"latent": "-2"}, "--latent of at least 1, came -2"),
        ("vae", {"latent": "0"}, "--latent of at least 1, came 0"),
        ("vae", {"lr": "nan"}, "--lr above 0, came nan"),
        ("vae", {"lr": "0"}, "--lr above 0, came 0.0"),
        ("vae", {"batch": "0"}, "--batch of at least 1"),
        ("vae", {"rounds": "0"}, "--rounds of at least 1"),
        ("beta_vae", {"capacity": "-1"}, "--capacity of at least 0"),
        ("gsn", {"walkback": "0"}, "--walkback of at least 1"),
        ("nsf", {"tail": "-1"}, "--tail above 0"),
        ("maf", {"hidden": "64,0"}, "--hidden of at least 1"),
        ("gan", {"ema": "1.5"}, "--ema from 0 to 1"),
        ("lsgan", {"wish": "inf"}, "--wish to be a finite number"),
    ],
)
def test_what_no_recipe_can_take_is_named(recipe, told, words):
    with pytest.raises(UserError, match="expected") as caught:
        recipes.find(recipe).resolve(told)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("recipe", "told"),
    [
        ("infogan", {"continuous": "0"}),
        ("cgan", {"joint": "0"}),
        ("sagan", {"attention": "0"}),
        ("lsgan", {"fake": "-2"}),
        ("wgan_gp", {"gp": 0}),
    ],
)
def test_zero_and_negative_numbers_that_mean_something_are_taken(recipe, told):
    found = recipes.find(recipe).resolve(told)
    assert all(found[name] == float(value) for name, value in told.items())


def test_every_default_is_in_its_range():
    """A run's folder holds the arguments resolved: they go through the same check when it is opened again."""
    for name in recipes.builtin():
        recipe = recipes.find(name)
        told = {k: p.default for k, p in recipe.parameters().items() if p.default is not p.empty}
        needed = {k: math.nan for k in recipe.parameters() if k not in told}
        if not needed:
            assert recipe.resolve(told) == recipe.resolve({})


def test_what_the_parts_refuse_is_one_line_with_the_arguments_that_were_told():
    recipe = recipes.find("nsf")
    with pytest.raises(UserError, match=r"that nsf can take, came --bins 2000: .*1000 bins"):
        recipe.build(PLANE, recipe.resolve({"bins": "2000"}))
    assert recipe.build(PLANE, recipe.resolve({"bins": "4"})).model is not None
