"""What is read off events: classes, numbers, and the class of fakes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from readers import CLASS, duel, points
from torch import nn
from torch.distributions import Normal
from torch.nn.functional import cross_entropy, one_hot

from simulacra.batch import Batch, Field
from simulacra.errors import UserError
from simulacra.gan import AuxiliaryClassifier, Hinge, NonSaturating
from simulacra.gan.auxiliary import surprise
from simulacra.networks import EvidenceHead, ProjectionHead
from simulacra.recipes.acgan import acgan
from simulacra.recipes.infogan import infogan
from simulacra.recipes.projection_gan import projection_gan
from simulacra.recipes.sgan import sgan
from simulacra.testing import check_gradients, check_resume, streams_for
from simulacra.training.loop import train

# what a reader loses


def test_who_knows_nothing_is_surprised_by_log_k_and_who_knows_by_nothing():
    told = torch.tensor([0, 2, 1])
    assert torch.allclose(surprise(CLASS, torch.zeros(3, 3), told), torch.full((3,), math.log(3)))
    assert surprise(CLASS, 50.0 * one_hot(told, 3), told).max() < 1e-12


def test_numbers_are_read_by_a_gaussian_of_unit_width():
    guess, told = torch.randn(5, 2), torch.randn(5, 2)
    want = -Normal(guess, 1.0).log_prob(told).sum(1)
    assert torch.allclose(surprise(Field((2,)), guess, told), want)


def test_several_classes_of_one_condition_add_up():
    guess, told = torch.randn(5, 6), torch.randint(3, (5, 2))
    apart = [cross_entropy(guess[:, 3 * k : 3 * k + 3], told[:, k], reduction="none") for k in (0, 1)]
    assert torch.allclose(surprise(Field((2,), "class", 3), guess, told), apart[0] + apart[1])


def test_classes_and_numbers_are_read_at_once_on_both_sides():
    real, fake = torch.randn(6, 4), torch.randn(6, 4)
    told = {"label": torch.arange(6) % 3, "energy": torch.randn(6, 1)}
    fields = {"label": CLASS, "energy": Field((1,))}
    game = duel(Batch(real, told), fake, label=lambda f: f[:, :3], energy=lambda f: f[:, 3:])
    sides = [
        surprise(CLASS, x[:, :3], told["label"]) + surprise(fields["energy"], x[:, 3:], told["energy"])
        for x in (real, fake)
    ]
    assert torch.allclose(AuxiliaryClassifier(fields)(game), sides[0] + sides[1])
    assert torch.allclose(AuxiliaryClassifier(fields, real=False)(game), sides[1])


def test_the_generator_does_not_ask_for_real_events():
    shown = []
    game = duel(Batch(torch.zeros(2, 3), {"label": torch.tensor([0, 1])}), torch.ones(2, 3), label=lambda f: f)
    game.critic.body.register_forward_pre_hook(lambda module, args: shown.append(float(args[0].mean())))
    AuxiliaryClassifier({"label": CLASS}, real=False)(game)
    assert shown == [1.0]


def test_the_auxiliary_classifier_drives_perfect_fakes_out_of_the_overlap():
    """Classes N(-1, 1) and N(1, 1), generated exactly: the best reader's slope does not vanish at p = q."""
    kinds = torch.arange(1000) % 2
    sign = 2.0 * kinds - 1
    fake = (sign + torch.randn(1000))[:, None].requires_grad_()
    game = duel(Batch(fake.detach(), {"label": kinds}), fake, label=lambda f: torch.cat([-f, f], 1))
    term = AuxiliaryClassifier({"label": Field((), "class", 2)}, real=False)
    (slope,) = torch.autograd.grad(term(game).sum(), fake)
    assert torch.allclose(slope[:, 0], -2 * sign * torch.sigmoid(-2 * sign * fake[:, 0]), atol=1e-5)
    outward = -(slope[:, 0] * sign)
    assert (outward > 0).all()


# projection


def test_the_projection_head_can_be_the_log_ratio_of_gaussian_classes():
    """p(x | y) = N(m_y, 1) against q(x) = N(0, 1): log p/q = m_y . x - |m_y|^2 / 2, linear in phi(x) = (x, 1)."""
    means = torch.tensor([[1.0, 0.0], [-1.0, 2.0], [0.5, -1.5]])
    head = ProjectionHead(3, {"label": CLASS})
    with torch.no_grad():
        head.score.weight.zero_()
        head.score.bias.zero_()
        head.embedding.weight.copy_(torch.cat([means, -means.square().sum(1, keepdim=True) / 2], 1).T)
    x, kinds = torch.randn(30, 2), torch.arange(30) % 3
    score = head(torch.cat([x, torch.ones(30, 1)], 1), {"label": kinds})
    want = (Normal(means[kinds], 1.0).log_prob(x) - Normal(0.0, 1.0).log_prob(x)).sum(1)
    assert torch.allclose(score, want, atol=1e-4)


