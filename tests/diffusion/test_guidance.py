"""Classifier guidance: Bayes' rule with exact parts, and the recipe's two players."""

import pytest
import torch
from torch import nn

from simulacra import recipes
from simulacra.batch import Batch, DataSpec, Field
from simulacra.diffusion import EDM, Chain, ProbabilityFlow, VariancePreserving
from simulacra.diffusion.diffusion import DeterministicDiffusion
from simulacra.diffusion.guidance import GuidedDiffusion
from simulacra.diffusion.predictions import KINDS, denoised, prediction
from simulacra.errors import UserError

MEANS, VARIANCE = torch.tensor([-1.5, 0.5, 2.0], dtype=torch.float64), 0.3
WEIGHTS = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)


class Exact(nn.Module):
    """Of three Gaussians on the line: a denoiser that knows no class, or the classifier of noisy events."""

    def __init__(self, path, kind):
        super().__init__()
        self.unused, self.path, self.kind = nn.Parameter(torch.zeros(1, dtype=torch.float64)), path, kind

    def joint(self, x):
        """log p(x_t, k), [B, 3]."""
        place = self.place
        width = (place.alpha.square() * VARIANCE + place.sigma.square()).sqrt()[:, None]
        return torch.distributions.Normal(place.alpha[:, None] * MEANS, width).log_prob(x) + WEIGHTS.log()

    def unscaled(self, x):
        return x * (self.place.alpha.square() + self.place.sigma.square()).sqrt()[:, None]

    def forward(self, x, label, given=None, keep=None):
        if isinstance(label, dict):
            return self.joint(self.unscaled(x))
        with torch.enable_grad():
            at = self.unscaled(x).detach().requires_grad_()
            score = torch.autograd.grad(self.joint(at).logsumexp(1).sum(), at)[0]
        data, noise = denoised("score", score, at.detach(), self.place)
        return prediction(self.kind, data, noise, self.place)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", [VariancePreserving(), EDM(), Chain()], ids=["preserving", "edm", "chain"])
def test_with_weight_one_the_score_is_that_of_the_class(path, kind):
    networks = Exact(path, kind), Exact(path, kind)
    model = GuidedDiffusion(networks[0], (1,), path, kind, ProbabilityFlow(4), networks[1], "label")
    t = path.draw(60, torch.zeros(1)).clamp(0.05, 0.95).double()
    place = type(path.at(t))(*(value.double() for value in path.at(t)))
    networks[0].place = networks[1].place = place
    x, label = torch.randn(60, 1, dtype=torch.float64), torch.arange(60) % 3
    found = denoised(kind, model._guided(x, place, {"label": label}), x, place)
    width = place.alpha.square() * VARIANCE + place.sigma.square()
    score = (place.alpha * MEANS[label] - x[:, 0]) / width
    want = denoised("score", score[:, None], x, place)
    for ours, theirs in zip(found, want, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-7, atol=1e-7)
    plain = model.predict(x, place, {})
    assert not torch.allclose(denoised(kind, plain, x, place).data, want.data, atol=1e-2)
    model.weight = 0.0
    assert torch.equal(model._guided(x, place, {"label": label}), plain)
    assert model.evaluations == ProbabilityFlow(4).evaluations


RINGS = DataSpec("rings", "vector", Field((2,)), {"label": Field((), "class", 2)}, rows=100)


def test_it_samples_the_class_that_is_asked_for():
    torch.manual_seed(0)
    recipe = recipes.find("guided_diffusion")
    experiment = recipe.build(RINGS, recipe.resolve({"hidden": 32, "steps": 8, "rounds": 1}))
    model, players = experiment.learners["model"], experiment.players
    for _ in range(300):
        label = torch.randint(2, (128,))
        batch = Batch(0.1 * torch.randn(128, 2) + (2.0 * label - 1)[:, None], {"label": label})
        for player in players:
            player.optimizer.zero_grad()
            sum(player.loss(batch).parts.values()).backward()
            player.optimizer.step()
    assert isinstance(model, DeterministicDiffusion)
    label = torch.arange(200) % 2
    side = model.sample(200, {"label": label}).x.mean(1) > 0
    assert float((side == (label == 1)).float().mean()) > 0.88
    model.weight = 0.0
    side = model.sample(200, {"label": label}).x.mean(1) > 0
    assert 0.3 < float((side == (label == 1)).float().mean()) < 0.7, "without the classifier the class says nothing"
    assert float(players[1].loss(batch).watch["accuracy"]) > 0.6


def test_a_class_is_needed():
    recipe = recipes.find("guided_diffusion")
    with pytest.raises(UserError, match="expected data with a class for guided_diffusion"):
        recipe.build(DataSpec("plane", "vector", Field((2,)), rows=100), recipe.resolve({}))


PICTURES = DataSpec("pictures", "image", Field((1, 8, 8)), {"label": Field((), "class", 2)}, rows=100)


@pytest.mark.parametrize(
    ("spec", "told", "weight"), [(RINGS, {}, 1.0), (PICTURES, {}, 4.0), (PICTURES, {"weight": 0.0}, 0.0)]
)
def test_pictures_are_led_four_times_as_strongly_unless_a_weight_is_told(spec, told, weight):
    recipe = recipes.find("guided_diffusion")
    experiment = recipe.build(spec, recipe.resolve({"base": 4, "hidden": 8, **told}))
    assert experiment.model.weight == experiment.learners["model"].weight == weight
