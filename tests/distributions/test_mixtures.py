"""Mixture density networks: closed forms, normalisation, samples, and what a mean cannot say."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal

from simulacra import recipes
from simulacra.batch import Batch, DataSpec, Field
from simulacra.distributions import MixtureDensityNetwork
from simulacra.domains import open_data
from simulacra.errors import UserError
from simulacra.evaluation.likelihood import normalisation
from simulacra.protocols import Density, NoiseMap
from simulacra.testing import Unchanged, check_gradients, check_resume

GIVEN = {"energy": Field((1,)), "label": Field((), "class", 3)}


def conditions(n: int) -> dict[str, torch.Tensor]:
    return {"energy": torch.linspace(-1, 1, n)[:, None].double(), "label": torch.arange(n) % 3}


def wild(model: MixtureDensityNetwork, seed: int = 0) -> MixtureDensityNetwork:
    torch.manual_seed(seed)
    with torch.no_grad():
        model.start.add_(torch.randn_like(model.start) * 0.8)
    return model


def fit(model: MixtureDensityNetwork, batch: Batch, steps: int = 60) -> float:
    """The maximum of the likelihood, by a quasi-Newton method; the mean log density there."""
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=steps, line_search_fn="strong_wolfe", tolerance_change=0)

    def closure() -> float:
        optimizer.zero_grad()
        loss = -batch.mean(model.log_prob(batch))
        loss.backward()
        return loss.item()

    optimizer.step(closure)  # type: ignore[arg-type]
    return float(batch.mean(model.log_prob(batch)).detach())


@pytest.mark.parametrize("full", [True, False])
def test_one_component_without_conditions_has_the_moments_of_the_events(full: bool):
    torch.manual_seed(0)
    x = torch.randn(300, 3).double() @ torch.tensor([[1.0, 0.8, -0.5], [0.0, 0.5, 0.9], [0.0, 0.0, 2.0]]).double() + 3
    model = MixtureDensityNetwork((3,), components=1, full=full).double()
    model.begin(Batch(x))
    reached = fit(model, Batch(x))
    cov = x.T.cov(correction=0)
    want = MultivariateNormal(x.mean(0), cov if full else torch.diag(cov.diagonal())).log_prob(x).mean()
    assert reached == pytest.approx(float(want), abs=1e-6)
    assert torch.allclose(model.components(1)[1][0, 0], x.mean(0), atol=1e-3)


def test_linear_with_one_width_is_least_squares():
    torch.manual_seed(0)
    told = {"energy": torch.randn(400, 1).double()}
    x = 2 * told["energy"] @ torch.tensor([[1.0, -0.5]]).double() + 0.3 + 0.2 * torch.randn(400, 2).double()
    model = MixtureDensityNetwork(
        (2,), {"energy": GIVEN["energy"]}, 1, full=False, hidden=(), heteroscedastic=False
    ).double()
    fit(model, Batch(x, told))
    design = torch.cat([told["energy"], torch.ones(400, 1)], 1).double()
    best = torch.linalg.lstsq(design, x).solution
    _, mean, width, _ = model.components(400, told)
    assert torch.allclose(mean[:, 0], design @ best, atol=1e-4)
    assert torch.allclose(width[:, 0], (x - design @ best).square().mean(0).sqrt().expand(400, 2), atol=1e-4)


def test_the_width_follows_the_condition():
    torch.manual_seed(0)
    c = torch.rand(3000, 1).double()
    sigma = 0.1 + 0.6 * c
    x = (3 * c).sin() + sigma * torch.randn(3000, 1).double()
    model = MixtureDensityNetwork((1,), {"c": Field((1,))}, 1, hidden=(16,)).double()
    fit(model, Batch(x, {"c": c}), 80)
    at = torch.linspace(0.1, 0.9, 9)[:, None].double()
    _, _, width, _ = model.components(9, {"c": at})
    assert (width[:, 0] / (0.1 + 0.6 * at) - 1).abs().max() < 0.1


def test_two_answers_are_found_where_the_mean_is_neither():
    """x^2 + noise = c: given c, x is one of two numbers."""
    torch.manual_seed(0)
    x = torch.randn(2000, 1).double()
    batch = Batch(x, {"c": x.square() + 0.1 * torch.randn(2000, 1).double()})
    reached = {}
    for count in (1, 4):
        torch.manual_seed(1)
        model = MixtureDensityNetwork((1,), {"c": Field((1,))}, count, hidden=(16,)).double()
        model.begin(batch)
        optimizer, loss = torch.optim.Adam(model.parameters(), 0.02), torch.zeros(())
        for _ in range(400):
            optimizer.zero_grad()
            loss = -model.log_prob(batch).mean()
            loss.backward()
            optimizer.step()
        reached[count] = -loss.item()
    assert reached[4] > reached[1] + 0.8
    made = model.sample(500, {"c": torch.ones(500, 1).double()}).x
    assert ((made.abs() - 1).abs() < 0.3).double().mean() > 0.95
    assert 0.35 < (made > 0).double().mean() < 0.65


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("size", [1, 2])
def test_a_density_is_normalised(size: int, full: bool):
    model = wild(MixtureDensityNetwork((size,), GIVEN, 3, full))
    told = {"energy": torch.full((1, 1), 0.4), "label": torch.tensor([2])}
    found = normalisation(model, Unchanged(), [(-20.0, 20.0)] * size, 513, told)
    assert found.value == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("full", [True, False])
def test_a_component_is_a_gaussian_and_samples_are_of_the_density(full: bool):
    model = wild(MixtureDensityNetwork((3,), GIVEN, 2, full)).double()
    told = {"energy": torch.full((1, 1), -0.3).double(), "label": torch.tensor([1])}
    log_weight, mean, width, regression = (part[0] for part in model.components(1, told))
    root = torch.linalg.solve(torch.eye(3, dtype=torch.float64) - regression, torch.diag_embed(width))
    cov = root @ root.mT
    assert bool((regression != 0).any()) == full
    x = torch.randn(20, 3).double()
    each = torch.stack([MultivariateNormal(m, c).log_prob(x) for m, c in zip(mean, cov, strict=True)], 1)
    many = {name: value.expand(20, *value.shape[1:]) for name, value in told.items()}
    torch.testing.assert_close(model.log_prob(Batch(x, many)), (log_weight + each).logsumexp(1))
    made = model.sample(40_000, {name: value.expand(40_000, *value.shape[1:]) for name, value in told.items()}).x
    weight = log_weight.exp()
    centre = weight @ mean
    gap = mean - centre
    want = (weight[:, None, None] * (cov + gap[:, :, None] * gap[:, None])).sum(0)
    spread = want.diagonal().sqrt()
    assert ((made.mean(0) - centre).abs() < 5 * spread / 200).all()
    assert ((made.T.cov() - want).abs() < 0.05 * spread[:, None] * spread).all()


def test_weights_are_repeated_events():
    torch.manual_seed(0)
    x, weight = torch.randn(5, 2).double(), torch.tensor([1.0, 2.0, 0.0, 3.0, 1.0]).double()
    model = wild(MixtureDensityNetwork((2,), components=2)).double()
    heavy = Batch(x, weight=weight)
    again = Batch(x[torch.arange(5).repeat_interleave(weight.long())])
    torch.testing.assert_close(heavy.mean(model.log_prob(heavy)), again.mean(model.log_prob(again)))


def test_equal_events_far_events_and_one_event_are_no_accident():
    model = MixtureDensityNetwork((2,), GIVEN, 4)
    told = {name: value[:1].float() for name, value in conditions(3).items()} | {"label": torch.tensor([0])}
    model.begin(Batch(torch.ones(1, 2), told))
    for value in (1.0, 1e6, -1e6):
        assert torch.isfinite(model.log_prob(Batch(torch.full((1, 2), value), told))).all()
    far = {"energy": torch.full((1, 1), 1e6), "label": torch.tensor([0])}
    assert torch.isfinite(model.log_prob(Batch(torch.ones(1, 2), far))).all()
    assert torch.isfinite(model.sample(1, far).x).all()
    flat = MixtureDensityNetwork((2,), components=2).double()
    x = torch.ones(50, 2).double()
    flat.begin(Batch(x))
    assert math.isfinite(fit(flat, Batch(x), 50))
    with pytest.raises(UserError, match="expected at least one component, came 0"):
        MixtureDensityNetwork((2,), components=0)


def test_the_recipe_listens_to_conditions_and_resumes():
    data = open_data("toys:ring8", rows=300, labels=True)
    recipe = recipes.find("mdn")
    small = {"components": 2, "hidden": (8,), "batch_size": 32}

    def build():
        return recipe.build(data.spec, recipe.resolve(small))

    check_resume(build, data, 4, [2])
    check_gradients(build, data, 20)
    model = build().model
    assert isinstance(model, Density)
    assert isinstance(model, NoiseMap)
    noise = model.noise(8)
    one, other = (model.push(noise, {"label": torch.full((8,), k)}).x.numpy() for k in (0, 3))
    assert not np.allclose(one, other)
    with pytest.raises(UserError, match="expected the layout vector for mdn"):
        recipe.build(DataSpec("dots", "image", Field((1, 8, 8))), recipe.resolve({}))
