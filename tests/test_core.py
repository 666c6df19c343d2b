"""The nouns: batches, descriptions, units, messages."""

from __future__ import annotations

import pytest
import torch

from simulacra.batch import Batch, DataSpec, Field, join
from simulacra.errors import UserError, nearest
from simulacra.units import convert, parse


def batch(n=6):
    return Batch(torch.arange(2.0 * n).view(n, 2), {"energy": torch.arange(n).view(n, 1)}, None, torch.arange(n) + 1.0)


def test_rows_follow_everything_that_a_batch_carries():
    part = batch()[torch.tensor([4, 1])]
    assert part.x[:, 0].tolist() == [8, 2]
    assert part.given["energy"].flatten().tolist() == [4, 1]
    assert part.weight.tolist() == [5, 2]


def test_weighted_mean_equals_the_mean_of_replicated_events():
    events = batch()
    again = events[torch.repeat_interleave(torch.arange(6), events.weight.long())]
    assert torch.allclose(events.mean(events.x), again.x.mean(0))


def test_join_undoes_cutting():
    events = batch()
    assert torch.equal(join([events[:2], events[2:]]).x, events.x)
    assert torch.equal(join([events[:2], events[2:]]).weight, events.weight)


def test_unequal_rows_are_refused():
    with pytest.raises(ValueError, match="expected 3 rows of 'energy'"):
        Batch(torch.zeros(3, 1), {"energy": torch.zeros(2, 1)})


def test_a_description_survives_json():
    spec = DataSpec(
        "d",
        "layers",
        Field((5,), unit="MeV"),
        {"energy": Field((1,), unit="MeV", range=(1, 9))},
        {"a": (2,), "b": (3, 1)},
    )
    assert DataSpec.from_json(spec.to_json()) == spec
    assert spec.slices()["b"] == slice(2, 5)
    with pytest.raises(UserError, match="the condition 'label'"):
        spec.need("label")
    with pytest.raises(ValueError, match="events of shape"):
        spec.check(Batch(torch.zeros(2, 4)))


@pytest.mark.parametrize(("text", "value"), [("50GeV", 5e4), ("0.5 TeV", 5e5), ("3", 3.0), ("1e3keV", 1.0)])
def test_quantities(text, value):
    assert parse(text, "MeV") == pytest.approx(value)


@pytest.mark.parametrize("text", ["GeV", "fast", "1GeVV", "nan", "5mm", "", "1 2", "inf"])
def test_wrong_quantities_are_one_line(text):
    with pytest.raises(UserError, match=r"expected .* came"):
        parse(text, "MeV")


def test_a_unit_where_there_is_none_is_refused():
    assert parse("50", "") == 50
    with pytest.raises(UserError, match="expected a number without a unit, came '50GeV'; write 50"):
        parse("50GeV", "")


def test_units_convert_both_ways():
    assert convert(convert(3.0, "cm", "mm"), "mm", "cm") == pytest.approx(3.0)


def test_the_nearest_word():
    assert "wgan_gp" in nearest("wgan-gp", ["wgan_gp", "gan"])
