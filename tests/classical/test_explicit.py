"""Classical models with a density: closed forms, scikit-learn, Bayes' rule, and data that are no good."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest
from sklearn.decomposition import PCA as TheirPCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.mixture import GaussianMixture
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KernelDensity

from simulacra import recipes
from simulacra.batch import Batch, DataSpec, Field
from simulacra.classical.bayes import Resampled, log_evidence, log_posterior
from simulacra.classical.components import FLOOR, REAL, Gaussians, floored
from simulacra.classical.kde import KDE
from simulacra.classical.logistic import LogisticRegression
from simulacra.classical.mixture import Mixture
from simulacra.classical.pca import PCA
from simulacra.domains import open_data
from simulacra.domains.dataset import in_memory
from simulacra.errors import UserError
from simulacra.evaluation.likelihood import log_likelihood, normalisation
from simulacra.testing import streams_for
from simulacra.training.game import Clock
from simulacra.training.loop import train

CONDITIONAL = ("gmm", "kmeans", "qda", "lda", "naive_bayes", "kde")
LABEL = {"label": Field((), "class", 3)}


def solved(name, dataset, rounds=None, **arguments):
    """A recipe after its rounds."""
    torch.manual_seed(0)
    chosen = recipes.find(name)
    experiment = chosen.build(dataset.spec, chosen.resolve(arguments))
    experiment.clock = Clock(0, rounds or min(experiment.rounds, 15))
    for _ in train(experiment, streams_for(experiment, dataset)):
        pass
    return experiment


def plane(given=LABEL, size=2):
    return DataSpec("plane", "vector", Field((size,)), given)


def blobs(n=900, size=2, seed=0):
    """Three Gaussians with covariances of their own, and which one each point is from."""
    draw = torch.Generator().manual_seed(seed)
    label = torch.randint(3, (n,), generator=draw)
    mix = torch.randn(3, size, size, generator=draw) / 2 + torch.eye(size)
    centre = 3 * torch.randn(3, size, generator=draw)
    x = centre[label] + (mix[label] @ torch.randn(n, size, 1, generator=draw))[..., 0]
    return Batch(x, {"label": label})


def fitted(covariance="full", components=1, batch=None, rounds=1, **options):
    batch = batch or blobs()
    torch.manual_seed(0)
    model = Mixture(plane(size=batch.x.shape[1]), components, covariance, **options)
    model.begin(batch)
    losses = [float(model.solve(model.collect(batch)).parts["nll"]) for _ in range(rounds)]
    return model, losses


@pytest.mark.parametrize("name", [*CONDITIONAL, "pca"])
def test_densities_of_the_plane_are_normalised(name):
    data = open_data("toys:moons", rows=1000, labels=name != "pca")
    experiment = solved(name, data)
    for told in (0, 1):
        given = {} if name == "pca" else {"label": torch.tensor([told])}
        found = normalisation(experiment.model, experiment.codec, [(-6, 7), (-5, 6)], 201, given)
        assert found.value == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("name", [*CONDITIONAL, "pca"])
def test_samples_are_as_probable_as_the_density_says(name):
    """E[log p(x)] over samples is minus the entropy, which an average over a grid gives too."""
    data = open_data("toys:moons", rows=1000, labels=name != "pca")
    experiment = solved(name, data)
    given = {} if name == "pca" else {"label": torch.zeros(4000, dtype=torch.long)}
    one = {key: value[:1] for key, value in given.items()}
    torch.manual_seed(1)
    x = experiment.codec.decode(experiment.model.sample(4000, given)).x
    values = log_likelihood(experiment.model, experiment.codec, Batch(x, given))
    axes = [torch.linspace(-6, 7, 201), torch.linspace(-5, 6, 201)]
    grid = torch.cartesian_prod(*axes)
    told = {key: value.expand(len(grid)) for key, value in one.items()}
    logs = log_likelihood(experiment.model, experiment.codec, Batch(grid, told))
    entropy = -(logs.exp() * logs).sum() * (13 / 200) * (11 / 200)
    assert float(-values.mean()) == pytest.approx(float(entropy), abs=4 * float(values.std()) / 4000**0.5 + 0.01)


@pytest.mark.parametrize(("covariance", "hard"), [("full", False), ("diagonal", False), ("shared", False)])
def test_the_likelihood_never_falls(covariance, hard):
    for batch in (blobs(300), Batch(torch.ones(50, 2), {"label": torch.arange(50) % 3}), blobs(12)):
        _, losses = fitted(covariance, 5, batch, rounds=40, hard=hard)
        assert all(b <= a + 1e-9 for a, b in itertools.pairwise(losses)), losses


def test_expectation_maximisation_agrees_with_scikit_learn():
    x = blobs(600).x
    for ours, theirs in (("full", "full"), ("diagonal", "diag"), ("shared", "tied")):
        model = Mixture(plane({}), 3, ours)
        torch.manual_seed(0)
        model.begin(Batch(x))
        cut = model.components.root.clone()
        square = cut.square() if ours == "diagonal" else cut @ cut.mT
        inverse = 1 / square if ours == "diagonal" else torch.linalg.inv(square)
        reference = GaussianMixture(
            3,
            covariance_type=theirs,
            max_iter=25,
            tol=1e-300,
            reg_covar=0,
            weights_init=model.share.numpy(),
            means_init=model.components.mean.numpy(),
            precisions_init=(inverse[0] if ours == "shared" else inverse).numpy(),
        )
        with pytest.warns(Warning, match="converge"):
            reference.fit(x.numpy().astype(float))
        for _ in range(25):
            model.solve(model.collect(Batch(x)))
        assert np.allclose(model.components.mean, reference.means_, rtol=1e-6)
        assert np.allclose(model.share, reference.weights_, rtol=1e-6)
        assert np.allclose(model.log_prob(Batch(x)), reference.score_samples(x.numpy().astype(float)), atol=1e-6)


def test_a_mixture_finds_the_mixture():
    ring = open_data("toys:ring8", rows=8000)
    experiment = solved("gmm", ring, components=12, rounds=40)
    fresh = open_data("toys:ring8", rows=4000, seed=1)[:]
    from simulacra.domains.toys import TOYS

    gap = TOYS["ring8"].log_prob(fresh.x) - log_likelihood(experiment.model, experiment.codec, fresh)
    assert float(gap.mean()) < 0.05


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
    for model in (fitted("full", 2, rounds=5)[0], _kde(blobs(200))):
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


def _kde(batch, **options):
    model = KDE(plane(LABEL if batch.given else {}, batch.x.shape[1]), len(batch), **options)
    model.begin(batch)
    model.solve(model.collect(batch))
    return model


def test_kernels_are_those_of_scikit_learn_and_cross_validation_leaves_one_out():
    x = blobs(120).x
    model = _kde(Batch(x))
    h = float(model.bandwidth)
    reference = KernelDensity(bandwidth=h).fit(x.numpy())
    fresh = blobs(50, seed=1).x
    assert np.allclose(model.log_prob(Batch(fresh)), reference.score_samples(fresh.numpy()), atol=1e-3)
    rows = x.numpy()
    left = [KernelDensity(bandwidth=h).fit(np.delete(rows, k, 0)).score(rows[k : k + 1]) for k in range(120)]
    assert float(model.cross_validation([h])[0]) == pytest.approx(float(np.mean(left)), abs=1e-3)
    scores = model.cross_validation()
    assert 0 < int(scores.argmax()) < len(scores) - 1


def test_the_bandwidth_of_a_gaussian_is_near_the_best_there_is():
    torch.manual_seed(0)
    x = torch.randn(2000, 1)
    assert float(_kde(Batch(x)).bandwidth) == pytest.approx(1.06 * 2000**-0.2, rel=0.5)


def test_weights_are_repetitions():
    batch, times = blobs(200), torch.randint(1, 4, (200,), generator=torch.Generator().manual_seed(0))
    heavy = Batch(batch.x, batch.given, weight=times.float())
    many = batch.map(lambda value: value.repeat_interleave(times, 0))
    for build in (
        lambda b: fitted("full", 1, b)[0],
        lambda b: fitted("spherical", 1, b)[0],
        lambda b: _kde(b, bandwidth=0.3),
        lambda b: _pca(b),
    ):
        assert torch.allclose(build(heavy).log_prob(batch), build(many).log_prob(batch), atol=1e-4)


def _pca(batch, components=2):
    model = PCA(plane({}, batch.x.shape[1]), components)
    model.solve(model.collect(batch))
    return model


def test_principal_components_are_those_of_scikit_learn():
    x = blobs(500, size=5).x
    model, theirs = _pca(Batch(x), 2), TheirPCA(2).fit(x.numpy().astype(float))
    assert np.allclose(np.abs(model.basis.T.numpy() @ theirs.components_.T), np.eye(2), atol=1e-6)
    assert np.allclose(model.values, theirs.explained_variance_ * 499 / 500, rtol=1e-6)
    flat = TheirPCA(2).fit_transform(x.numpy().astype(float))
    codes = model.encode(Batch(x)).mean * model.values / model._stretch()
    assert np.allclose(np.abs(codes.numpy()), np.abs(flat), rtol=1e-5, atol=1e-5)
    assert float(model.log_prob(Batch(x)).mean()) == pytest.approx(theirs.score(x.numpy().astype(float)), abs=5e-3)


def test_the_posterior_of_principal_components_is_exact():
    x = blobs(500, size=5).x.double()
    model = _pca(Batch(x), 3)
    posterior = model.encode(Batch(x))
    z = posterior.sample()
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    mean = model.mean + (z * model._stretch()) @ model.basis.T
    told = torch.distributions.Normal(mean, model.noise_variance.sqrt()).log_prob(x).sum(1)
    assert torch.allclose(told + prior - posterior.log_prob(z), model.log_prob(Batch(x)), atol=1e-9)


def test_projection_is_the_identity_on_the_plane_and_with_all_components():
    batch = Batch(blobs(100, size=4).x)
    once = _pca(batch, 2).reconstruct(batch)
    assert torch.allclose(_pca(batch, 2).reconstruct(once).x, once.x, atol=1e-5)
    whole = _pca(batch, 4)
    assert torch.allclose(whole.reconstruct(batch).x, batch.x, atol=1e-5)
    assert torch.allclose(whole.decode(whole.encode(batch).mean), batch.x, atol=1e-3)


def test_k_means_finds_the_blobs_and_its_distances_never_grow():
    centres = torch.tensor([[0.0, 0], [10, 0], [0, 10]])
    torch.manual_seed(0)
    label = torch.randint(3, (300,))
    batch = Batch(centres[label] + torch.randn(300, 2))
    model = Mixture(plane({}), 3, "spherical", hard=True)
    model.begin(batch)
    inertia = []
    for _ in range(10):
        model.solve(model.collect(batch))
        inertia.append(float(torch.cdist(batch.x.double(), model.components.mean).amin(1).square().mean()))
    assert all(b <= a + 1e-12 for a, b in itertools.pairwise(inertia))
    found = model.encode(batch).probs.argmax(1)
    assert len({(int(a), int(b)) for a, b in zip(found, label, strict=True)}) == 3


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


HARD = {
    "constant column": torch.cat(
        [torch.randn(40, 1, generator=torch.Generator().manual_seed(0)), torch.ones(40, 1)], 1
    ),
    "duplicated rows": torch.tensor([[1.0, 2.0]]).repeat(40, 1),
    "large values": 1e6 * torch.randn(40, 2, generator=torch.Generator().manual_seed(0)) + 3e6,
    "one event": torch.tensor([[3.0, -1.0]]),
}


@pytest.mark.parametrize("name", [*CONDITIONAL, "pca", "logistic_regression"])
@pytest.mark.parametrize("kind", HARD)
def test_data_that_are_no_good_give_finite_models(name, kind):
    x = HARD[kind]
    label = torch.arange(len(x)) % 2  # the third class is never seen
    data = in_memory(plane(), Batch(x, {"label": label}))
    experiment = solved(name, data, rounds=3)
    given = {"label": torch.arange(30) % 3}
    torch.manual_seed(0)
    made = experiment.model.sample(30, experiment.codec.encode_given(given))
    assert torch.isfinite(experiment.codec.decode(made).x).all()
    if name != "logistic_regression":
        assert torch.isfinite(log_likelihood(experiment.model, experiment.codec, Batch(x, {"label": label}))).all()
    else:
        assert torch.isfinite(experiment.model.energy(experiment.codec.encode(data[:]))).all()
    if hasattr(experiment.model, "log_joint"):
        found = log_posterior(experiment.model, experiment.codec.encode(data[:]))
        assert not found.isnan().any()
        assert (found.argmax(1) < 2).all()


def test_variances_are_lifted_to_the_floor_and_not_otherwise_changed():
    root = floored(torch.diag(torch.tensor([4.0, 0.0], dtype=REAL)))
    assert torch.allclose(root @ root.T, torch.diag(torch.tensor([4.0, FLOOR], dtype=REAL)))
    healthy = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=REAL)
    root = floored(healthy)
    assert torch.allclose(root @ root.T, healthy, atol=1e-15)


def test_what_does_not_fit_is_said_in_one_line():
    for wrong, build in {
        "expected covariance": lambda: Gaussians(1, 2, "round"),
        "expected a bandwidth": lambda: KDE(plane({}), 3, -1.0),
        "expected a class": lambda: LogisticRegression(plane({}), 3),
        "expected a strength": lambda: LogisticRegression(plane(), 3, strength=0.0),
        "expected likelihood": lambda: recipes.find("naive_bayes").build(plane(), {"likelihood": "poisson"}),
        "expected a smoothing": lambda: Mixture(plane(), 1, "bits", smoothing=0.0),
        "expected the layout image": lambda: recipes.find("naive_bayes").build(plane(), {"likelihood": "bernoulli"}),
    }.items():
        with pytest.raises(UserError, match=wrong) as caught:
            build()
        assert "\n" not in str(caught.value)
    for model in (_kde(blobs(20)), LogisticRegression(plane(), 20)):
        sums = model.collect(blobs(20))
        with pytest.raises(UserError, match="expected one process"):
            model.solve({**sums, "batches": torch.tensor(2.0)})
