"""Claims on the codes of autoencoders: their experiments on a tiny budget, and laws of what they measure."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from simulacra.batch import Batch
from simulacra.claims import ae_codes, denoising, disentangling, factors, latent_sizes, posteriors, priors
from simulacra.claims.claim import Result
from simulacra.claims.shortcuts import digits
from simulacra.random import reseed

TINY: dict[str, Callable[[int], Result]] = {
    "density-of-an-autoencoders-codes-is-not-known": lambda seed: ae_codes.drawing(seed, rounds=2, n=200, latent=4),
    "autoencoders-find-the-degrees-of-freedom": lambda seed: factors.counting(seed, rounds=2, rows=200),
    "denoisers-learn-the-average": lambda seed: denoising.averaging(seed, rounds=2),
    "beta-trades-reconstruction-for-factors": lambda seed: disentangling.trading(seed, rounds=1),
    "starts-matter-more-than-beta": lambda seed: disentangling.varying(seed, rounds=1),
    "a-gaussian-prior-is-not-the-best": lambda seed: priors.clustering(seed, rounds=1),
    "codes-follow-an-arbitrary-prior": lambda seed: priors.shaping(seed, rounds=1),
    "richer-posteriors-close-the-gap": lambda seed: posteriors.bending(seed, rounds=1),
    "larger-codes-improve-a-vae": lambda seed: latent_sizes.widening(seed, rounds=1, rows=600),
    "vaes-blur-and-gans-drop-modes": lambda seed: latent_sizes.looking(seed, rounds=1, turns=1, n=200),
}
ROOMS = (ae_codes, factors, denoising, disentangling, priors, posteriors, latent_sizes)
CLAIMS = {claim.name: claim for room in ROOMS for claim in room.CLAIMS}


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scikit-learn's digits in the place of MNIST."""

    def some(rows: int) -> Batch:
        return Batch(digits()[: min(rows, 1000)], {"label": torch.arange(min(rows, 1000)) % 10})

    for room in (ae_codes, latent_sizes):
        monkeypatch.setattr(room, "small_digits", some)


def test_every_claim_is_here():
    assert set(CLAIMS) == set(TINY)


@pytest.mark.parametrize("name", CLAIMS)
def test_an_experiment_gives_the_quantities_of_its_bounds_twice_the_same_and_a_picture(name: str):
    first = TINY[name](1)
    assert set(first.values) == set(CLAIMS[name].bounds)
    assert first.control
    assert set(first.control) <= set(CLAIMS[name].bounds)
    assert isinstance(CLAIMS[name].figure([first, first]), Figure)
    disentangling.grid.cache_clear()
    if name in ("denoisers-learn-the-average", "codes-follow-an-arbitrary-prior"):
        assert dict(TINY[name](1).values) == dict(first.values)


def test_trees_tell_apart_what_differs_only():
    a, b = np.random.default_rng(0).normal(size=(2, 400, 20))
    assert ae_codes.told(a, b) == pytest.approx(0.5, abs=0.07)
    assert ae_codes.told(a, b + 1.5) > 0.95


def test_densities_have_the_moments_of_the_codes_and_gaussian_codes_are_not_unusual():
    draw = np.random.default_rng(0)
    codes = draw.multivariate_normal([1.0, -2.0], [[1.0, 0.8], [0.8, 1.0]], 4000)
    made = ae_codes.densities(codes, 4000, 0)
    assert np.corrcoef(made["diagonal Gaussian"].T)[0, 1] == pytest.approx(0.0, abs=0.06)
    assert np.corrcoef(made["Gaussian"].T)[0, 1] == pytest.approx(0.8, abs=0.03)
    assert ae_codes.unusual(codes) == 0.0
    assert ae_codes.unusual(np.exp(codes)) == 1.0


def test_shapes_move_grow_and_turn():
    zero = torch.zeros(1, 4)

    def drawn(k: int, value: float) -> torch.Tensor:
        other = zero.clone()
        other[0, k] = value
        return factors.shapes(other, 40)[0, 0]

    def centre(x: torch.Tensor, axis: int) -> float:
        return float((x.sum(1 - axis) * torch.arange(40)).sum() / x.sum())

    for axis in (1, 0):  # 16 pixels of 40, less what the frame cuts off
        assert 12 < centre(drawn(1 - axis, 1.0), axis) - centre(drawn(1 - axis, -1.0), axis) < 16.5
    assert drawn(2, 1.0).sum() > 2.5 * drawn(2, -1.0).sum()
    assert torch.allclose(drawn(3, 1.0), drawn(3, -1.0).flip(0), atol=1e-5)
    assert torch.allclose(drawn(3, 0.0), drawn(3, 0.0).flip(0), atol=1e-5)


def test_the_geometric_median_makes_the_sum_of_distances_least():
    points = torch.tensor(denoising.MODES.centres)
    share = torch.tensor([[0.3, 0.3, 0.4], [0.2, 0.35, 0.45], [0.1, 0.2, 0.7]])
    found = denoising.median(share)

    def cost(place: torch.Tensor) -> torch.Tensor:
        return (share * torch.cdist(place, points)).sum(1)

    for move in ([0.05, 0.0], [-0.05, 0.0], [0.0, 0.05], [0.0, -0.05]):
        assert (cost(found + torch.tensor(move)) > cost(found)).all()
    assert torch.allclose(found[2], points[2], atol=1e-2)  # it has more than half


def test_log_evidence_is_that_of_a_gaussian_where_the_decoder_is_linear():
    x = torch.linspace(-4, 4, 9)[:, None]
    exact = torch.distributions.Normal(0.0, (4 + posteriors.SIGMA**2) ** 0.5).log_prob(x)[:, 0]
    assert torch.allclose(posteriors.log_evidence(x, squared=False).float(), exact, atol=1e-5)


def test_an_independent_posterior_that_knows_nothing_leaves_a_gap():
    reseed(0)
    assert posteriors.gap(posteriors.build("independent", True, 1).model.eval(), True, 0, n=200, times=5) > 0.3


def test_priors_are_centred_and_told_apart_from_a_gaussian():
    reseed(0)
    for shape in priors.SHAPES.values():
        x, again = (shape(torch.rand(1500), torch.randn(1500, 2)) for _ in range(2))
        assert x.abs().max() < 5
        assert priors.apart(x, again) == pytest.approx(0.5, abs=0.05)
        assert priors.apart(x, torch.randn(1500, 2) * x.std(0)) > 0.7


def test_codes_in_the_petal_of_their_class_are_counted():
    label = torch.arange(1000) % 10
    held, codes = (
        Batch(torch.zeros(1000, 1), {"label": label}),
        priors.Flower()((label + 0.5) / 10, torch.zeros(1000, 2)),
    )
    assert priors.petals(codes, held) == 1
    assert priors.petals(codes.roll(1, 0), held) == 0
    assert priors.petals(codes[torch.randperm(1000)], held) < 0.2
