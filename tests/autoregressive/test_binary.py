"""Laws of autoregressive models of bits."""

import math

import pytest
import torch

from simulacra.autoregressive.binary import Binary, Masked
from simulacra.autoregressive.nade import NADE
from simulacra.batch import Batch, DataSpec, Field
from simulacra.domains.images.levels import Levels
from simulacra.errors import UserError
from simulacra.evaluation.likelihood import bits_per_dimension
from simulacra.networks import MADE

SIZE = 10
LABEL = {"label": Field((), "class", 3)}


def every(size: int) -> torch.Tensor:
    """All 2^size events of bits."""
    return (torch.arange(2**size)[:, None] >> torch.arange(size) & 1).double()


def nets(given_size: int = 0) -> dict:
    torch.manual_seed(0)
    order = torch.randperm(SIZE)
    made = [MADE(SIZE, 1, (16,), given_size), MADE(SIZE, 1, (12, 9), given_size, order=order)]
    found = {"made": Masked(made[0]), "made shuffled": Masked(made[1]), "nade": NADE(SIZE, 7, given_size)}
    for net in found.values():
        for parameter in net.parameters():
            torch.nn.init.normal_(parameter, std=0.7)
    return {name: net.double() for name, net in found.items()}


@pytest.mark.parametrize("name", nets())
@pytest.mark.parametrize("given", [False, True])
def test_probabilities_of_all_events_sum_to_one(name, given):
    torch.set_default_dtype(torch.float64)
    try:
        model = Binary(nets(3 if given else 0)[name], (SIZE,), LABEL if given else {})
        told = {"label": torch.full((2**SIZE,), 2)} if given else {}
        total = model.log_prob(Batch(every(SIZE), told)).exp().sum().item()
    finally:
        torch.set_default_dtype(torch.float32)
    assert total == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("name", nets())
def test_the_jacobian_is_strictly_triangular_in_the_order(name):
    net = nets()[name]
    x = torch.rand(SIZE).double()
    slopes = torch.autograd.functional.jacobian(lambda x: net(x[None])[0], x)
    order = torch.arange(SIZE) if name == "nade" else net.net.order
    ordered = slopes[order.argsort()][:, order.argsort()]
    assert torch.equal(ordered, ordered.tril(-1))
    assert (ordered[1:].abs().sum(1) > 0).all()


def test_a_mask_that_lets_a_number_see_itself_is_found():
    """The lectures print >= for the output mask: probabilities then do not sum to 1."""
    net = nets()["made"]
    last = net.net.last
    last.mask = (net.net.order + 1)[:, None] >= torch.arange(16) * (SIZE - 1) // 16 + 1
    total = Binary(net, (SIZE,)).log_prob(Batch(every(SIZE))).exp().sum().item()
    assert abs(total - 1) > 1e-2


def test_nade_is_the_sum_written_out():
    net = nets()["nade"]
    x = every(SIZE)[[5, 700]]
    for row in range(2):
        for d in range(SIZE):
            hidden = torch.sigmoid(net.hidden_bias + sum(x[row, j] * net.into[j] for j in range(d)))
            want = net.bias[d] + (net.out[d] * hidden).sum()
            assert net(x)[row, d].item() == pytest.approx(want.item(), abs=1e-12)


@pytest.mark.parametrize("name", nets())
def test_draws_follow_the_probabilities(name):
    net = nets()[name]
    model = Binary(net, (SIZE,))
    torch.manual_seed(1)
    noise = {"u": torch.rand(40_000, SIZE).double()}
    made = model.push(noise).x
    assert torch.equal(made, (noise["u"] < model.logits(Batch(made)).sigmoid()).double())
    index = (made.long() << torch.arange(SIZE)).sum(1)
    count = torch.bincount(index, minlength=2**SIZE)
    want = 40_000 * model.log_prob(Batch(every(SIZE))).exp()
    chi = ((count - want).square() / want)[want > 5]
    assert abs(chi.sum() - len(chi)) < 5 * (2 * len(chi)) ** 0.5


def test_levels_keep_pictures_that_have_them():
    data = DataSpec("dots", "image", Field((1, 2, 2)))
    codec = Levels(data, 256)
    batch = Batch(torch.randint(256, (50, 1, 2, 2)) / 255)
    assert torch.equal(codec.decode(codec.encode(batch)).x, batch.x)
    assert torch.equal(Levels(data).log_det(Batch(batch.x.round())), torch.zeros(50))
    even = -torch.full((50,), 4 * math.log(256)) + codec.log_det(batch)  # all levels alike: 8 bits
    assert bits_per_dimension(even, 4, 1 / 255).value == pytest.approx(8, abs=1e-6)
    with pytest.raises(UserError, match="2 grey levels"):
        Levels(data).log_det(batch)
    with pytest.raises(UserError, match="2 to 256"):
        Levels(data, 1)


def test_stochastic_levels_keep_the_mean():
    torch.manual_seed(0)
    codec = Levels(DataSpec("dots", "image", Field((1, 1, 3))), 2, stochastic=True)
    x = torch.tensor([0.0, 0.3, 1.0]).expand(20_000, 1, 1, 3)
    mean = codec.encode(Batch(x)).x.mean(0).flatten()
    assert mean[0] == 0
    assert mean[2] == 1
    assert abs(mean[1] - 0.3) < 4 * (0.21 / 20_000) ** 0.5
    assert torch.equal(codec.decode(codec.encode(Batch(x.round()))).x, x.round())
