"""Laws of Boltzmann machines: against enumeration, and of the Ising model."""

from typing import Any

import numpy as np
import pytest
import torch

from simulacra.batch import Batch
from simulacra.errors import UserError
from simulacra.markov.annealing import annealed
from simulacra.markov.boltzmann import BoltzmannMachine, ising, ising_energy
from simulacra.markov.rbm import RBM, states


def strong(model: Any, scale: float = 0.8) -> Any:
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=scale)
    return model


def machines() -> dict:
    made = {
        "rbm": RBM((6,), 4),
        "rbm, centred": RBM((6,), 4, centred=True),
        "boltzmann": BoltzmannMachine((6,)),
        "boltzmann with hidden": BoltzmannMachine((6,), hidden=3),
    }
    for offset in (made["rbm, centred"].visible_offset, made["rbm, centred"].hidden_offset):
        offset.copy_(torch.linspace(0.1, 0.8, len(offset)))
    return {name: strong(model) for name, model in made.items()}


def joint_energy(model, v: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    """E(v, h) written out with loops over units, one state."""
    if isinstance(model, RBM):
        a, b = v - model.visible_offset, h - model.hidden_offset
        pairs = sum(a[i] * b[j] * model.weight[i, j] for i in range(len(v)) for j in range(len(h)))
        return -(model.bias @ v + model.hidden_bias @ h + pairs)
    s, weight = torch.cat([v, h]), model.weight
    pairs = sum(s[i] * s[j] * weight[i, j] for i in range(len(s)) for j in range(i))
    return -(model.bias @ s + pairs)


@pytest.mark.parametrize("name", machines())
def test_the_free_energy_sums_over_hidden_states(name):
    model = machines()[name]
    hidden = {"boltzmann": 0, "boltzmann with hidden": 3}.get(name, 4)
    v = states(6)[[3, 44]]
    for row in range(2):
        each = torch.stack([-joint_energy(model, v[row], h) for h in states(hidden)])
        assert model.energy(Batch(v[row : row + 1])).item() == pytest.approx(-each.logsumexp(0).item(), abs=1e-4)


@pytest.mark.parametrize("name", machines())
def test_probabilities_sum_to_one_and_annealing_finds_their_sum(name):
    model, every = machines()[name], Batch(states(6))
    with torch.no_grad():
        assert (-model.energy(every) - model.log_partition()).exp().sum().item() == pytest.approx(1, abs=1e-4)
    torch.manual_seed(1)
    found = annealed(model, chains=2000, temperatures=60)
    assert abs(found.log_partition - model.log_partition().item()) < 4 * found.error + 1e-3
    assert found.error < 0.02
    assert 500 < found.effective <= 2000


def test_either_layer_gives_the_same_partition_function():
    wide, tall = strong(RBM((3,), 7)), RBM((7,), 3)
    tall.weight.data = wide.weight.data.T
    tall.bias.data, tall.hidden_bias.data = wide.hidden_bias.data, wide.bias.data
    wide.visible_offset = tall.hidden_offset = torch.tensor([0.3, 0.9, 0.1])
    wide.hidden_offset = tall.visible_offset = torch.linspace(0, 1, 7)
    assert wide.log_partition().item() == pytest.approx(tall.log_partition().item(), abs=1e-4)
    with pytest.raises(UserError, match="annealed"):
        RBM((30,), 21).log_partition()


@pytest.mark.parametrize("name", machines())
@pytest.mark.parametrize("beta", [0.5, 1.0])
def test_a_move_leaves_the_distribution_unchanged(name, beta):
    model, every = machines()[name], states(6)
    with torch.no_grad():
        p = model.log_tempered(every, beta).softmax(0)
    torch.manual_seed(3)
    v = every[torch.multinomial(p, 40_000, replacement=True)]
    moved = model.move(v, beta)
    assert (moved != v).any()
    count = torch.bincount((moved.long() << torch.arange(6)).sum(1), minlength=64)
    keep = 40_000 * p > 5
    chi = ((count - 40_000 * p).square() / (40_000 * p))[keep]
    assert abs(chi.sum() - len(chi)) < 5 * (2 * len(chi)) ** 0.5


@pytest.mark.parametrize("name", machines())
def test_the_gradient_of_the_contrast_is_that_of_the_likelihood(name):
    """With fantasies from the model itself."""
    model, every = machines()[name], states(6)
    data = Batch(every[torch.arange(0, 64, 5)])
    exact = data.mean(model.energy(data)) + model.log_tempered(every, 1.0).logsumexp(0)
    want = torch.autograd.grad(exact, list(model.parameters()))
    torch.manual_seed(4)
    with torch.no_grad():
        p = model.log_tempered(every, 1.0).softmax(0)
    model.fantasies = every[torch.multinomial(p, 100_000, replacement=True)]
    have = torch.autograd.grad(next(iter(model.loss(data).parts.values())), list(model.parameters()))
    for a, b in zip(want, have, strict=True):
        assert torch.allclose(a, b, atol=0.012)


def test_offsets_follow_the_hidden_units_and_change_no_probability():
    model, every = machines()["rbm, centred"], states(6)
    with torch.no_grad():
        before, far = model.log_tempered(every, 1.0).log_softmax(0), model.hidden_offset - model.hidden_bias.sigmoid()
        bias = model.bias.clone()
        for _ in range(300):
            model.centre()
        after, near = model.log_tempered(every, 1.0).log_softmax(0), model.hidden_offset - model.hidden_bias.sigmoid()
    assert (bias - model.bias).abs().min() > 1e-3
    assert torch.allclose(before, after, atol=1e-4)
    assert torch.allclose(near, far * 0.99**300, atol=1e-5)


def test_a_centred_machine_begins_with_the_bits_of_the_data():
    torch.manual_seed(0)
    often = torch.tensor([0.0, 0.1, 0.5, 0.9, 1.0])
    model = RBM((5,), 3, particles=2000, centred=True)
    model.begin(Batch(torch.bernoulli(often.expand(2000, -1))))
    assert torch.allclose(model.fantasies.mean(0), often, atol=0.05)
    assert torch.allclose(model.bias.sigmoid(), often, atol=0.05)
    assert model.bias.isfinite().all()
    model.burn = 0
    kept = {tuple(row) for row in model.fantasies[:1].tolist()}
    model.fantasies = model.fantasies[:1]
    assert {tuple(row) for row in model.sample(50).x.tolist()} == kept


def test_contrastive_divergence_is_biased_and_persistence_is_not():
    """The gradient vanishes at the truth for chains from the model; CD-1 from other data is not the exact one."""
    model, every = machines()["rbm"], states(6)
    data = Batch(every[[1, 2, 4, 63]].repeat(20_000, 1))
    exact = data.mean(model.energy(data)) + model.log_tempered(every, 1.0).logsumexp(0)
    want = torch.cat([g.flatten() for g in torch.autograd.grad(exact, list(model.parameters()))])
    error = {}
    for steps in (1, 30):
        torch.manual_seed(5)
        model.steps = steps
        found = torch.autograd.grad(model.loss(data).parts["contrast"], list(model.parameters()))
        error[steps] = (torch.cat([g.flatten() for g in found]) - want).abs().max().item()
    assert error[1] > 0.05
    assert error[30] < 0.02


@pytest.mark.parametrize("name", ["rbm", "boltzmann"])
def test_training_brings_the_model_to_the_data(name):
    truth, every = strong(BoltzmannMachine((4,))), states(4)
    with torch.no_grad():
        p = truth.log_tempered(every, 1.0).softmax(0)
    torch.manual_seed(6)
    model = RBM((4,), 6, particles=200) if name == "rbm" else BoltzmannMachine((4,), exact=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)

    def kl() -> float:
        with torch.no_grad():
            return (p * (p.log() + model.energy(Batch(every)) + model.log_partition())).sum().item()

    before = kl()
    data = Batch(every, weight=p)
    for step in range(400):
        optimizer.param_groups[0]["lr"] = 0.05 * (1 - step / 400)
        optimizer.zero_grad()
        next(iter(model.loss(data).parts.values())).backward()
        optimizer.step()
    assert before > 0.1
    assert kl() < 0.02


def test_ising_enumeration_is_the_transfer_matrix():
    """<E> and Z of 4 x 4 spins by enumeration, and by the trace of the fourth power of a 16 x 16 matrix."""
    for temperature in (1.5, 2.269, 4.0):
        model, every = ising(4, temperature), states(16)
        spin = 2 * states(4).double().numpy() - 1

        def log_trace(beta: float, spin: np.ndarray = spin) -> float:
            row = (spin * np.roll(spin, 1, 1)).sum(1)
            transfer = np.exp(beta * (spin @ spin.T + (row[:, None] + row) / 2))
            return float(np.log(np.trace(np.linalg.matrix_power(transfer, 4))))

        energies = ising_energy(every.view(-1, 1, 4, 4))
        with torch.no_grad():
            p = model.log_tempered(every, 1.0).softmax(0)
            shift = (energies / temperature - model.energy(Batch(every))).mean().item()
            assert model.log_partition().item() - shift == pytest.approx(log_trace(1 / temperature), abs=1e-3)
        mean, step = (p * energies).sum().item(), 1e-4
        slope = (log_trace(1 / temperature + step) - log_trace(1 / temperature - step)) / (2 * step)
        assert mean == pytest.approx(-slope, abs=0.01)


def test_chains_of_the_ising_model_have_its_energy_and_magnetisation():
    every = states(9)
    for temperature in (2.0, 5.0):
        model = ising(3, temperature)
        model.burn = 60
        with torch.no_grad():
            p = model.log_tempered(every, 1.0).softmax(0)
        torch.manual_seed(7)
        made = model.sample(4000).x
        spin = (2 * every - 1).mean(1).abs(), (2 * made - 1).flatten(1).mean(1).abs()
        energy = ising_energy(every.view(-1, 1, 3, 3)), ising_energy(made)
        for want, have in (spin, energy):
            mean = (p * want).sum()
            assert abs(have.mean() - mean) < 4.5 * have.std() / 4000**0.5


def test_too_many_units_are_refused():
    with pytest.raises(UserError, match="at most 20 units"):
        BoltzmannMachine((21,), exact=True)
    with pytest.raises(UserError, match="at most 12 hidden"):
        BoltzmannMachine((4,), hidden=13)
    with pytest.raises(UserError, match="T > 0"):
        ising(3, 0.0)


@pytest.mark.parametrize(("chains", "units"), [(1, 6), (5, 1), (5, 6)])
def test_a_sweep_leaves_its_start_as_it_was(chains, units):
    machine = strong(BoltzmannMachine((units,)))
    start = torch.bernoulli(torch.full((chains, units), 0.5))
    kept = start.clone()
    for _ in range(5):
        machine.move(start)
    assert torch.equal(start, kept)
