"""Seeded draws: the same numbers in any thread, and the global generators never move."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Beta, Categorical, Dirichlet, Gamma, Normal, Poisson, StudentT, VonMises
from torch.nn import functional as F

from simulacra.random import draws, reseed, seed_of


def layer(module: nn.Module, *shape: int) -> Tensor:
    out = module(torch.ones(*shape))
    return out[0] if isinstance(out, tuple) else out


def attend() -> Tensor:
    x = torch.arange(24.0).view(1, 4, 6).sin()
    return nn.MultiheadAttention(6, 2, dropout=0.5, batch_first=True)(x, x, x)[0]


def scaled() -> Tensor:
    x = torch.arange(48.0).view(1, 2, 4, 6).sin()
    return F.scaled_dot_product_attention(x, x, x, dropout_p=0.5)


KINDS: dict[str, Callable[[], Tensor]] = {
    "rand": lambda: torch.rand(5),
    "randn": lambda: torch.randn(5),
    "randint": lambda: torch.randint(0, 1000, (5,)),
    "randint_like": lambda: torch.randint_like(torch.zeros(5), 1000),
    "randperm": lambda: torch.randperm(50),
    "rand_like": lambda: torch.rand_like(torch.zeros(5)),
    "randn_like": lambda: torch.randn_like(torch.zeros(5)),
    "normal": lambda: torch.normal(torch.zeros(5), torch.ones(5)),
    "normal number": lambda: torch.normal(0.0, 1.0, (5,)),
    "normal_": lambda: torch.zeros(5).normal_(),
    "uniform_": lambda: torch.zeros(5).uniform_(),
    "exponential_": lambda: torch.zeros(5).exponential_(),
    "cauchy_": lambda: torch.zeros(5).cauchy_(),
    "geometric_": lambda: torch.zeros(50).geometric_(0.1),
    "log_normal_": lambda: torch.zeros(5).log_normal_(),
    "random_": lambda: torch.zeros(5).random_(),
    "bernoulli_": lambda: torch.zeros(90).bernoulli_(0.5),
    "bernoulli": lambda: torch.bernoulli(torch.full((90,), 0.5)),
    "multinomial": lambda: torch.multinomial(torch.ones(90), 50),
    "poisson": lambda: torch.poisson(torch.full((50,), 30.0)),
    "binomial": lambda: torch.binomial(torch.full((50,), 100.0), torch.full((50,), 0.5)),
    "linear": lambda: nn.Linear(4, 3).weight,
    "convolution": lambda: nn.Conv2d(2, 3, 3).weight,
    "embedding": lambda: nn.Embedding(4, 3).weight,
    "orthogonal": lambda: nn.init.orthogonal_(torch.empty(4, 4)),
    "truncated": lambda: nn.init.trunc_normal_(torch.empty(9)),
    "dropout": lambda: layer(nn.Dropout(), 90),
    "dropout2d": lambda: layer(nn.Dropout2d(), 2, 90, 2, 2),
    "alpha dropout": lambda: layer(nn.AlphaDropout(), 90),
    "feature alpha dropout": lambda: layer(nn.FeatureAlphaDropout(), 2, 90, 2, 2),
    "torch.dropout": lambda: torch.dropout(torch.ones(90), 0.5, True),
    "rrelu": lambda: F.rrelu(-torch.ones(9), training=True),
    "gumbel": lambda: F.gumbel_softmax(torch.zeros(2, 50), hard=True),
    "attention": attend,
    "scaled attention": scaled,
    "lstm": lambda: layer(nn.LSTM(3, 40, num_layers=2, dropout=0.5), 5, 2, 3),
    "gru": lambda: layer(nn.GRU(3, 40, num_layers=2, dropout=0.5), 5, 2, 3),
    "fractional pool": lambda: F.fractional_max_pool2d(
        torch.arange(1600.0).view(1, 1, 40, 40).sin(), 2, output_ratio=(0.6, 0.6)
    ),
    "Beta": lambda: Beta(2.0, 3.0).sample((5,)),
    "Gamma": lambda: Gamma(2.0, 3.0).rsample((5,)),
    "Dirichlet": lambda: Dirichlet(torch.ones(4)).sample((5,)),
    "Poisson": lambda: Poisson(30.0).sample((50,)),
    "StudentT": lambda: StudentT(3.0).sample((5,)),
    "Categorical": lambda: Categorical(torch.ones(90)).sample((50,)),
    "Normal": lambda: Normal(0.0, 1.0).sample((5,)),
    "VonMises": lambda: VonMises(torch.zeros(3), torch.ones(3)).sample((5,)),
}


def drawn(kind: str, seed: int) -> Tensor:
    with draws(seed):
        return KINDS[kind]().detach()


@pytest.mark.parametrize("kind", KINDS)
def test_draws_come_from_the_seed_alone(kind: str) -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = drawn(kind, 5)
    assert torch.equal(torch.get_rng_state(), state), "the global generator moved"
    torch.manual_seed(2)
    assert torch.equal(drawn(kind, 5), first)
    assert not torch.equal(drawn(kind, 6), first)


def test_six_threads_agree() -> None:
    want = {kind: drawn(kind, 3) for kind in KINDS}

    def all_of_them(worker: int) -> bool:
        order = sorted(KINDS, key=lambda kind: seed_of(worker, kind))
        return all(torch.equal(drawn(kind, 3), want[kind]) for kind in order)

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(all_of_them, range(6)))


def test_a_block_ends_with_its_block_and_nests() -> None:
    with draws(1):
        alone = torch.rand(4)
    with draws(1):
        a = torch.rand(2)
        with draws(9):
            torch.rand(3)
        b = torch.rand(2)
    assert torch.equal(torch.cat([a, b]), alone)
    torch.manual_seed(3)
    free = torch.rand(2)
    torch.manual_seed(3)
    with draws(1):
        torch.rand(2)
    assert torch.equal(torch.rand(2), free)


def test_a_generator_that_is_passed_is_kept() -> None:
    want = torch.rand(3, generator=torch.Generator().manual_seed(8))
    with draws(1):
        assert torch.equal(torch.rand(3, generator=torch.Generator().manual_seed(8)), want)


def test_reseeding_starts_the_stream_of_its_words() -> None:
    reseed(1, "round", 3)
    first = torch.rand(3)
    reseed(1, "round", 3)
    assert torch.equal(torch.rand(3), first)
    reseed(1, "round", 4)
    assert not torch.equal(torch.rand(3), first)
