"""Flows: inverses, volumes and densities that are exact."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from simulacra.batch import Batch, DataSpec, Field
from simulacra.domains import open_data
from simulacra.errors import UserError
from simulacra.flows import AffineCoupling, Bijection, Chain, Flow, Permute
from simulacra.protocols import Density, NoiseMap
from simulacra.recipes.realnvp import realnvp

GIVEN = {"energy": Field((1,)), "label": Field((), "class", 3)}


def wild(module: nn.Module, scale: float = 0.4, seed: int = 0) -> nn.Module:
    """The module with random weights in place of those that start at zero."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=scale / parameter.shape[1] ** 0.5)
            else:
                nn.init.normal_(parameter, std=0.1)
    return module


def chain(size: int, told: bool) -> Chain:
    steps: list[nn.Module] = []
    for k in range(4):
        mask = (torch.arange(size) + k) % 2 == 0 if size > 1 else torch.tensor([False])
        steps += [AffineCoupling(mask, GIVEN if told else {}, (16,)), Permute(torch.arange(size).roll(1))]
    return Chain(steps)


def conditions(n: int) -> dict[str, torch.Tensor]:
    return {"energy": torch.linspace(-1, 1, n)[:, None], "label": torch.arange(n) % 3}


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_inverse_and_volume(size: int, told: bool):
    bijection, given_ = wild(chain(size, told), 1.0).double(), conditions(20) if told else {}
    assert isinstance(bijection, Bijection)
    x = torch.randn(20, size, dtype=torch.float64) * 3
    z, log_det = bijection.to_latent(x, given_)  # type: ignore[operator]
    back, inverse = bijection.to_data(z, given_)  # type: ignore[operator]
    assert (back - x).abs().max() < 1e-10
    assert torch.allclose(log_det, -inverse, atol=1e-10)
    for k in range(3):
        row = {name: value[k : k + 1] for name, value in given_.items()}
        jacobian = torch.autograd.functional.jacobian(lambda v, r=row: bijection.to_latent(v[None], r)[0][0], x[k])  # type: ignore[operator]
        assert torch.linalg.slogdet(jacobian)[1].item() == pytest.approx(log_det[k].item(), abs=1e-9)
    single, y = wild(chain(size, told)), x.float() / 3
    assert (single.to_data(single.to_latent(y, given_)[0], given_)[0] - y).abs().max() < 1e-5  # type: ignore[operator]
    assert (z - x).abs().max() > 0.1


@given(st.lists(st.floats(-10, 10), min_size=3, max_size=3), st.integers(0, 30))
@settings(max_examples=60)
def test_round_trip_search(values: list[float], seed: int):
    bijection = wild(chain(3, False), 0.8, seed).double()
    x = torch.tensor([values], dtype=torch.float64)
    z, _ = bijection.to_latent(x)  # type: ignore[operator]
    assert ((bijection.to_data(z)[0] - x).abs() < 1e-10 * x.abs().clamp(min=1)).all()  # type: ignore[operator]


def test_far_values_are_finite():
    flow = Flow(wild(chain(2, False), 1.0), (2,))
    assert torch.isfinite(flow.log_prob(Batch(torch.tensor([[1e6, -1e6], [0.0, 1e8]])))).all()
    assert torch.isfinite(flow.push({"z": torch.full((1, 2), 1e6)}).x).all()


def test_messages():
    with pytest.raises(ValueError, match="expected each of 0 to 1 once"):
        Permute(torch.tensor([0, 0]))
    with pytest.raises(ValueError, match="expected at least one number to move"):
        AffineCoupling(torch.tensor([True, True]))
    with pytest.raises(ValueError, match="expected a module with to_latent and to_data, came Linear"):
        Flow(nn.Linear(2, 2), (2,))
    with pytest.raises(UserError, match="expected the layout vector or image for realnvp, dots has 'sequence'"):
        realnvp(DataSpec("dots", "sequence", Field((4,))))


