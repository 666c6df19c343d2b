"""Laws of PixelRNN."""

from typing import Any

import pytest
import torch

from simulacra.autoregressive.pixels import HEADS
from simulacra.autoregressive.rows import PixelRNN, RowStack
from simulacra.batch import Batch, Field
from simulacra.protocols import Density, NoiseMap


def strong(model: Any) -> Any:
    """The model with large weights, so that what it sees matters."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model.double()


def seen(stack, row, column, side):
    x = torch.randn(1, 2, side, side).double().requires_grad_()
    stack(x)[0, :, row, column].sum().backward()
    assert x.grad is not None
    return (x.grad[0] != 0).all(0)


def test_a_pixel_sees_none_after_it():
    stack, side = strong(RowStack(2, 4, 2)), 10
    order = torch.arange(side * side).view(side, side)
    for row, column in [(0, 0), (2, 3), (3, 9), (9, 9), (9, 0)]:
        assert not seen(stack, row, column, side)[order >= row * side + column].any()


def test_a_pixel_sees_the_triangle_above_it_to_the_top():
    """One layer: the row's own 7 pixels and the 3 states above, whose rows widen by one pixel each."""
    stack, side = strong(RowStack(2, 4, 1)), 12
    found = seen(stack, 11, 6, side)
    for up in range(1, 12):
        row = torch.arange(side)
        assert found[11 - up][(row - 6).abs() <= max(up, 3)].all()
    assert found[11].tolist() == [column < 6 and column >= 2 for column in range(side)]
    assert not seen(stack, 2, 0, side)[1][10:].any()


@pytest.mark.parametrize(("shape", "levels"), [((1, 3, 3), 2), ((1, 4, 2), 2), ((1, 2, 3), 3), ((3, 1, 2), 4)])
@pytest.mark.parametrize("head", HEADS)
def test_probabilities_of_all_pictures_sum_to_one(shape, levels, head):
    size = shape[0] * shape[1] * shape[2]
    model = strong(PixelRNN(shape, levels, width=3, depth=2, head=head, mixture=2))
    every = torch.cartesian_prod(*[torch.arange(float(levels))] * size).view(-1, *shape).double()
    with torch.no_grad():
        assert model.log_prob(Batch(every)).exp().sum().item() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("shape", [(1, 3, 2), (2, 1, 3)])
def test_draws_follow_the_probabilities(shape):
    given = {"label": Field((), "class", 2)}
    model = strong(PixelRNN(shape, 2, width=3, depth=2, given_fields=given)).float()
    assert isinstance(model, NoiseMap)
    assert isinstance(model, Density)
    every = torch.cartesian_prod(*[torch.arange(2.0)] * 6).view(-1, *shape)
    torch.manual_seed(1)
    for label in range(2):
        made = model.sample(20_000, {"label": torch.full((20_000,), label)}).x.flatten(1).long()
        count = torch.bincount(made @ torch.tensor([32, 16, 8, 4, 2, 1]), minlength=64)
        with torch.no_grad():
            want = 20_000 * model.log_prob(Batch(every, {"label": torch.full((64,), label)})).exp()
        chi = ((count - want).square() / want)[want > 5]
        assert abs(chi.sum() - len(chi)) < 5 * (2 * len(chi)) ** 0.5


def test_drawing_row_by_row_is_reading_the_whole_picture():
    model = strong(PixelRNN((2, 9, 6), 4, width=3, depth=2))
    torch.manual_seed(2)
    noise = {"u": torch.rand(20, 2, 9, 6).double()}
    made = model.push(noise).x
    with torch.no_grad():
        features = model._features(made, {})
        for c in range(2):
            upper = model._log_probs(features, made, c).exp().cumsum(1)
            assert torch.equal((upper <= noise["u"][:, c : c + 1]).sum(1).double(), made[:, c])


def test_one_pixel_and_no_events():
    model = PixelRNN((1, 1, 1), 5, width=2, depth=1)
    assert model.log_prob(Batch(torch.zeros(0, 1, 1, 1))).shape == (0,)
    assert model.log_prob(Batch(torch.arange(5.0).view(5, 1, 1, 1))).exp().sum().item() == pytest.approx(1, abs=1e-5)