def test_every_weight_of_the_projection_critic_has_spectral_norm_one():
    torch.manual_seed(0)
    data = points()
    experiment = projection_gan(data.spec, width=8, rounds=10, batch=16)
    for _ in train(experiment, streams_for(experiment, data)):
        pass
    game = experiment.learners["game"]
    assert isinstance(game.objective, Hinge)
    layers = {name: m for name, m in game.critic.named_modules() if isinstance(m, nn.Linear)}
    assert "head.embedding" in layers
    for name, layer in layers.items():
        assert torch.linalg.matrix_norm(layer.weight, 2).item() == pytest.approx(1, abs=0.1), name
    assert not any(isinstance(m, nn.Linear) and hasattr(m, "parametrizations") for m in game.generator.modules())


# the class of fakes


def test_evidence_is_the_softmax_over_all_classes_and_fake():
    head = EvidenceHead(nn.Linear(4, 5)).double()
    features = torch.randn(20, 4).double() * 3
    score, logits = head(features, {}), torch.cat([head.classes(features), torch.zeros(20, 1).double()], 1)
    odds = head.classes(features).exp().sum(1)
    assert torch.allclose(torch.sigmoid(score), odds / (odds + 1))
    fake = torch.full((20,), 5)
    assert torch.allclose(NonSaturating().critic(score, score) - NonSaturating().generator(None, score),
                          cross_entropy(logits, fake, reduction="none"))  # fmt: skip
    assert torch.allclose(NonSaturating().generator(None, score), -torch.log(1 - logits.softmax(1)[:, 5]))


def test_few_rows_of_every_class_are_kept_and_others_not():
    data = points()
    experiment = sgan(data.spec, labelled=4, width=8)
    streams = streams_for(experiment, data, seed=3)
    few = streams["labelled"]
    assert sorted(streams) == ["data", "labelled"]
    assert torch.bincount(data[few.rows].given["label"]).tolist() == [4, 4, 4]
    assert len(few.rows.unique()) == 12
    assert torch.equal(few.rows, streams_for(experiment, data, seed=3)["labelled"].rows)
    assert not torch.equal(few.rows, streams_for(experiment, data, seed=4)["labelled"].rows)
    seen = [tuple(x.tolist()) for x in few.next(24).x]
    assert len(set(seen)) == 12, "every labelled row twice in two epochs"


def weights_after(spoilt):
    torch.manual_seed(0)
    data = points()
    experiment = sgan(data.spec, labelled=4, width=8, rounds=6, batch=16)
    streams = streams_for(experiment, data)
    for name in spoilt:
        whole = streams[name]._whole
        assert whole is not None
        streams[name]._whole = replace(whole, given={"label": (whole.given["label"] + 1) % 3})
    for _ in train(experiment, streams):
        pass
    return torch.cat([p.detach().flatten() for p in experiment.learners.parameters()])


def test_labels_of_other_rows_are_never_looked_at():
    honest = weights_after([])
    assert torch.equal(honest, weights_after(["data"]))
    assert not torch.equal(honest, weights_after(["labelled"]))


def test_more_labels_than_there_are_is_said_in_one_line():
    data = points()
    experiment = sgan(data.spec, labelled=33, width=8)
    with pytest.raises(UserError, match="expected 33 rows of every label, the rarest has 32") as caught:
        streams_for(experiment, data)
    assert "\n" not in str(caught.value)


# recipes

GAMES = {
    "acgan": (acgan, {"width": 12}, True),
    "acgan numbers": (acgan, {"width": 12}, False),
    "projection_gan": (projection_gan, {"width": 12, "n_critic": 1, "lr": 0.05}, True),
    "infogan": (infogan, {"width": 12, "categories": 0}, True),
    "sgan": (sgan, {"width": 12, "labelled": 3}, True),
    "sgan features": (sgan, {"width": 12, "labelled": 3, "matching": True}, True),
}


@pytest.mark.parametrize("name", GAMES)
def test_points_with_classes_and_numbers_are_played(name):
    recipe, options, labels = GAMES[name]
    data = points(labels, energy=True)

    def build():
        return recipe(data.spec, rounds=20, batch=16, **options)

    check_gradients(build, data)
    check_resume(build, data, 4, [2])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda spec: acgan(spec), "expected data with a condition for acgan, points has none"),
        (lambda spec: projection_gan(spec), "expected data with a condition for projection_gan, points has none"),
        (lambda spec: sgan(spec), "expected data with a class for sgan, points has none"),
        (lambda spec: infogan(spec, categories=1, continuous=0), "expected a code for infogan, came none"),
    ],
)
def test_data_that_do_not_fit_are_refused_in_one_line(call, words):
    with pytest.raises(UserError, match=words) as caught:
        call(points(labels=False).spec)
    assert "\n" not in str(caught.value)
