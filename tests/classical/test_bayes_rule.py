"""Bayes' rule: generators that classify as scikit-learn's do and as well as can be, and a classifier that generates."""

import itertools
import math

import numpy as np
import pytest
import torch
from fits import LABEL, blobs, fitted, kde, plane
from scipy.stats import kstest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.naive_bayes import BernoulliNB, GaussianNB

from simulacra.batch import Batch, Field
from simulacra.classical.bayes import Resampled, log_evidence, log_posterior
from simulacra.classical.components import REAL
from simulacra.classical.logistic import LogisticRegression
from simulacra.classical.mixture import Mixture


@pytest.mark.parametrize(
    ("covariance", "reference"),
    [
        ("full", QuadraticDiscriminantAnalysis()),
        ("shared", LinearDiscriminantAnalysis(solver="lsqr")),
        ("diagonal", GaussianNB(var_smoothing=0)),
    ],
)
def test_classifiers_by_bayes_rule_are_those_of_scikit_learn(covariance, reference):
    batch = blobs(60_000 if covariance == "full" else 900, size=3)
    model, _ = fitted(covariance, 1, batch)
    reference.fit(batch.x.numpy().astype(float), batch.given["label"].numpy())
    want = reference.predict_proba(batch.x[:500].numpy().astype(float))
    # scikit-learn's covariances of `full` divide by n - 1
    assert np.allclose(log_posterior(model, batch[:500]).exp(), want, atol=2e-3 if covariance == "full" else 1e-6)


def test_bits_are_those_of_scikit_learn_and_their_probabilities_sum_to_one():
    torch.manual_seed(0)
    x, label = (torch.rand(80, 4) < torch.rand(4)).float(), torch.arange(80) % 2
    spec = plane({"label": Field((), "class", 2)}, 4)
    for components in (1, 3):
        model = Mixture(spec, components, "bits", smoothing=0.5)
        model.begin(Batch(x, {"label": label}))
        losses = [float(model.solve(model.collect(Batch(x, {"label": label}))).parts["nll"]) for _ in range(3)]
        assert all(math.isfinite(value) for value in losses)
        every = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4)))
        for told in (0, 1):
            total = model.log_prob(Batch(every, {"label": torch.full((16,), told)})).exp().sum()
            assert float(total) == pytest.approx(1, abs=1e-12)
        if components == 1:
            reference = BernoulliNB(alpha=0.5).fit(x.numpy(), label.numpy())
            assert np.allclose(log_posterior(model, Batch(every)).exp(), reference.predict_proba(every.numpy()))


def test_the_pieces_of_bayes_rule_fit_together():
    for model in (fitted("full", 2, rounds=5)[0], kde(blobs(200))):
        batch = blobs(50, seed=1)
        joint = model.log_joint(batch)
        told = torch.stack([model.log_prob(Batch(batch.x, {"label": torch.full((50,), y)})) for y in range(3)], 1)
        prior = (joint - told)[0].exp()
        assert float(prior.sum()) == pytest.approx(1, abs=1e-5)
        assert torch.allclose(log_posterior(model, batch).exp().sum(1), torch.ones(50, dtype=joint.dtype))
        again = log_posterior(model, batch) + log_evidence(model, batch)[:, None]
        assert torch.allclose(again, joint, atol=1e-4)


def test_quadratic_discriminant_analysis_reaches_the_bayes_rate():
    batch = blobs(20_000)
    model, _ = fitted("full", 1, batch)
    fresh = blobs(20_000)
    truth, _ = fitted("full", 1, Batch(fresh.x.double(), fresh.given))
    label = fresh.given["label"]
    ours, best = ((log_posterior(m, fresh).argmax(1) == label).double().mean() for m in (model, truth))
    assert float(best - ours) < 0.01


def test_the_posterior_of_linear_discriminant_analysis_is_linear_and_logistic_regression_finds_it():
    torch.manual_seed(0)
    label = torch.randint(2, (40_000,))
    mix = torch.tensor([[1.0, 0.4], [0.0, 0.8]])
    x = torch.randn(40_000, 2) @ mix + torch.where(label[:, None] == 1, 0.7, -0.7)
    batch = Batch(x, {"label": label})
    model, _ = fitted("shared", 1, batch)
    told = LogisticRegression(plane({"label": Field((), "class", 2)}), 40_000, strength=1e6)
    told.solve(told.collect(batch))
    line = torch.linspace(-3, 3, 7)[:, None] * torch.tensor([1.0, -0.5])
    odds = [(m[:, 1] - m[:, 0]) for m in (log_posterior(model, Batch(line)), told.log_posterior(Batch(line)))]
    assert torch.allclose(odds[0].diff().diff(), torch.zeros(5, dtype=REAL), atol=1e-5)
    assert torch.allclose(odds[0], odds[1], atol=0.15)


def test_a_classifier_makes_a_generator_of_a_model_without_classes():
    batch = blobs(3000)
    label = batch.given["label"]
    own, _ = fitted("full", 1, batch)
    density = Mixture(plane({}), 8)
    torch.manual_seed(0)
    density.begin(batch)
    for _ in range(60):
        density.solve(density.collect(batch))

    class Truth(torch.nn.Module):
        def log_posterior(self, batch):
            return log_posterior(own, batch)

    model = Resampled(density, Truth(), dict(LABEL), candidates=200)
    for told in range(3):
        x = model.sample(2000, {"label": torch.full((2000,), told)}).x
        for k in range(2):
            want = torch.distributions.Normal(
                float(batch.x[label == told, k].mean()), float(batch.x[label == told, k].std())
            )
            assert kstest(x[:, k].numpy(), lambda v, p=want: p.cdf(torch.from_numpy(v)).numpy()).statistic < 0.06
        given = {"label": torch.full((1500,), told)}
        gap = model.energy(Batch(batch.x[:1500], given)) + own.log_prob(Batch(batch.x[:1500], given))
        mine = label[:1500] == told
        assert float(gap[mine].std()) < 0.35, "-log p(x | y) up to a constant"
