"""Convolutional autoencoders: sizes that come back, what a code may know, and more than principal components."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from simulacra import recipes
from simulacra.batch import Batch, DataSpec, Field
from simulacra.domains.images import ImageCodec
from simulacra.errors import UserError
from simulacra.networks.convolutional import ConvolutionalBody, ConvolutionalDecoder, stages
from simulacra.protocols import Encoder, NoiseMap
from simulacra.testing import Rows, streams_for
from simulacra.training.loop import train

SHAPES = [(1, 8, 8), (3, 16, 16), (1, 28, 28), (2, 9, 12), (1, 7, 31), (4, 32, 32), (1, 33, 20)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_picture_of_any_size_comes_back(shape: tuple[int, ...]):
    given = {"label": Field((), "class", 3)}
    told = {"label": torch.tensor([0, 2])}
    body, decoder = ConvolutionalBody(shape, given, width=4), ConvolutionalDecoder(shape, 5, given, width=4)
    assert body(torch.zeros(2, *shape), told).shape == (2, body.features)
    assert decoder({"z": torch.zeros(2, 5)}, told).shape == (2, *shape)
    assert max(stages(*shape[1:])[-1][0]) <= 4
    with pytest.raises(UserError, match="expected pictures of at least 7 x 7, came 6 x 9"):
        stages(6, 9)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_pixel_is_seen_and_made(shape: tuple[int, ...]):
    torch.manual_seed(0)
    body, decoder = ConvolutionalBody(shape, width=16).double(), ConvolutionalDecoder(shape, 5, width=16).double()
    x = torch.randn(1, *shape, dtype=torch.float64, requires_grad=True)
    body(x).square().sum().backward()
    assert x.grad is not None
    assert (x.grad != 0).all()
    z = torch.randn(1, 5, dtype=torch.float64)
    moved = decoder({"z": z + 0.5}) - decoder({"z": z})
    assert (moved != 0).all()


def test_a_short_training_beats_principal_components_of_the_same_number():
    digits, _ = load_digits(return_X_y=True)
    x = torch.from_numpy(np.asarray(digits)).float().view(-1, 1, 8, 8) / 16
    data = Rows(DataSpec("digits", "image", Field((1, 8, 8), range=(0.0, 1.0)), rows=len(x)), Batch(x))
    recipe = recipes.find("conv_ae")
    torch.manual_seed(0)
    experiment = recipe.build(data.spec, recipe.resolve({"latent": 4, "lr": 4e-3, "rounds": 500}))
    for _ in train(experiment, streams_for(experiment, data)):
        pass
    model, codec = experiment.model, experiment.codec
    assert isinstance(codec, ImageCodec)
    assert isinstance(model, Encoder)
    assert isinstance(model, NoiseMap)
    batch = codec.encode(Batch(x))
    error = (model.eval().reconstruct(batch).x - batch.x).square().mean()  # type: ignore[operator]
    flat = batch.x.flatten(1).numpy()
    plane = PCA(4).fit(flat)
    best = ((plane.inverse_transform(plane.transform(flat)) - flat) ** 2).mean()
    assert float(error) < 0.85 * best
    codes = model.encode(batch).mean
    made = model.density(torch.rand(4000), torch.randn(4000, 4))  # type: ignore[operator]
    spread = codes.std(0)
    assert ((made.mean(0) - codes.mean(0)).abs() < 0.25 * spread).all()
    assert ((made.std(0) / spread).log().abs() < 0.25).all()


def test_pictures_that_are_nearly_black_do_not_all_come_back_black():
    torch.manual_seed(0)
    x = torch.zeros(600, 1, 16, 16)
    places = torch.randint(0, 14, (600, 2))
    for picture, (row, column) in zip(x, places, strict=True):
        picture[0, row : row + 3, column : column + 3] = 1.0
    spec = DataSpec("spots", "image", Field((1, 16, 16), range=(0.0, 1.0)), rows=600)
    game = recipes.find("conv_ae").build(spec, {"rounds": 250, "latent": 8})
    for _ in train(game, streams_for(game, Rows(spec, Batch(x)), 0), seed=0):
        pass
    back = game.codec.decode(game.model.eval().reconstruct(game.codec.encode(Batch(x)))).x
    assert (back - x).square().mean() < 0.8 * (x - x.mean(0)).square().mean()
