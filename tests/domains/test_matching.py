"""Conditions of one data set as another describes them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from simulacra.batch import Batch, DataSpec, Field
from simulacra.domains import open_data
from simulacra.domains.matching import described, matched, retold
from simulacra.errors import UserError


def spec(**given: Field) -> DataSpec:
    return DataSpec("events", "vector", Field((1,)), given)


def told(**given: torch.Tensor) -> Batch:
    return Batch(torch.zeros(len(next(iter(given.values()))), 1), given)


def kinds(*names: str, levels: int = 0) -> Field:
    return Field((), "class", levels or len(names), names=names)


def test_classes_go_by_their_names_where_both_have_them() -> None:
    events = told(kind=torch.tensor([0, 1, 1, 2]))
    of, to = spec(kind=kinds("a", "b", "c")), spec(kind=kinds("c", "a", "x", "b"))
    assert retold(events, of, to).given["kind"].tolist() == [1, 3, 3, 0]
    assert retold(events, of, spec(kind=kinds(levels=3))).given["kind"].tolist() == [0, 1, 1, 2]
    assert described(of, to).given["kind"].names == ("c", "a", "x", "b")
    with pytest.raises(UserError, match="expected 'kind' among a, b, events has 'c'; rename or remove it"):
        retold(events, of, spec(kind=kinds("a", "b")))
    assert retold(events[:3], of, spec(kind=kinds("a", "b"))).given["kind"].tolist() == [0, 1, 1]


def test_whole_numbers_become_classes_and_classes_numbers() -> None:
    real, whole = spec(kind=Field((1,))), spec(kind=kinds(levels=3))
    back = retold(told(kind=torch.tensor([[2.0], [0.0]])), real, whole).given["kind"]
    assert back.dtype == torch.long
    assert back.tolist() == [2, 0]
    assert retold(told(kind=back), whole, real).given["kind"].tolist() == [[2.0], [0.0]]
    with pytest.raises(UserError, match="expected whole numbers for the class 'kind', events has others"):
        retold(told(kind=torch.tensor([[0.5]])), real, whole)
    with pytest.raises(UserError, match="expected 'kind' from 0 to 2, events has 3; remove what is unknown"):
        retold(told(kind=torch.tensor([3, 1])), spec(kind=kinds(levels=4)), whole)
    with pytest.raises(UserError, match=r"expected 'kind' of shape \(1,\), events has \(2,\)"):
        retold(told(kind=torch.zeros(1, 2)), spec(kind=Field((2,))), real)


def test_a_file_is_read_as_another_describes_it(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", x=np.eye(3), kind=np.array([0, 1, 0]), kind_names=np.array(["e", "g"]), t=np.ones(3))
    np.savez(tmp_path / "b.npz", x=np.eye(3), kind=np.array([1, 0, 1]), kind_names=np.array(["g", "e"]))
    first, second = open_data(tmp_path / "a.npz"), open_data(tmp_path / "b.npz")
    assert matched(first, first.spec) is first
    view = matched(second, first.spec)
    assert len(view) == 3
    assert torch.equal(view[:].given["kind"], first[:].given["kind"])
    assert view.spec.given == {"kind": first.spec.given["kind"]}


def test_numbers_that_single_precision_cannot_tell_apart_are_refused(tmp_path) -> None:
    times = 1.7e9 + np.linspace(0, 3600, 50)
    for arrays in ({"x": np.stack([np.arange(50.0), times], 1)}, {"x": np.arange(50.0), "time": times}):
        np.savez(tmp_path / "t.npz", **arrays)
        with pytest.raises(UserError, match=r"varies by 1\.06e\+03 around 1700001800; subtract an offset first"):
            open_data(tmp_path / "t.npz")
    for fine in (
        times - 1.7e9,
        np.full(50, 0.1),
        0.1 + 1e-17 * np.arange(50),
        1e6 + np.arange(50.0),
        times * 0 + 1.7e9,
    ):
        np.savez(tmp_path / "t.npz", x=fine)
        assert len(open_data(tmp_path / "t.npz")) == 50
