"""Codes as features: readers of few labels and neighbours, where the answer is known."""

import numpy as np
import pytest

from simulacra.errors import UserError
from simulacra.evaluation.probes import linear_probe, retrieval_precision, retrieved

DRAW = np.random.default_rng(0)
LABEL = DRAW.integers(4, size=2000)
TOLD, HELD = slice(1000), slice(1000, None)


def probed(codes: np.ndarray, label: np.ndarray = LABEL, **options: int) -> float:
    return linear_probe(codes[TOLD], label[TOLD], codes[HELD], label[HELD], **options)


def test_codes_that_are_the_class_are_read_and_noise_is_not():
    sure = np.eye(4)[LABEL]
    assert probed(sure + 0.01 * DRAW.normal(size=sure.shape)) == 1.0
    assert probed(DRAW.normal(size=(2000, 5))) == pytest.approx(0.25, abs=0.03)
    assert probed(sure, DRAW.permutation(LABEL)) == pytest.approx(0.25, abs=0.05)


def test_two_gaussians_are_read_as_well_as_can_be():
    """At a distance of 2 the best reader is right with probability Phi(1)."""
    label = LABEL % 2
    codes = np.column_stack([2.0 * label + DRAW.normal(size=2000), np.zeros(2000)])
    assert probed(codes, label, each=200) == pytest.approx(0.841, abs=0.03)


def test_only_what_is_linear_is_read():
    sign = DRAW.choice([-1.0, 1.0], size=(2000, 2))
    either = (sign.prod(1) > 0).astype(int)
    assert probed(sign + 0.01 * DRAW.normal(size=sign.shape), either, each=100) == pytest.approx(0.5, abs=0.06)
    assert probed(np.column_stack([sign, sign.prod(1)]), either, each=100) == 1.0


def test_units_of_codes_do_not_matter_and_more_labels_help():
    codes = np.eye(4)[LABEL] + 0.7 * DRAW.normal(size=(2000, 4))
    assert probed(codes * [1e-3, 1.0, 10.0, 1e3] + 5) == pytest.approx(probed(codes), abs=1e-3)
    assert probed(codes, each=100) > probed(codes, each=2) + 0.05


def test_the_nearest_come_first_and_precision_counts_them():
    codes = np.arange(10.0)[:, None]
    rows = retrieved(codes, [[2.2], [9.0]], 3)
    assert rows.tolist() == [[2, 3, 1], [9, 8, 7]]
    assert retrieval_precision(rows, np.arange(10) >= 8, [False, True]) == pytest.approx(5 / 6)


def test_precision_by_chance_is_the_product_of_shares():
    label = (DRAW.random(4000) < 0.8).astype(int)
    codes = DRAW.normal(size=(4000, 2))
    rows = retrieved(codes[:2000], codes[2000:])
    assert retrieval_precision(rows, label[:2000], label[2000:]) == pytest.approx(0.8**2 + 0.2**2, abs=0.02)
    assert retrieval_precision(retrieved(label[:2000, None], label[2000:, None]), label[:2000], label[2000:]) == 1.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: linear_probe(np.zeros((5, 2)), np.zeros(4), np.zeros((5, 2)), np.zeros(5)), "reshape"),
        (lambda: linear_probe(np.zeros((5, 2)), np.zeros(5), np.zeros((5, 3)), np.zeros(5)), "reshape"),
        (lambda: linear_probe(np.zeros((30, 2)), np.zeros(30), np.zeros((5, 2)), np.zeros(5)), "two classes"),
        (lambda: probed(np.zeros((2000, 2)), each=900), "900 events each"),
        (lambda: retrieved(np.zeros((5, 2)), np.zeros((1, 2)), 6), "1 to 5 neighbours, came 6"),
        (lambda: retrieval_precision([[0, 1]], [0, 1], [0, 1]), "reshape"),
    ],
)
def test_what_cannot_be_measured_is_refused(call, words):
    with pytest.raises(UserError, match=words):
        call()
