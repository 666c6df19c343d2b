"""Some events of many: from all over a sorted file, and pairs stay pairs."""

import torch

from simulacra.batch import Batch
from simulacra.evaluation.rows import some_of, spread


def test_the_first_of_mixed_events_stand_for_all_and_pairs_stay_pairs():
    x = torch.arange(10_000.0)[:, None]
    first, second = (some_of(Batch(v), 2000, mixed=True).x for v in (x, -x))
    assert torch.equal(first, -second)
    assert len(first.unique()) == 2000
    assert abs(float(first[:500].mean()) - 5000) < 5 * 10_000 / 12**0.5 / 500**0.5
    plain = some_of(Batch(x), 2000).x[:, 0]
    assert bool((plain.diff() >= 4).all())
    assert (float(plain[0]), float(plain[-1])) == (0, 9999)


def test_rows_that_are_few_are_all_taken():
    rows = torch.tensor([3, 1, 4])
    assert torch.equal(spread(rows, 5), rows)
    assert torch.equal(some_of(Batch(torch.arange(9.0)[:, None]), 2, rows).x.flatten(), torch.tensor([3.0, 4.0]))
