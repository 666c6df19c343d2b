"""The options of `vae`: each is the recipe of that name, all go together, and a wrong word gets one line."""

import itertools

import pytest
import torch

from simulacra import recipes
from simulacra.domains import open_data
from simulacra.errors import UserError
from simulacra.recipes.vae import POSTERIORS, PRIORS
from simulacra.testing import check_gradients, state_of, streams_for
from simulacra.training.game import Clock
from simulacra.training.loop import train


@pytest.fixture(scope="module")
def points():
    return open_data("toys:ring8", rows=200)


def trained(points, recipe, **options):
    """Losses and state after four rounds."""
    chosen = recipes.find(recipe)
    torch.manual_seed(3)
    experiment = chosen.build(points.spec, chosen.resolve({"width": 8, "batch": 16, **options}))
    experiment.clock = Clock(0, 4)
    streams = streams_for(experiment, points)
    losses = [{name: float(value) for name, value in step.losses.items()} for step in train(experiment, streams)]
    return losses, state_of(experiment, streams)


@pytest.mark.parametrize(
    ("name", "options"),
    [("gmvae", {"prior": "mixture"}), ("vamp_vae", {"prior": "vamp"}), ("iaf_vae", {"posterior": "iaf"})],
)
def test_an_option_is_the_recipe_of_that_name_byte_for_byte(points, name, options):
    losses, state = trained(points, name)
    ours, same = trained(points, "vae", **options)
    assert ours == losses != trained(points, "vae")[0]
    assert state.keys() == same.keys()
    assert all(torch.equal(state[key], same[key]) for key in state)


@pytest.mark.parametrize(("prior", "posterior"), list(itertools.product(PRIORS, POSTERIORS)))
def test_any_prior_goes_with_any_posterior(points, prior, posterior):
    chosen = recipes.find("vae")
    parts = {"prior_parts": 2} if prior != "normal" else {}
    resolved = chosen.resolve({"width": 8, "batch": 16, "prior": prior, "posterior": posterior, **parts})
    check_gradients(lambda: chosen.build(points.spec, resolved), points)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"prior": "vampire"}, "expected a prior among normal, mixture, vamp, flow, came 'vampire'; choose one"),
        ({"posterior": "maf"}, "expected a posterior among gaussian, planar, iaf, mixture, came 'maf'; choose one"),
        ({"prior_parts": "3"}, "expected no parts of a prior that is normal, came 3; leave --prior-parts out"),
        ({"posterior_parts": "3"}, "no parts of a posterior that is gaussian, came 3; leave --posterior-parts out"),
        ({"prior": "flow", "prior_parts": "0"}, "expected --prior-parts of at least 1, came 0; give another"),
    ],
)
def test_a_choice_that_is_none_gets_one_line(points, options, line):
    chosen = recipes.find("vae")
    with pytest.raises(UserError) as error:
        chosen.build(points.spec, chosen.resolve(options))
    assert line in str(error.value)
    assert "\n" not in str(error.value)
