"""Claims on labels, codes and parts of pictures, at a hundredth of the budget."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from simulacra.claims import codes, conditioning, few_labels, labels, structure
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import OVERLAP, compared, two_classes
from simulacra.random import reseed

TINY: dict[str, Callable[[int], Result]] = {
    "auxiliary-classifier-parts-overlapping-classes": lambda seed: conditioning.overlapping(seed, rounds=4),
    "labels-improve-samples": lambda seed: labels.improving(seed, rounds=4),
    "auxiliary-classifier-costs-variety": lambda seed: labels.narrowing(seed, rounds=4),
    "unlabelled-events-help-a-classifier": lambda seed: few_labels.few_labels(seed, rounds=8),
    "codes-find-rotation-and-width": lambda seed: codes.turning(seed, rounds=4),
    "gans-miscount-and-lose-symmetry": lambda seed: structure.miscounting(seed, rounds=4, rows=500),
}
ROOMS = (conditioning, labels, few_labels, codes, structure)
CLAIMS = {claim.name: claim for room in ROOMS for claim in room.CLAIMS if claim.name != "codes-find-digit-and-slant"}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bars with random labels in the place of MNIST."""

    def some(rows: slice) -> tuple[torch.Tensor, torch.Tensor]:
        reseed(0)
        return codes.bars(500, 16), torch.arange(500) % 10

    monkeypatch.setattr(codes, "small_digits", some)


def test_every_claim_is_here():
    assert set(CLAIMS) == set(TINY)


def check(claim: Claim, experiment: Callable[[int], Result]) -> None:
    first, second = experiment(1), experiment(1)
    assert dict(first.values) == dict(second.values)
    assert set(first.values) == set(claim.bounds)
    assert first.control
    assert set(first.control) <= set(claim.bounds)
    assert isinstance(claim.figure([first, second]), Figure)


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))
def test_an_experiment_gives_the_quantities_of_its_bounds_twice_the_same_and_a_picture(claim: Claim):
    labels.made.cache_clear()
    check(claim, TINY[claim.name])


@pytest.mark.usefixtures("drawn")
def test_the_experiment_on_digits_gives_the_quantities_of_its_bounds():
    check(codes.CLAIMS[1], lambda seed: codes.naming(seed, rounds=4))


def of_each_class(n: int = 4000) -> np.ndarray:
    """Events of the two overlapping classes as they are, [2, n]."""
    return np.random.default_rng(0).normal([[-OVERLAP / 2], [OVERLAP / 2]], 1.0, (2, n))


def test_real_classes_are_as_they_should_be():
    found = compared(of_each_class(), two_classes(OVERLAP))
    assert found["W1 to a class"] < 0.05
    assert found["distance of the classes, made / real"] == pytest.approx(1.0, abs=0.1)
    assert found["width of a class, made / real"] == pytest.approx(1.0, abs=0.05)


def test_classes_that_are_driven_apart_are_found():
    away = compared(of_each_class() + [[-0.5], [0.5]], two_classes(OVERLAP))
    assert away["W1 to a class"] == pytest.approx(0.5, abs=0.05)
    assert away["distance of the classes, made / real"] == pytest.approx(2.0, abs=0.1)


def test_digits_are_at_no_distance_from_themselves_and_pictures_of_their_means_have_no_variety():
    read = labels.Reader()
    of = [read.x[read.label == k] for k in range(10)]
    least = min(map(len, of))
    assert read.distances(read.x) == pytest.approx((0.0, 0.0), abs=1e-6)
    assert read.variety(np.stack([x[:least] for x in of])) == pytest.approx(1.0, abs=0.02)
    assert read.variety(np.stack([x[:1].repeat(9, 0) for x in of])) == 0.0
    assert read.certainty(read.x) > 0.95 > read.certainty(np.random.default_rng(0).permuted(read.x, axis=1))


def test_factors_are_read_off_bars_that_are_turned_and_stretched():
    reseed(0)
    angle = torch.linspace(-1.0, 1.0, 9)
    place = torch.arange(16) - 7.5
    row, column = torch.meshgrid(place, place, indexing="ij")
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    across, along = column * cos - row * sin, row * cos + column * sin

    def bar(half: float) -> torch.Tensor:
        return ((half - across.abs() + 0.5).clamp(0, 1) * (6 - along.abs() + 0.5).clamp(0, 1))[:, None]

    thin, thick = codes.factors(bar(1.0)), codes.factors(bar(2.0))
    assert thin["rotation"] == pytest.approx(angle.numpy(), abs=0.03)
    assert (thick["width"] > 1.3 * thin["width"]).all()
    turned = codes.factors(codes.bars(500))["rotation"]
    assert abs(turned).max() == pytest.approx(np.pi / 3, abs=0.1)


def test_codes_know_a_factor_alone_or_together():
    two = np.random.default_rng(0).uniform(-1, 1, (1000, 2))
    assert codes.strongest(two, np.exp(-two[:, 1])) == pytest.approx(1.0)
    assert codes.strongest(two, two[:, 0] * two[:, 1]) < 0.15
    assert codes.explained(two, two[:, 0] * two[:, 1]) > 0.8
    assert codes.explained(two, np.random.default_rng(1).normal(size=1000)) < 0.1


def test_blobs_are_counted_and_mirror_images_known():
    reseed(0)
    for many in (1, 2, 3):
        found, sizes = structure.components(structure.blobs(200, many))
        assert (found == many).all()
        assert len(sizes) == 200 * many
        assert 4 <= sizes.min() <= sizes.max() <= 12
    assert structure.asymmetry(structure.mirrored(200)) == 0.0
    assert structure.asymmetry(structure.blobs(2000)) == pytest.approx(1.0, abs=0.1)
    half_wrong = torch.cat([structure.mirrored(1000), structure.blobs(1000)])
    assert 0.3 < structure.asymmetry(half_wrong) < 0.7
