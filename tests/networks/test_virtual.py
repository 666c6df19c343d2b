"""Virtual batch normalisation: an event, a reference batch, and nobody else."""

import pytest
import torch
from torch import nn

from simulacra.batch import Batch, DataSpec, Field
from simulacra.errors import UserError
from simulacra.networks import Referenced, VirtualBatchNorm, generator_for
from simulacra.recipes.vbn_gan import vbn_gan

SPEC = DataSpec("dots", "image", Field((1, 16, 16), range=(0.0, 1.0)))


def layer_and_rows(n: int, shape: tuple[int, ...]):
    torch.manual_seed(1)
    layer = VirtualBatchNorm(shape[0], n).double()
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    return layer, 3 + 2 * torch.randn(n, *shape, dtype=torch.double), torch.randn(5, *shape, dtype=torch.double)


@pytest.mark.parametrize("shape", [(3,), (3, 4, 4)])
def test_the_statistics_are_those_of_the_reference_and_the_event(shape):
    layer, reference, events = layer_and_rows(6, shape)
    out = layer(torch.cat([reference, events]))
    axes = [0, *range(2, 1 + len(shape))]
    places = (-1, *[1] * (len(shape) - 1))
    for event, have in zip(events, out[6:], strict=True):
        both = torch.cat([reference, event[None]])
        mean, variance = both.mean(axes), both.var(axes, correction=0)
        want = (event - mean.view(places)) / (variance.view(places) + layer.eps).sqrt()
        assert torch.allclose(have, want * layer.weight.view(places) + layer.bias.view(places), atol=1e-12)


@pytest.mark.parametrize("shape", [(3,), (3, 4, 4)])
def test_the_reference_is_normalised_by_itself(shape):
    layer, reference, events = layer_and_rows(6, shape)
    want = nn.functional.batch_norm(reference, None, None, layer.weight, layer.bias, training=True, eps=layer.eps)
    assert torch.allclose(layer(torch.cat([reference, events]))[:6], want, atol=1e-12)


def test_a_large_reference_is_batch_norm_with_its_statistics():
    layer, reference, events = layer_and_rows(20_000, (3,))
    mean, variance = reference.mean(0), reference.var(0, correction=0)
    want = nn.functional.batch_norm(events, mean, variance, layer.weight, layer.bias, eps=layer.eps)
    assert (layer(torch.cat([reference, events]))[20_000:] - want).abs().max() < 1e-3


@pytest.fixture
def generator() -> Referenced:
    torch.manual_seed(2)
    net = Referenced(generator_for(SPEC, 4, base=4), 8, (4,))
    net.refer(torch.randn(8, 4))
    return net


def test_an_event_does_not_depend_on_the_others_of_its_batch(generator):
    z, others = torch.randn(6, 4), 10 * torch.randn(6, 4)
    others[2] = z[2]
    assert torch.equal(generator({"z": z})[2], generator({"z": others})[2])
    double = generator.double()
    assert torch.allclose(double({"z": z.double()})[2:3], double({"z": z[2:3].double()}), atol=1e-12)
    plain = generator_for(SPEC, 4, base=4)
    assert not torch.allclose(plain({"z": z})[2], plain({"z": others})[2], atol=1e-3), "batch norm does depend"


def test_it_depends_on_the_reference_which_is_saved_and_on_no_mode(generator):
    z = torch.randn(6, 4)
    before = generator({"z": z})
    assert torch.equal(generator.eval()({"z": z}), before)
    other = Referenced(generator_for(SPEC, 4, base=4), 8, (4,))
    other.load_state_dict(generator.state_dict())
    assert torch.equal(other({"z": z}), before)
    other.refer(torch.randn(8, 4))
    assert not torch.allclose(other({"z": z}), before, atol=1e-3)


def test_the_weights_of_the_batch_norms_are_kept():
    plain = generator_for(SPEC, 4, base=4)
    scales = [m.weight.clone() for m in plain.modules() if isinstance(m, nn.BatchNorm2d)]
    kept = [m.weight for m in Referenced(plain, 8, (4,)).modules() if isinstance(m, VirtualBatchNorm)]
    assert len(scales) == len(kept) > 0
    assert all(torch.equal(a, b) for a, b in zip(scales, kept, strict=True))


def test_few_rows_are_repeated(generator):
    rows = torch.randn(3, 4)
    generator.refer(rows)
    assert torch.equal(generator.reference, torch.cat([rows, rows, rows[:2]]))


def test_the_run_begins_with_noise_and_real_events_as_references():
    experiment = vbn_gan(SPEC, base=4, latent=4, reference=8, virtual_critic=True)
    game, x = experiment.learners.get_submodule("game"), torch.rand(16, 1, 16, 16)
    assert experiment.begin is not None
    experiment.begin(Batch(x))
    assert game.generator.reference.std() > 0.5
    assert torch.equal(game.critic.body.reference, x[:8])
    names = experiment.learners.state_dict()
    assert {"game.generator.reference", "model.generator.reference", "game.critic.body.reference"} <= set(names)


def test_a_network_without_batch_norm_is_refused_in_one_line():
    with pytest.raises(UserError, match="expected batch norm to make virtual, came Linear without any"):
        Referenced(nn.Linear(2, 2), 8, (2,))
