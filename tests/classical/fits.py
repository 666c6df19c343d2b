"""Models that are solved: by their recipe, and by hand on points of the plane."""

import torch

from simulacra import recipes
from simulacra.batch import Batch, DataSpec, Field
from simulacra.classical.kde import KDE
from simulacra.classical.mixture import Mixture
from simulacra.testing import streams_for
from simulacra.training.game import Clock
from simulacra.training.loop import train

LABEL = {"label": Field((), "class", 3)}


def solved(name, dataset, rounds=None, **arguments):
    """A recipe after its rounds, 15 at most where none are told."""
    torch.manual_seed(0)
    chosen = recipes.find(name)
    experiment = chosen.build(dataset.spec, chosen.resolve(arguments))
    experiment.clock = Clock(0, rounds or min(experiment.rounds, 15))
    for _ in train(experiment, streams_for(experiment, dataset)):
        pass
    return experiment


def made(experiment, given, n, seed=1):
    """n events in physical units."""
    torch.manual_seed(seed)
    encoded = experiment.model.sample(n, experiment.codec.encode_given(given))
    return experiment.codec.decode(Batch(encoded.x, given))


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


def kde(batch, **options):
    model = KDE(plane(LABEL if batch.given else {}, batch.x.shape[1]), len(batch), **options)
    model.begin(batch)
    model.solve(model.collect(batch))
    return model
