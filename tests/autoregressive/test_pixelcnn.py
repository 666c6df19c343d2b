"""Laws of PixelCNN."""

import math
from typing import Any

import pytest
import torch

from simulacra.autoregressive.pixels import HEADS, PixelCNN, logistic
from simulacra.autoregressive.rows import RowStack
from simulacra.batch import Batch, Field
from simulacra.networks.gated import GatedStack


def strong(model: Any) -> Any:
    """The model with large weights, so that what it sees matters."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model.double()


def test_a_pixel_sees_all_before_it_and_none_after():
    stack = strong(GatedStack(2, 4, 7))
    side = 6
    for row, column in [(0, 0), (2, 3), (3, 5), (5, 5), (5, 0)]:
        x = torch.randn(1, 2, side, side).double().requires_grad_()
        stack(x)[0, :, row, column].sum().backward()
        assert x.grad is not None
        seen = (x.grad[0] != 0).all(0).flatten()
        before = torch.arange(side * side) < row * side + column
        assert torch.equal(seen, before)


def test_without_the_vertical_stack_there_is_a_blind_spot():
    stack = strong(GatedStack(1, 4, 3))
    for layer in stack.layers:
        torch.nn.init.zeros_(layer.across.weight)
    x = torch.randn(1, 1, 4, 4).double().requires_grad_()
    stack(x)[0, :, 2, 2].sum().backward()
    assert x.grad is not None
    assert (x.grad[0, 0, :2] == 0).all()


@pytest.mark.parametrize(("shape", "levels"), [((1, 3, 3), 2), ((1, 2, 3), 3), ((3, 1, 2), 4), ((1, 1, 1), 5)])
@pytest.mark.parametrize("head", HEADS)
def test_probabilities_of_all_pictures_sum_to_one(shape, levels, head):
    size = shape[0] * shape[1] * shape[2]
    model = strong(PixelCNN(shape, levels, width=3, depth=2, head=head, mixture=2))
    every = torch.cartesian_prod(*[torch.arange(float(levels))] * size).view(-1, *shape).double()
    with torch.no_grad():
        assert model.log_prob(Batch(every)).exp().sum().item() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("shape", [(1, 2, 2), (2, 1, 2)])
def test_draws_follow_the_probabilities(shape):
    given = {"label": Field((), "class", 2)}
    model = PixelCNN(shape, 3, width=3, depth=2, given_fields=given)
    strong(model).float()
    every = torch.cartesian_prod(*[torch.arange(3.0)] * 4).view(-1, *shape)
    torch.manual_seed(1)
    for label in range(2):
        made = model.sample(20_000, {"label": torch.full((20_000,), label)}).x.flatten(1).long()
        count = torch.bincount(made @ torch.tensor([27, 9, 3, 1]), minlength=81)
        with torch.no_grad():
            want = 20_000 * model.log_prob(Batch(every, {"label": torch.full((81,), label)})).exp()
        chi = ((count - want).square() / want)[want > 5]
        assert abs(chi.sum() - len(chi)) < 5 * (2 * len(chi)) ** 0.5


def test_one_logistic_gives_every_level_its_interval():
    output = torch.tensor([0.0, 0.3, -1.0]).double().view(1, 3, 1, 1)
    edges = torch.tensor([-torch.inf, -2 / 3, 0.0, 2 / 3, torch.inf]).double()
    want = ((edges - 0.3) / torch.tensor(-1.0).exp()).sigmoid().diff()
    found = logistic(output, torch.arange(4).view(1, 4, 1, 1), 4)
    assert torch.allclose(found.exp().flatten(), want, atol=1e-12)


def test_a_level_far_from_every_logistic_has_its_logarithm():
    output = torch.tensor([0.0, -0.9, -6.0]).view(1, 3, 1, 1).requires_grad_()
    far = logistic(output, torch.tensor(250).view(1, 1, 1, 1), 256)
    rate, edge = math.exp(6.0), 2 * 249.5 / 255 - 1
    assert far.item() == pytest.approx(-(edge + 0.9) * rate + math.log1p(-math.exp(-2 / 255 * rate)), rel=1e-5)
    far.backward()
    assert output.grad is not None
    assert output.grad[0, 1].item() == pytest.approx(rate, rel=1e-3)


def test_drawing_looks_at_all_that_has_a_say():
    model = strong(PixelCNN((2, 5, 6), 4, width=3, depth=2))
    torch.manual_seed(2)
    noise = {"u": torch.rand(30, 2, 5, 6).double()}
    made = model.push(noise).x
    with torch.no_grad():
        features = model._features(made, {})
        for c in range(2):
            upper = model._log_probs(features, made, c).exp().cumsum(1)
            level = (upper <= noise["u"][:, c : c + 1]).sum(1)
            assert torch.equal(level.double(), made[:, c])


@pytest.mark.parametrize(
    "stack",
    [GatedStack(2, 4, 3, given_size=3), GatedStack(1, 3, 2, given_size=3, size=5), RowStack(2, 3, 2, given_size=3)],
    ids=["gated", "kernels of 5", "rows"],
)
def test_features_pixel_by_pixel_are_those_of_the_whole_picture(stack):
    strong(stack)
    channels = 1 if isinstance(stack, GatedStack) and stack.layers[0].side == 2 else 2
    x, told = torch.randn(4, channels, 6, 7).double(), torch.randn(4, 3).double()
    with torch.no_grad():
        whole, scan = stack(x, told), stack.scan(4, 7, told)
        for row in range(6):
            scan.row(x[:, :, row - 1] if row else torch.zeros(4, channels, 7).double())
            for column in range(7):
                found = scan.pixel(column, x[:, :, row, column - 1] if column else torch.zeros(4, channels).double())
                assert torch.allclose(found, whole[:, :, row, column], atol=1e-12)
