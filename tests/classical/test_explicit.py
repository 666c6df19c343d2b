"""Classical models with a density: closed forms, scikit-learn, and data that are no good."""

import itertools

import numpy as np
import pytest
import torch
from fits import blobs, fitted, kde, plane, solved
from sklearn.decomposition import PCA as TheirPCA
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

from simulacra import recipes
from simulacra.batch import Batch
from simulacra.classical.bayes import log_posterior
from simulacra.classical.components import FLOOR, REAL, Gaussians, floored
from simulacra.classical.kde import KDE
from simulacra.classical.logistic import LogisticRegression
from simulacra.classical.mixture import Mixture
from simulacra.classical.pca import PCA
from simulacra.domains import open_data
from simulacra.domains.dataset import in_memory
from simulacra.errors import UserError
from simulacra.evaluation.likelihood import log_likelihood, normalisation

CONDITIONAL = ("gmm", "kmeans", "qda", "lda", "naive_bayes", "kde")


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


def test_kernels_are_those_of_scikit_learn_and_cross_validation_leaves_one_out():
    x = blobs(120).x
    model = kde(Batch(x))
    h = float(model.bandwidth)
    reference = KernelDensity(bandwidth=h).fit(x.numpy())
    fresh = blobs(50, seed=1).x
    assert np.allclose(model.log_prob(Batch(fresh)), reference.score_samples(fresh.numpy()), atol=1e-3)
    rows = x.numpy()
    left = [KernelDensity(bandwidth=h).fit(np.delete(rows, k, 0)).score(rows[k : k + 1]) for k in range(120)]
    assert float(model.cross_validation([h])[0]) == pytest.approx(float(np.mean(left)), abs=1e-3)
    scores = model.cross_validation()
    assert 0 < int(scores.argmax()) < len(scores) - 1


def test_events_of_next_to_no_weight_have_no_say_in_the_bandwidth():
    torch.manual_seed(0)
    x = torch.cat([0.1 * torch.randn(300, 1), 120 * torch.rand(300, 1) - 60])
    alone, weighted = (
        kde(Batch(x[:300])),
        kde(Batch(x, weight=torch.where(torch.arange(600) < 300, 1.0, 1e-6))),
    )
    assert float(weighted.bandwidth) == pytest.approx(float(alone.bandwidth))


def test_the_bandwidth_of_a_gaussian_is_near_the_best_there_is():
    torch.manual_seed(0)
    x = torch.randn(2000, 1)
    assert float(kde(Batch(x)).bandwidth) == pytest.approx(1.06 * 2000**-0.2, rel=0.5)


def test_weights_are_repetitions():
    batch, times = blobs(200), torch.randint(1, 4, (200,), generator=torch.Generator().manual_seed(0))
    heavy = Batch(batch.x, batch.given, weight=times.float())
    many = batch.map(lambda value: value.repeat_interleave(times, 0))
    for build in (
        lambda b: fitted("full", 1, b)[0],
        lambda b: fitted("spherical", 1, b)[0],
        lambda b: kde(b, bandwidth=0.3),
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
    for model in (kde(blobs(20)), LogisticRegression(plane(), 20)):
        sums = model.collect(blobs(20))
        with pytest.raises(UserError, match="expected one process"):
            model.solve({**sums, "batches": torch.tensor(2.0)})
