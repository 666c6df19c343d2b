"""What a critic looks at, attribute vectors and learned encoders, where the answer is known on paper."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from simulacra.batch import Batch, DataSpec, Field, Given, Noise
from simulacra.errors import UserError
from simulacra.evaluation.attributes import attribute
from simulacra.evaluation.inversion import Inverse, inversion_error, invert, own_events
from simulacra.evaluation.memorisation import nearest, nearest_distance
from simulacra.evaluation.saliency import ascend, saliency, smoothgrad
from simulacra.testing import Unchanged


class Linear(nn.Module):
    """x = A z."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.matrix = nn.Parameter(matrix)

    def noise(self, n: int) -> Noise:
        return {"z": torch.randn(n, self.matrix.shape[1])}

    def push(self, noise: Noise, given: Given = {}) -> Batch:
        return Batch(noise["z"] @ self.matrix.T, given)

    def sample(self, n: int, given: Given = {}) -> Batch:
        return self.push(self.noise(n), given)


@pytest.fixture
def model() -> Linear:
    generator = torch.Generator().manual_seed(1)
    return Linear(torch.linalg.qr(torch.randn(5, 2, generator=generator)).Q)


def test_a_linear_critic_has_its_weights_for_saliency_with_and_without_noise():
    weights = torch.tensor([1.0, -2.0, 0.5])
    x = torch.randn(4, 3)
    for found in (saliency(lambda x: x @ weights, x), smoothgrad(lambda x: x @ weights, x, count=3)):
        assert torch.allclose(found, weights.expand(4, 3), atol=1e-6)


def test_saliency_leaves_no_gradient_behind():
    net, x = nn.Linear(3, 1), torch.randn(2, 3, requires_grad=True)
    with torch.no_grad():
        saliency(lambda x: net(x)[:, 0], x)
        ascend(lambda x: net(x)[:, 0], x, steps=2)
    assert x.grad is None
    assert all(p.grad is None for p in net.parameters())


def test_noise_smooths_what_is_finer_than_it():
    """Of sin(k x) with noise s the mean slope is k cos(k x) exp(-k^2 s^2 / 2)."""
    k, x = 30.0, torch.tensor([[0.0, 1.0]])
    rough = saliency(lambda x: torch.sin(k * x).sum(1), x)
    smooth = smoothgrad(lambda x: torch.sin(k * x).sum(1), x, noise=0.1, count=2000)
    assert rough.abs().max() == pytest.approx(k)
    assert smooth.abs().max() < k * np.exp(-(k**2) * 0.01 / 2) + 4 * k / np.sqrt(2 * 2000)
    assert torch.equal(smooth, smoothgrad(lambda x: torch.sin(k * x).sum(1), x, noise=0.1, count=2000))


def test_the_way_up_rises_in_equal_steps_and_stays_inside():
    way, scores = ascend(lambda x: -(x - 3).square().sum((1, 2)), torch.zeros(2, 3, 3), steps=20, length=0.1)
    assert (scores.diff(dim=0) > 0).all()
    lengths = way.diff(dim=0).flatten(2).square().mean(2).sqrt()
    assert torch.allclose(lengths, torch.full_like(lengths, 0.1), atol=1e-6)
    held, _ = ascend(lambda x: x.sum((1, 2)), torch.zeros(2, 3, 3), steps=20, length=0.1, limits=(-1.0, 1.0))
    assert held.max() == 1
    with pytest.raises(UserError, match="at least one step"):
        ascend(lambda x: x.sum(1), torch.zeros(1, 2), steps=0)


def test_an_attribute_vector_points_where_the_attribute_rises(model):
    """Of y = w x = (A^T w) z with normal z, E[z | y] lies along A^T w."""
    torch.manual_seed(2)
    z, w = torch.randn(20_000, 2), torch.tensor([1.0, 2.0, 0.0, -1.0, 0.5])
    y = model.push({"z": z}).x.detach() @ w
    vector, along = attribute(z, y), model.matrix.detach().T @ w
    assert torch.cosine_similarity(vector, along, dim=0) > 0.999
    top = 1.755  # E[y | y in its uppermost tenth] of a standard normal
    assert vector.norm() == pytest.approx(2 * top, rel=0.03)
    assert torch.cosine_similarity(attribute(z, -y), along, dim=0) < -0.999
    with pytest.raises(UserError, match="one number per latent"):
        attribute(z, y[:5])


def test_an_encoder_learns_to_invert_its_generator(model):
    """x = A z with orthonormal columns: z = A^T x; what lies off the plane is left, and only that."""
    data = DataSpec("five", "vector", Field((5,)))
    torch.manual_seed(3)
    inverse = Inverse(model, Unchanged(), data, hidden=(64, 64))
    real = Batch(torch.randn(200, 5))
    _, before = inverse.error(real)
    course = inverse.learn({}, steps=400, lr=3e-3)
    found, after = inverse.error(real)
    assert course[0] > 0.5 > 0.02 > np.mean(course[-20:])
    assert after.floor < 0.2 * before.floor
    off = (real.x - real.x @ model.matrix.detach() @ model.matrix.detach().T).square().mean(1).sqrt()
    assert (found.distance >= off - 1e-5).all()
    assert float((found.distance - off).mean()) < 0.15
    assert all(p.grad is None for p in model.parameters())
    _, searched = inversion_error(model, Unchanged(), real, restarts=1, steps=60, first=inverse)
    assert searched.value == pytest.approx(float(off.mean()), abs=0.01)
    assert searched.floor < 0.01


def test_a_search_from_the_right_latents_stays_there(model):
    own = own_events(model, Unchanged(), Batch(torch.zeros(7, 5)), seed=4)

    def first(batch: Batch) -> Noise:
        return {"z": batch.x @ model.matrix}

    exact = invert(model, Unchanged(), own, restarts=3, steps=1, lr=1e-9, first=first)
    lost = invert(model, Unchanged(), own, restarts=3, steps=1, lr=1e-9)
    assert exact.distance.max() < 1e-6
    assert lost.distance.min() > 0.01


def test_the_nearest_row_is_the_one_at_the_nearest_distance():
    draw = np.random.default_rng(5)
    x, others = draw.normal(size=(50, 6)), draw.normal(size=(80, 6))
    rows, distance = nearest(x, others, block=7)
    assert np.allclose(np.linalg.norm(x - others[rows], axis=1), distance, atol=1e-5)
    assert np.array_equal(distance, nearest_distance(x, others))
    assert np.array_equal(distance, nearest_distance(x.reshape(50, 1, 2, 3), others))


def test_only_the_latents_that_are_named_are_read():
    class Sized(Linear):
        def noise(self, n: int) -> Noise:
            return {**super().noise(n), "noise0": torch.randn(n, 16)}

    inverse = Inverse(Sized(torch.eye(5, 2)), Unchanged(), DataSpec("five", "vector", Field((5,))), names=["z"])
    batch = Batch(torch.randn(3, 5))
    assert set(inverse.reader(batch.x, {}).guess) == {"z"}
    one, other = inverse(batch), inverse(batch)
    assert torch.equal(one["z"], other["z"])
    assert not torch.equal(one["noise0"], other["noise0"])


def test_an_encoder_is_asked_in_evaluation_mode(model):
    asked = []

    class First(nn.Module):
        def forward(self, batch: Batch) -> Noise:
            asked.append(self.training)
            return {"z": batch.x[:, :2]}

    model.first = First()
    model.train()
    invert(model, Unchanged(), Batch(torch.randn(3, 5)), restarts=1, steps=1, first=model.first)
    assert asked == [False]
    assert model.first.training
