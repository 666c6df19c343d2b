"""The diffusion transformer: patches, places, what begins at zero, and that it learns."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits

from simulacra.batch import Batch, DataSpec, Field
from simulacra.diffusion import EDM, DeterministicDiffusion, ProbabilityFlow
from simulacra.errors import UserError
from simulacra.networks import denoiser_for
from simulacra.networks.transformer import DiffusionTransformer, ModulatedBlock, patchify, places, unpatchify
from simulacra.networks.unet import UNet
from simulacra.recipes.ddpm import ddpm
from simulacra.recipes.edm import edm
from simulacra.recipes.flow_matching import flow_matching

LABEL = {"label": Field((), "class", 3)}


def awake(*args, seed=0, **options):
    """A transformer with none of its numbers at zero."""
    network = DiffusionTransformer(*args, **options)
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2, generator=generator)
    return network


@pytest.mark.parametrize(("shape", "side"), [((1, 8, 8), 2), ((3, 6, 9), 3), ((2, 4, 10), 1), ((2, 5, 5), 5)])
def test_patches_are_the_picture_cut_and_put_together(shape, side):
    x = torch.randn(4, *shape)
    tokens = patchify(x, side)
    across = shape[2] // side
    assert tokens.shape == (4, shape[1] // side * across, shape[0] * side**2)
    for k in (0, tokens.shape[1] - 1):
        row, column = k // across * side, k % across * side
        assert torch.equal(tokens[:, k], x[:, :, row : row + side, column : column + side].flatten(1))
    assert torch.equal(unpatchify(tokens, shape, side), x)


def test_places_differ_and_of_rows_and_columns_each_has_half():
    where = places(6, 9, 16)
    assert torch.cdist(where, where).fill_diagonal_(1).min() > 0.1
    grid = where.view(6, 9, 16)
    assert torch.equal(grid[:, :1, :8].expand(6, 9, 8), grid[..., :8])
    assert torch.equal(grid[:1, :, 8:].expand(6, 9, 8), grid[..., 8:])
    assert torch.equal(places(5, 5, 8).view(5, 5, 8)[..., :4], places(5, 5, 8).view(5, 5, 8)[..., 4:].transpose(0, 1))


def test_it_begins_at_zero_and_its_blocks_as_the_identity():
    x, given = torch.randn(5, 2, 8, 12), {"label": torch.tensor([0, 1, 2, 0, 1])}
    network = DiffusionTransformer((2, 8, 12), LABEL, width=16, depth=2)
    assert network(x, torch.randn(5), given).abs().max() == 0
    tokens = torch.randn(5, 7, 16)
    assert torch.equal(network.blocks[0](tokens, torch.randn(5, 16)), tokens)


def test_without_places_patches_are_a_set():
    """Moving the patches moves the result with them; with places it does not."""
    network, x, label = awake((1, 8, 8), width=16, depth=2, patch=2), torch.randn(3, 1, 8, 8), torch.randn(3)
    order = torch.randperm(16)

    def moved(picture):
        return unpatchify(patchify(picture, 2)[:, order], (1, 8, 8), 2)

    assert not torch.allclose(network(moved(x), label), moved(network(x, label)), atol=1e-2)
    network.place.zero_()
    assert torch.allclose(network(moved(x), label), moved(network(x, label)), atol=1e-4)
    assert not torch.allclose(network(moved(x), label), network(x, label), atol=1e-2)


def test_every_patch_asks_all_patches_and_no_other_picture():
    network = awake((1, 8, 8), width=16, depth=1, patch=2)
    x = torch.randn(2, 1, 8, 8, requires_grad=True)
    network(x, torch.zeros(2))[0, 0, 0, 0].backward()
    assert (x.grad[0].abs() > 0).all()
    assert (x.grad[1] == 0).all()


def test_a_head_is_the_textbook_attention():
    block = ModulatedBlock(8, 2, 4)
    x = torch.randn(3, 5, 8)
    query, key, value = (layer(x).view(3, 5, 2, 4) for layer in (block.query, block.key, block.value))
    weights = (torch.einsum("bihd,bjhd->bhij", query, key) / 2).softmax(3)
    want = block.out(torch.einsum("bhij,bjhd->bihd", weights, value).reshape(3, 5, 8))
    assert torch.allclose(block.attend(x), want, atol=1e-6)


def test_noise_and_conditions_are_heard_and_a_dropped_condition_is_not():
    network, x = awake((1, 8, 8), LABEL, width=16, depth=1), torch.randn(2, 1, 8, 8)
    zero, keep = torch.zeros(2), torch.tensor([1.0, 0.0])

    def at(label, level=zero, keep=None):
        return network(x, level, {"label": torch.tensor(label)}, keep)

    assert not torch.allclose(at([0, 2]), at([0, 2], zero + 1), atol=1e-3)
    assert not torch.allclose(at([0, 2])[0], at([1, 2])[0], atol=1e-3)
    assert torch.allclose(at([0, 2])[1], at([1, 2])[1], atol=1e-6)
    assert torch.allclose(at([0, 2], keep=keep)[1], at([0, 1], keep=keep)[1], atol=1e-6)
    assert torch.allclose(at([0, 2], keep=keep)[0], at([0, 2])[0], atol=1e-6)


def test_the_table_of_denoisers():
    dots, points = DataSpec("dots", "image", Field((1, 8, 8))), DataSpec("points", "vector", Field((2,)))
    assert isinstance(denoiser_for(dots, base=4), UNet)
    assert isinstance(denoiser_for(dots, "transformer", width=8), DiffusionTransformer)
    with pytest.raises(UserError, match=r"did you mean 'transformer'\?"):
        denoiser_for(dots, "transfomer")
    for recipe in (ddpm, edm, flow_matching):
        with pytest.raises(UserError, match="expected pictures for a transformer, points has vectors"):
            recipe(points, network="transformer")
        with pytest.raises(UserError, match="a patch that divides the sides 8 and 8, came 3"):
            recipe(dots, network="transformer", patch=3)
        with pytest.raises(UserError, match="expected --network transformer for patches of 2, came unet"):
            recipe(dots, patch=2)
        assert isinstance(recipe(dots, network="transformer", patch=4, base=2).model.network, DiffusionTransformer)
    with pytest.raises(UserError, match="a width that 4 and 4 heads divide, came 10"):
        DiffusionTransformer((1, 8, 8), width=10)


def test_it_learns_digits():
    """The error falls below that of the best constant, and of the best linear guess from each pixel alone."""
    torch.manual_seed(0)
    digits = torch.tensor(load_digits().data).float().view(-1, 1, 8, 8)
    digits = (digits - digits.mean(0)) / digits.std()
    learn, held = digits[:1500], digits[1500:]
    model = DeterministicDiffusion(
        DiffusionTransformer((1, 8, 8), width=32, depth=2, patch=2), (1, 8, 8), EDM(), "data", ProbabilityFlow(5)
    )
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)

    def error(noise):
        """Of the expected picture at one noise."""
        torch.manual_seed(1)
        with torch.no_grad():
            t = torch.full((len(held),), noise)
            return ((model.denoise(held + noise * torch.randn_like(held), t).data - held).square().mean()).item()

    variance = held.square().mean(0)
    constant = variance.mean().item()
    assert error(0.5) == pytest.approx(constant)
    for _ in range(250):
        loss = model.loss(Batch(learn[torch.randint(len(learn), (64,))])).parts["denoising"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for noise in (0.5, 1.0):
        alone = (variance * noise**2 / (variance + noise**2)).mean().item()
        assert error(noise) < 0.9 * alone < 0.9 * constant
