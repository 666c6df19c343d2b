"""Speckle: intensities that are exponential about the clean pattern, in grains; and a denoiser of its pairs."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from simulacra.autoencoders import PairedAutoencoder
from simulacra.batch import Batch, DataSpec, Field
from simulacra.domains import observables, open_data
from simulacra.domains.images.speckle import GRAIN, _ellipsoid
from simulacra.errors import UserError
from simulacra.recipes.dae import dae
from simulacra.testing import Rows, streams_for
from simulacra.training.loop import train

PHOTONS = 1e5


@pytest.fixture(scope="module")
def ratio() -> torch.Tensor:
    """Speckled / clean intensity [N, S, S] where many photons are expected, else NaN."""
    data = open_data("speckle:16", rows=1000, photons=PHOTONS)
    clean, seen = (
        10 ** (x[:, 0].double() * math.log10(1 + 10 * PHOTONS)) - 1 for x in (data[:].x, data[:].given["speckled"])
    )
    return torch.where(clean > 1000, seen / clean, torch.nan)


def test_intensities_are_exponential(ratio):
    one = ratio[:, 7, 7]
    one = one[~one.isnan()].numpy()
    assert len(one) > 300
    assert stats.kstest(one[one < 8], "expon").pvalue > 1e-3
    assert np.nanmean(ratio) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(("apart", "wanted"), [(1, 2 ** -((2 / GRAIN) ** 2)), (3, 0.0)])
def test_a_grain_is_as_wide_as_it_says(ratio, apart, wanted):
    pairs = torch.stack([ratio[:, :, apart:].flatten(), ratio[:, :, :-apart].flatten()])
    pairs = pairs[:, ~pairs.isnan().any(0)]
    assert torch.corrcoef(pairs)[0, 1] == pytest.approx(wanted, abs=0.06)


def test_modes_lower_the_contrast():
    data = open_data("speckle", rows=200, size=16, photons=PHOTONS, modes=4)
    clean, seen = (
        10 ** (x.double() * math.log10(1 + 10 * PHOTONS)) - 1 for x in (data[:].x, data[:].given["speckled"])
    )
    bright = clean > 1000
    assert (seen / clean)[bright].std() == pytest.approx(0.5, abs=0.05)


def test_the_form_factor_is_one_in_the_middle_and_zero_where_tan_u_is_u():
    at = _ellipsoid(torch.tensor([0.0, 4.493409457909064]))
    assert at.tolist() == pytest.approx([1.0, 0.0], abs=1e-4)


def test_rows_and_seed_decide_the_pairs():
    few, many, other = (open_data("speckle:16", rows=n, seed=s)[:] for n, s in ((10, 1), (300, 1), (10, 2)))
    assert torch.equal(few.x, many.x[:10])
    assert torch.equal(few.given["speckled"], many.given["speckled"][:10])
    assert not torch.equal(few.x, other.x)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("speckle:17", {}, "expected speckle of 16, 32, 64, 128 pixels, came 17"),
        ("speckle:large", {}, "came large"),
        ("speckle", {"photons": 0.0}, "expected photons of at least 1"),
        ("speckle", {"rows": 0}, "expected rows of at least 1"),
        ("speckle", {"colour": 1}, "expected an option of speckle"),
    ],
)
def test_what_cannot_be_is_said(name, options, words):
    with pytest.raises(UserError, match=words):
        open_data(name, **options)


def test_a_denoiser_learns_of_pairs_and_is_told_nothing_else():
    data = open_data("speckle:16", rows=600)
    game = dae(data.spec, corruption="speckled", latent=8, width=8, rounds=150)
    for _ in train(game, streams_for(game, Rows(data.spec, data[:]), 0), seed=0):
        pass
    model: PairedAutoencoder = game.model.eval()  # pyright: ignore[reportAssignmentType]
    shown = game.codec.encode(Batch(data[:].given["speckled"], data[:].given))
    made = game.codec.decode(model.reconstruct(shown)).x

    def error(x: torch.Tensor) -> float:
        return float((x - data[:].x).square().mean())

    assert error(made) < error(data[:].x.mean(0).expand_as(data[:].x)) / 2
    assert error(made) < error(data[:].given["speckled"]) / 2
    other = Batch(shown.x, {"speckled": torch.zeros_like(shown.x)})
    assert torch.equal(model.reconstruct(shown).x, model.reconstruct(other).x)
    assert model.sample(3, {"speckled": shown.x[:3]}).x.shape == (3, 1, 16, 16)


def test_a_corruption_is_one_of_the_data_or_a_kind():
    data = open_data("speckle:16", rows=20)
    with pytest.raises(UserError, match=r"gaussian, masking, salt_and_pepper, speckled for speckle:16, came 'speckld'"):
        dae(data.spec, corruption="speckld")
    assert not isinstance(dae(data.spec, latent=4, width=4).model, PairedAutoencoder)
    assert observables(data.spec)


def test_a_denoiser_of_numbers_asks_partners_in_the_units_of_events():
    """x and y = x + 2 + noise, both of variance 1: E[x | y] = (y - 2) / 2, also for y that come as events."""
    torch.manual_seed(0)
    x = torch.randn(4000, 1)
    data = Batch(x, {"noisy": x + 2 + torch.randn(4000, 1)})
    spec = DataSpec("pairs", "vector", Field((1,)), {"noisy": Field((1,))}, rows=4000)
    game = dae(spec, corruption="noisy", rounds=400, latent=4, width=32)
    for _ in train(game, streams_for(game, Rows(spec, data), 0), seed=0):
        pass
    model: PairedAutoencoder = game.model.eval()  # pyright: ignore[reportAssignmentType]
    shown = game.codec.encode(Batch(data.given["noisy"], data.given))
    made = game.codec.decode(model.reconstruct(shown)).x
    assert torch.equal(shown.x, shown.given["noisy"])
    assert float((made - (data.given["noisy"] - 2) / 2).square().mean()) < 0.03
