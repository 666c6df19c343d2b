"""Latent spaces: circles, quantiles and linear generators, for which every answer is known on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import Tensor, nn
from torch.distributions import Distribution, Normal

from simulacra.batch import Batch, DataSpec, Field, Given, Noise
from simulacra.domains.standard import Standardize
from simulacra.domains.toys import TOYS
from simulacra.errors import UserError
from simulacra.evaluation.attributes import analogy, arithmetic
from simulacra.evaluation.inversion import inversion_error, invert
from simulacra.evaluation.latent import codes, decode, manifold, path_length, slerp, truncate, truncation_curve, walk
from simulacra.evaluation.measurement import Measurement
from simulacra.protocols import NoiseMap
from simulacra.testing import Unchanged
from simulacra.workflow import fit


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

    def encode(self, batch: Batch) -> Distribution:
        return Normal(batch.x @ torch.linalg.pinv(self.matrix).T, 0.1)


@pytest.fixture(scope="module")
def matrix() -> Tensor:
    return torch.randn(5, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def flow(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flow") / "run"
    shape = {"layers": 4, "hidden": (32,), "decay": 0.98}
    return fit(
        "realnvp", "toys:moons", folder, rows=6000, rounds=120, batch_size=256, threads=1, arguments=shape
    ).experiment


@pytest.fixture(scope="module")
def gan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gan") / "run"
    return fit("gan", "toys:moons", folder, rows=6000, rounds=80, threads=1, arguments={"hidden": 32}).experiment


def test_slerp_keeps_norm_and_angular_speed():
    a, b = (torch.randn(40, 6, dtype=torch.float64) for _ in range(2))
    a, b = a / a.norm(dim=1, keepdim=True) * 3, b / b.norm(dim=1, keepdim=True) * 3
    assert torch.allclose(slerp(a, b, 0.0), a)
    assert torch.allclose(slerp(a, b, 1.0), b)
    whole = torch.acos((a * b).sum(1) / 9)
    for t in (0.1, 0.5, 0.7):
        middle = slerp(a, b, t)
        assert torch.allclose(middle.norm(dim=1), torch.full((40,), 3.0, dtype=torch.float64))
        assert torch.allclose(torch.acos((a * middle).sum(1) / 9), t * whole)
        assert torch.allclose(middle, slerp(b, a, 1 - t))
    straight = (a + b) / 2
    assert (straight.norm(dim=1) < 3 - 1e-3).all()


def test_slerp_at_its_limits():
    a = torch.randn(4, 3)
    assert torch.allclose(slerp(a, 3 * a, 0.25), 1.5 * a)
    assert torch.allclose(slerp(a, a + 1e-5, 0.5), a, atol=1e-4)
    picture = torch.randn(2, 3, 4, 4)
    other = torch.randn(2, 3, 4, 4)
    assert torch.allclose(slerp(picture, other, 0.3).flatten(1), slerp(picture.flatten(1), other.flatten(1), 0.3))
    with pytest.raises(UserError, match="not opposite"):
        slerp(a, -a, 0.5)


def test_walks_pass_their_points():
    points = {"z": torch.randn(4, 5), "code": torch.tensor([0, 1, 2, 3]), "kind": torch.eye(4)}
    path = walk(points, 6)
    assert torch.equal(path["kind"], torch.eye(4)[path["code"]])
    assert path["z"].shape == (19, 5)
    assert torch.allclose(path["z"][::6], points["z"], atol=1e-6)
    assert path["code"].tolist() == [0] * 6 + [1] * 6 + [2] * 6 + [3]
    straight = walk(points, 6, spherical=False)["z"]
    steps = straight.diff(dim=0).norm(dim=1).view(3, 6)
    assert torch.allclose(steps, steps[:, :1].expand(3, 6), atol=1e-5)
    with pytest.raises(UserError, match="at least two points"):
        walk({"z": torch.zeros(1, 2)})


def test_manifold_has_equal_shares_of_the_prior():
    z = manifold(10, size=4, axes=(1, 3))
    assert z.shape == (100, 4)
    assert (z[:, [0, 2]] == 0).all()
    share = norm.cdf(z[:, [1, 3]].double().numpy())
    assert np.unique(share.round(6)) == pytest.approx((np.arange(10) + 0.5) / 10, abs=1e-6)
    assert torch.allclose(z, -z.flip(0), atol=1e-6)


@pytest.mark.parametrize("blur", [0.5, 1.0])
def test_arithmetic_needs_several_exemplars(blur: float):
    """Two attributes at -1 and 1, each blurred: k exemplars leave the blur sqrt(3 / k)."""
    generator = torch.Generator().manual_seed(1)

    def people(smile: float, man: float) -> Tensor:
        return torch.tensor([smile, man]) + blur * torch.randn(3000, 2, generator=generator)

    def label(z: Tensor) -> Tensor:
        return 2 * (z[:, 0] > 0).long() + (z[:, 1] > 0)

    chance = torch.randn(4000, 2, generator=generator)
    found = arithmetic(label, people(1, -1), people(-1, -1), people(-1, 1), 3, chance, trials=1500)
    for k in (1, 3, 10):
        m = found[f"arithmetic/{k}"]
        assert m.value == pytest.approx(norm.cdf(1 / blur / math.sqrt(3 / k)) ** 2, abs=4 * m.error + 1e-3)
        assert m.floor == pytest.approx(0.25, abs=4 * m.floor_error)
        assert m.above_floor > 5
    with pytest.raises(UserError, match="expected 10 latents"):
        arithmetic(label, chance[:5], chance, chance, 3, chance)


def test_analogy_of_exact_attributes_is_exact():
    base, smile = torch.randn(7), torch.randn(7)
    woman, man = base + torch.zeros(4, 7), -base + torch.zeros(2, 7)
    assert torch.allclose(analogy(woman + smile, woman, man), man[0] + smile, atol=1e-6)


def test_truncation_of_a_linear_generator(matrix: Tensor):
    """Spread falls as psi; what lies within a radius rises as the law of the radius says."""
    model = Linear(torch.eye(2))

    def inside(features: np.ndarray) -> dict[str, Measurement]:
        share = float((np.linalg.norm(features, axis=1) < 2).mean())
        return {"inside": Measurement(share, math.sqrt(share * (1 - share) / len(features)))}

    real = np.random.default_rng(2).normal(size=(4000, 2))
    found = truncation_curve(model, Unchanged(), lambda b: b.x, real, inside, (0.5, 1.0, 1.5), n=4000)
    for psi, m in found.items():
        assert m["spread"].value == pytest.approx(psi * math.sqrt(2), abs=4 * m["spread"].error)
        assert m["inside"].value == pytest.approx(1 - math.exp(-2 / psi**2), abs=4 * m["inside"].error + 1e-3)
    assert abs(found[1.0]["spread"].above_floor) < 4
    assert found[0.5]["spread"].above_floor < -20
    seen = [
        truncation_curve(model, Unchanged(), lambda b: b.x, real, lambda _: {}, (1.0,), n=100, seed=s)[1.0]["spread"]
        for s in range(300)
    ]
    assert np.mean([m.error for m in seen]) == pytest.approx(np.std([m.value for m in seen], ddof=1), rel=0.15)
    centre = {"z": torch.ones(2)}
    assert truncate({"z": torch.zeros(1, 2)}, 0.25, centre)["z"].tolist() == [[0.75, 0.75]]
    assert truncate({"code": torch.tensor([3])}, 0.0)["code"].item() == 3


def test_truncation_of_a_trained_flow(flow):
    real = TOYS["moons"].sample(2000, seed=3)
    truth = TOYS["moons"].log_prob

    def likely(features: np.ndarray) -> dict[str, Measurement]:
        values = truth(torch.from_numpy(features).float())
        return {"spread of z": Measurement(float(values.exp().mean()), float(values.exp().std() / len(values) ** 0.5))}

    curve = truncation_curve(flow.model, flow.codec, lambda b: b.x, real, likely, (0.0, 0.5, 1.0), n=2000)
    spread = [curve[psi]["spread"].value for psi in (0.0, 0.5, 1.0)]
    assert spread[0] == pytest.approx(0, abs=1e-5)
    assert spread == sorted(spread)
    full = curve[1.0]["spread"]
    assert full.value == pytest.approx(full.floor, rel=0.1)


def test_path_length_of_a_linear_generator(matrix: Tensor):
    model = Linear(matrix)
    found = path_length(model, lambda b: b.x, n=4000, spherical=False)
    assert found.value == pytest.approx(2 * matrix.square().sum().item(), abs=4 * found.error)
    assert found.value == pytest.approx(found.floor, rel=1e-3)  # a straight path attains the floor
    doubled = path_length(model, lambda b: 2 * b.x, n=4000, spherical=False)
    assert doubled.value == pytest.approx(4 * found.value, rel=1e-3)


def test_path_length_on_a_circle():
    class Circle(Linear):
        def noise(self, n: int) -> Noise:
            angle = 2 * math.pi * torch.rand(n)
            return {"z": torch.stack([angle.cos(), angle.sin()], 1)}

    found = path_length(Circle(torch.eye(2)), lambda b: b.x, n=20_000)
    assert found.value == pytest.approx(math.pi**2 / 3, abs=4 * found.error)  # the angle is uniform on 0 to pi
    assert found.floor == pytest.approx(2, abs=4 * found.floor_error)


def test_path_length_along_some_latents():
    class Noisy(Linear):
        def noise(self, n: int) -> Noise:
            return {"z": torch.randn(n, 3), "kind": torch.eye(2)[torch.randint(2, (n,))], "noise": torch.randn(n, 2)}

        def push(self, noise: Noise, given: Given = {}) -> Batch:
            return Batch(noise["z"] @ self.matrix.T + 5 * (noise["noise"] * noise["kind"]).sum(1, keepdim=True), given)

    class Quiet(Noisy):
        def noise(self, n: int) -> Noise:
            return {**super().noise(n), "noise": torch.tensor([1.0, -1.0]).expand(n, 2)}

    matrix = torch.tensor([[1.0, 2.0, -1.0]])

    def measure(model: Noisy, along: list[str] | None = None) -> Measurement:
        return path_length(model, lambda b: b.x, along=along, n=4000, spherical=False)

    quiet = measure(Quiet(matrix))
    assert quiet.value == pytest.approx(12, abs=4 * quiet.error)
    alone = measure(Noisy(matrix), along=["z"])
    assert alone.value == pytest.approx(12, abs=4 * alone.error)
    assert measure(Noisy(matrix)).value > 24
    with pytest.raises(UserError, match="among z, kind, noise, came w"):
        measure(Noisy(matrix), along=["w"])


def test_crooked_generators_have_longer_paths(flow, gan):
    crooked = path_length(Linear(torch.eye(2)), lambda b: torch.sin(4 * b.x), n=2000, spherical=False)
    assert crooked.above_floor > 10
    for trained in (flow, gan):
        found = path_length(trained.model, lambda b: b.x, n=500)
        assert found.value > found.floor - 3 * found.error


def test_inversion_of_a_linear_generator_is_least_squares(matrix: Tensor):
    model = Linear(matrix)
    model.train()
    x = torch.randn(6, 5, generator=torch.Generator().manual_seed(4))
    best = torch.linalg.lstsq(matrix, x.T).solution.T
    found = invert(model, Unchanged(), Batch(x), restarts=2)
    assert torch.allclose(found.noise["z"], best, atol=1e-3)
    assert torch.allclose(found.distance, (best @ matrix.T - x).square().mean(1).sqrt(), atol=1e-5)
    assert model.training
    assert model.matrix.grad is None
    ridge = torch.linalg.solve(matrix.T @ matrix / 5 + 0.7 / 3 * torch.eye(3), matrix.T @ x.T / 5).T
    held = invert(model, Unchanged(), Batch(x), restarts=2, prior=0.7)
    assert torch.allclose(held.noise["z"], ridge, atol=1e-3)


def test_inversion_of_a_trained_flow_is_its_inverse(flow):
    x = TOYS["moons"].sample(20, seed=5)
    found = invert(flow.model, flow.codec, Batch(x), restarts=4, steps=400)
    with torch.no_grad():
        z, _ = flow.model.bijection.to_latent(flow.codec.encode(Batch(x)).x, {})
    assert found.distance.max() < 0.01
    assert torch.allclose(found.noise["z"], z, atol=0.05)
    back = decode(flow.model, flow.codec, found.noise)
    assert torch.allclose(back.x, x, atol=0.02)


def test_restarts_and_floor_of_a_trained_gan(gan):
    assert isinstance(gan.model, NoiseMap)
    x = TOYS["moons"].sample(40, seed=6)
    one = invert(gan.model, gan.codec, Batch(x), restarts=1, steps=60)
    many, found = inversion_error(gan.model, gan.codec, Batch(x), restarts=6, steps=60)
    assert many.distance.mean() <= one.distance.mean()
    assert found.value == pytest.approx(many.distance.mean().item())
    assert found.floor < 0.02  # own events have a latent
    far = Batch(x + 30)
    assert inversion_error(gan.model, gan.codec, far, restarts=2, steps=60)[1].above_floor > 10


def test_codes_of_an_encoder(matrix: Tensor):
    model = Linear(matrix)
    z = torch.randn(8, 3)
    codec = Standardize(DataSpec("points", "vector", Field((5,)), rows=2))
    codec.fit([Batch(torch.tensor([[1.0] * 5, [5.0] * 5]))])
    batch = decode(model, codec, {"z": z})
    assert torch.allclose(batch.x, 3 + 2 * z @ matrix.T, atol=1e-5)
    assert torch.allclose(codes(model, codec, batch), z, atol=1e-4)
    with pytest.raises(UserError, match="at least one restart"):
        invert(model, codec, batch, restarts=0)
