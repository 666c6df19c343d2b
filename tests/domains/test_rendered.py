"""Rendered pictures: a factor does what it says and nothing else, and models are told it only where that is asked."""

import pytest
import torch

from simulacra.domains import names, open_data
from simulacra.domains.images.rendered import RENDERED, faces, shapes
from simulacra.errors import UserError
from simulacra.recipes.cvae import cvae
from simulacra.recipes.vae import vae
from simulacra.workflow import training_spec

SIDE = 48
AT = (torch.arange(SIDE) + 0.5) / SIDE - 0.5


def moments(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The middle of the ink (across, down) and its covariance, in sides; ink is what is brighter than a background."""
    ink = (x[0] - x[0, 0, 0]).double().clamp(min=0)
    ink = ink / ink.sum()
    place = torch.stack([AT.expand(SIDE, SIDE), AT[:, None].expand(SIDE, SIDE)]).double()
    middle = (ink * place).sum((1, 2))
    away = place - middle[:, None, None]
    return middle, torch.einsum("yx,iyx,jyx->ij", ink, away, away)


HEAD = 0.45 * torch.sigmoid((0.44 - torch.hypot(AT[None], AT[:, None])) * 40)


def shape(**factors: float) -> torch.Tensor:
    return shapes(torch.tensor([[factors.get(name, 0.0) for name in RENDERED["shapes"][1]]]), SIDE)[0]


@pytest.mark.parametrize("value", [-1.0, 0.5, 1.0])
def test_place_moves_an_ellipse_by_a_fifth_of_a_side(value):
    for k, name in enumerate(("across", "down")):
        middle, spread = moments(shape(size=-1.0, **{name: value}))
        other = moments(shape(size=-1.0))[1]
        assert float(middle[k]) == pytest.approx(0.2 * value, abs=0.02)
        assert float(middle[1 - k]) == pytest.approx(0.0, abs=1e-6)
        assert float(spread[1 - k, 1 - k]) == pytest.approx(float(other[1 - k, 1 - k]), rel=0.02)


def test_a_step_of_place_is_a_shift_of_pixels():
    """Eight pixels of 48 are 5/6 of a fifth of a side."""
    assert torch.allclose(shape(across=5 / 6)[0, :, 8:], shape()[0, :, :-8], atol=1e-5)
    assert torch.allclose(shape(down=-5 / 6)[0, :-8], shape()[0, 8:], atol=1e-5)


def test_the_angle_turns_and_the_size_is_a_logarithm():
    left, right = shape(angle=-1.0), shape(angle=1.0)
    assert torch.allclose(left[0], right[0].rot90(), atol=1e-5)  # a quarter turn from end to end
    middle, spread = moments(right)
    assert middle.abs().max() < 1e-6
    assert spread[0, 1] / spread[0, 0] > 0.5
    lit = [float((shape(size=s) > 0.5).sum()) for s in (-0.5, 0.5)]
    assert lit[1] / lit[0] == pytest.approx(1.4**2, rel=0.05)


def test_a_smile_moves_the_mouth_only_and_a_pose_nothing_of_the_head():
    zero, glad, left = (faces(torch.tensor([f]), SIDE)[0, 0] for f in ([0.0, 0.0], [0.0, 1.0], [-1.0, 0.0]))
    rows = (glad - zero).abs().amax(1) > 0.01
    assert rows.any()
    assert not rows[AT < 0.0].any()
    assert (left - zero)[AT.abs() < 0.3].abs().max() > 0.3
    assert (left - zero)[AT.abs() > 0.31].abs().max() < 0.01
    assert torch.allclose(left, faces(torch.tensor([[1.0, 0.0]]), SIDE)[0, 0].flip(1), atol=1e-5)
    corners, below = AT.abs() > 0.12, AT > 0.05
    high = [float((mouth[below][:, corners] * AT[below, None]).sum() / mouth[below][:, corners].sum())
            for mouth in (zero - HEAD, glad - HEAD)]  # fmt: skip
    assert high[1] < high[0] - 0.02


@pytest.mark.parametrize("name", RENDERED)
def test_pictures_are_those_of_their_factors(name):
    render, factors = RENDERED[name]
    data = open_data(f"{name}:16", rows=300)
    batch = data[:]
    made = render(torch.cat([batch.given[factor] for factor in factors], 1), 16)
    assert (batch.x - made).abs().max() <= 0.5 / 255 + 1e-6
    assert 0 <= batch.x.min() < 0.1
    assert 0.7 < batch.x.max() <= 1
    table = torch.cat([batch.given[factor] for factor in factors], 1)
    assert table.abs().max() <= 1
    assert table.amin(0).max() < -0.95
    assert table.amax(0).min() > 0.95
    assert (torch.corrcoef(table.T) - torch.eye(len(factors))).abs().max() < 0.2
    assert data.spec.x.range == (0.0, 1.0)


@pytest.mark.parametrize("name", RENDERED)
def test_rows_and_seed_decide_the_pictures(name):
    few, many, other = (open_data(f"{name}:16", rows=n, seed=s)[:] for n, s in ((10, 1), (300, 1), (10, 2)))
    assert torch.equal(few.x, many.x[:10])
    assert all(torch.equal(value, many.given[factor][:10]) for factor, value in few.given.items())
    assert not torch.equal(few.x, other.x)
    state = torch.get_rng_state()
    open_data(name, rows=10)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("name", RENDERED)
def test_models_are_told_factors_only_where_that_is_asked(name):
    factors = RENDERED[name][1]
    plain, told = open_data(f"{name}:16", rows=50), open_data(f"{name}:16:told", rows=50)
    assert torch.equal(plain[:].x, told[:].x)
    assert not plain.spec.given
    assert tuple(told.spec.given) == factors
    seen = told[:].given[factors[0]]
    assert told.spec.given[factors[0]].range == (float(seen.min()), float(seen.max()))
    assert tuple((plain.spec.geometry or {})["factors"]) == factors
    for data, count in ((plain, 0), (told, len(factors))):
        spec = training_spec(data, torch.arange(50))
        game = vae(spec, latent=2, width=4)
        encoded = game.codec.encode(data[:])
        assert len(encoded.given) == count
        assert game.model.encode(encoded).mean.shape == (50, 2)  # pyright: ignore[reportCallIssue]
    with pytest.raises(UserError, match="has none"):
        cvae(plain.spec)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("shapes:17", {}, "expected shapes of 16, 32, 64, 128 pixels, or told, came '17'"),
        ("faces:tall", {}, "expected faces of 16, 32, 64, 128 pixels, or told, came 'tall'"),
        ("shapes:told:", {}, "came ''; use shapes:32"),
        ("shapes", {"size": 20}, "came 20"),
        ("faces", {"rows": 0}, "at least one row"),
        ("faces", {"photons": 1}, "expected an option of faces"),
        ("shape", {}, "did you mean 'shapes'"),
    ],
)
def test_what_cannot_be_is_said(name, options, words):
    with pytest.raises(UserError, match=words):
        open_data(name, **options)
    assert set(RENDERED) <= set(names())