def learn(name: str, rounds: int, **options):
    """A short training by hand: the experiment, and the physical data."""
    torch.manual_seed(0)
    data = open_data(name, rows=8000, labels="label" in options.pop("told", ""))
    experiment = realnvp(data.spec, layers=6, hidden=(48, 48), lr=3e-3, **options)
    experiment.codec.fit([data[:]])
    encoded = experiment.codec.encode(data[:])
    player = experiment.players[0]
    for _ in range(rounds):
        player.optimizer.zero_grad()  # type: ignore[union-attr]
        torch.stack(list(player.loss(encoded[torch.randint(8000, (256,))]).parts.values())).sum().backward()  # type: ignore[union-attr]
        player.optimizer.step()  # type: ignore[union-attr]
    return experiment, data, player.trains


def integral(flow, reach: float, count: int, given_=None) -> float:
    axis = (torch.arange(count) + 0.5) / count * 2 * reach - reach
    grid = torch.cartesian_prod(axis, axis)
    told = {name: value.expand(len(grid), *value.shape[1:]) for name, value in (given_ or {}).items()}
    with torch.no_grad():
        return float(flow.log_prob(Batch(grid, told)).double().exp().sum() * (2 * reach / count) ** 2)


def test_realnvp_on_moons_is_a_density():
    experiment, data, flow = learn("toys:moons", 300)
    assert isinstance(flow, Density)
    assert isinstance(flow, NoiseMap)
    assert integral(flow, 6, 400) == pytest.approx(1, abs=0.01)
    x = experiment.codec.encode(data[:500]).x
    z, _ = flow.bijection.to_latent(x)
    assert (flow.bijection.to_data(z)[0] - x).abs().max() < 1e-5
    physical = data[:4000]
    with torch.no_grad():
        have = flow.log_prob(experiment.codec.encode(physical)) + experiment.codec.log_det(physical)
    from simulacra.domains.toys import TOYS

    truth = TOYS["moons"].log_prob(physical.x).mean().item()
    gap = truth - have.double().mean().item()
    assert -0.05 < gap < 0.25  # the Kullback-Leibler divergence from the truth, in nats: 0.8 for one Gaussian
    # the same density in its own samples: E log p of samples is minus the entropy, as for the data
    drawn = flow.sample(4000)
    assert flow.log_prob(drawn).mean().item() == pytest.approx(
        flow.log_prob(experiment.codec.encode(physical)).mean().item(), abs=0.3
    )
    assert not drawn.x.requires_grad
    assert flow.push(flow.noise(3)).x.requires_grad


def test_realnvp_of_random_weights_is_a_density():
    experiment = realnvp(open_data("toys:moons", rows=10).spec, layers=6, hidden=(32, 32))
    flow = wild(experiment.players[0].trains, 0.8)
    z = torch.randn(2000, 2)
    x = flow.bijection.to_data(z)[0].detach()  # type: ignore[union-attr, operator]
    assert integral(flow, float(x.abs().max()) * 1.3, 900) == pytest.approx(1, abs=0.01)
    assert (flow.bijection.to_latent(x)[0] - z).abs().max() < 1e-5  # type: ignore[union-attr, operator]


def test_conditional_flow_puts_each_class_where_it_belongs():
    experiment, _, flow = learn("toys:gaussians", 300, told="label")
    for label, centre in enumerate([(0.3, 0.7), (0.7, 0.4)]):
        told = {"label": torch.full((2000,), label)}
        drawn = flow.sample(2000, experiment.codec.encode_given(told))
        assert experiment.codec.decode(Batch(drawn.x, told)).x.mean(0).tolist() == pytest.approx(centre, abs=0.03)
        assert integral(flow, 8, 300, {"label": told["label"][:1]}) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("name", ["toys:mixture1d", "toys:moons"])
def test_every_parameter_feels_a_gradient(name: str):
    data = open_data(name, rows=64, labels=True)
    experiment = realnvp(data.spec, layers=4, hidden=(8,))
    experiment.codec.fit([data[:]])
    player = experiment.players[0]
    wild(player.trains)
    player.loss(experiment.codec.encode(data[:])).parts["nll"].backward()  # type: ignore[union-attr]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in player.trains.parameters())


def test_weights_count_as_repeated_events():
    flow = Flow(wild(chain(2, False)), (2,))
    x = torch.randn(3, 2)
    once = flow.loss(Batch(x, weight=torch.tensor([1.0, 2.0, 0.0]))).parts["nll"]
    assert torch.allclose(once, flow.loss(Batch(x[[0, 1, 1]])).parts["nll"])
