"""Deep autoencoders with shortcuts: what keeps the bottleneck, what goes past it, and what shortcuts are good for."""

import pytest
import torch

from simulacra import recipes
from simulacra.autoencoders import CodeDensity
from simulacra.autoencoders.shortcuts import DeepAutoencoder
from simulacra.batch import Batch, DataSpec, Field
from simulacra.errors import UserError
from simulacra.networks.shortcuts import Block, DeepDecoder, DeepEncoder, levels_of
from simulacra.protocols import Encoder, NoiseMap

SHAPE = (1, 8, 8)


def model_of(across: bool = False, latent: int = 2, depth: int = 3, shortcuts: bool = True) -> DeepAutoencoder:
    torch.manual_seed(0)
    encoder = DeepEncoder(SHAPE, latent, width=4, depth=depth, shortcuts=shortcuts)
    decoder = DeepDecoder(SHAPE, latent, width=4, depth=depth, shortcuts=shortcuts)
    return DeepAutoencoder(encoder, decoder, CodeDensity(latent), across).double()


def rank(model: DeepAutoencoder, x: torch.Tensor) -> int:
    """Directions of one picture that what comes back depends on."""
    slope = torch.autograd.functional.jacobian(lambda v: model.back(Batch(v[None]))[0], x)
    values = torch.linalg.svdvals(slope.reshape(64, 64))  # type: ignore[union-attr]
    return int((values > 1e-9 * values[0]).sum())


@pytest.mark.parametrize("shortcuts", [True, False])
@pytest.mark.parametrize("latent", [1, 2, 5])
def test_shortcuts_inside_keep_the_bottleneck_and_those_across_do_not(latent: int, shortcuts: bool):
    x = torch.rand(1, 8, 8, dtype=torch.float64)
    assert rank(model_of(False, latent, shortcuts=shortcuts), x) == latent
    assert rank(model_of(True, latent, shortcuts=shortcuts), x) > 20


def test_what_comes_back_is_decoded_from_the_code_unless_shortcuts_go_across():
    batch = Batch(2 * torch.rand(5, *SHAPE, dtype=torch.float64) - 1)
    for across in (False, True):
        model = model_of(across)
        assert isinstance(model, NoiseMap)
        assert isinstance(model, Encoder)
        decoded = model.decode(model.encode(batch).mean)
        assert torch.allclose(decoded, model.reconstruct(batch).x) != across
        loss = model.loss(batch)
        assert float(loss.parts["error"].detach()) == pytest.approx(64 * float(loss.watch["mse"]))


def test_every_depth_has_its_blocks():
    for shape in ((1, 8, 8), (2, 16, 16), (3, 32, 32)):
        for depth in (1, 2, 5, 16):
            assert sum(levels_of(depth, shape)) == depth
            encoder = DeepEncoder(shape, 3, width=2, depth=depth)
            assert sum(isinstance(module, Block) for module in encoder.modules()) == depth
            z, maps = encoder(torch.zeros(2, *shape))
            assert maps[-1].shape == (2, 2, 4, 4)
            assert DeepDecoder(shape, 3, width=2, depth=depth)(z, {}, maps).shape == (2, *shape)
    with pytest.raises(UserError, match="expected a depth of at least one block, came 0"):
        levels_of(0, SHAPE)


def test_what_tells_pictures_apart_survives_many_blocks_with_shortcuts():
    """The spread of untrained codes over pictures, in units of their size."""
    torch.manual_seed(0)
    batch = Batch(2 * torch.rand(64, *SHAPE, dtype=torch.float64) - 1)

    def spread(shortcuts: bool, depth: int) -> float:
        with torch.no_grad():
            z = model_of(latent=8, depth=depth, shortcuts=shortcuts).encode(batch).mean
        return float(z.var(0).mean().sqrt() / z.square().mean().sqrt())

    assert spread(True, 24) > 0.3
    assert spread(False, 24) < 0.1


def test_weights_are_repeated_events_and_conditions_are_heard():
    model = model_of()
    x, weight = 2 * torch.rand(4, *SHAPE, dtype=torch.float64) - 1, torch.tensor([1.0, 0.0, 2.0, 3.0]).double()
    again = x[torch.arange(4).repeat_interleave(weight.long())]
    torch.testing.assert_close(
        model.loss(Batch(x, weight=weight)).parts["error"], model.loss(Batch(again)).parts["error"]
    )
    recipe = recipes.find("shortcut_ae")
    spec = DataSpec("dots", "image", Field((3, 9, 12), range=(0.0, 1.0)), {"label": Field((), "class", 2)})
    made = recipe.build(spec, recipe.resolve({"width": 4, "depth": 1})).model
    one, other = (made.push({k: v[:1] for k, v in noise.items()}, {"label": torch.tensor([y])}).x  # type: ignore[operator]
                  for noise in [made.noise(1)] for y in (0, 1))  # type: ignore[operator]  # fmt: skip
    assert one.shape == (1, 3, 16, 16)
    assert not torch.equal(one, other)
