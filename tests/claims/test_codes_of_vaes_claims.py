"""The claims on codes of VAEs: on a small budget, and laws of what they measure."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from simulacra.batch import Batch
from simulacra.claims import codes_of_shapes, codes_of_vaes, decoders, elbo, uncertainty
from simulacra.claims.claim import Result

TINY: dict[str, Callable[[int], Result]] = {
    "an-autoencoder-has-one-code-for-an-event": lambda seed: codes_of_vaes.repeating(seed, rounds=1, times=300, rows=8),
    "divergence-imposes-the-prior": lambda seed: codes_of_vaes.imposing(seed, rounds=1),
    "a-decoder-is-a-generator": lambda seed: decoders.generating(seed, rounds=1),
    "close-codes-decode-alike": lambda seed: decoders.walking(seed, rounds=1, pairs=10),
    "axes-carry-pose-and-smile": lambda seed: codes_of_shapes.posing(seed, rounds=1),
    "few-degrees-of-freedom-suffice": lambda seed: codes_of_shapes.sufficing(seed, rounds=1, rows=300),
    "posteriors-widen-where-events-are-unclear": lambda seed: uncertainty.widening(seed, rounds=1),
}
ROOMS = (codes_of_vaes, decoders, codes_of_shapes, uncertainty)
CLAIMS = {claim.name: claim for room in ROOMS for claim in room.CLAIMS}


def test_every_claim_is_here():
    assert set(CLAIMS) == set(TINY)


@pytest.mark.parametrize("name", CLAIMS)
def test_an_experiment_gives_the_quantities_of_its_bounds_and_a_picture(name: str):
    first = TINY[name](1)
    assert set(first.values) == set(CLAIMS[name].bounds) == set(first.control)
    assert isinstance(CLAIMS[name].figure([first, first]), Figure)


def test_an_untrained_vae_draws_its_codes_and_an_autoencoder_does_not():
    found = codes_of_vaes.repeating(1, rounds=1, times=300, rows=8)
    assert found.values[codes_of_vaes.STILL] == 0.0
    assert found.values[codes_of_vaes.MOVING] > 0.1
    assert found.values[codes_of_vaes.WIDTHS] == pytest.approx(0.033, abs=0.015)  # of 300 draws


def test_a_straight_decoder_takes_equal_steps():
    class Straight:
        def decode(self, z: torch.Tensor) -> torch.Tensor:
            return z.repeat(1, 32).view(-1, 1, 8, 8) * 0.01

    path, length = decoders.steps(Straight(), torch.zeros(3, 2), torch.ones(3, 2))
    assert path.shape == (17, 3, 64)
    assert np.allclose(length, length[0, 0], rtol=1e-3)


def test_faces_turn_and_smile():
    zero, left, glad = torch.zeros(1, 2), torch.tensor([[-1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    straight, turned, smiling = (codes_of_shapes.faces(f, 32)[0, 0] for f in (zero, left, glad))
    assert torch.allclose(straight, straight.flip(1), atol=1e-5)
    assert torch.allclose(smiling, smiling.flip(1), atol=1e-5)
    assert torch.allclose(turned, codes_of_shapes.faces(-left, 32)[0, 0].flip(1), atol=1e-5)
    assert not torch.allclose(turned, turned.flip(1), atol=0.1)
    assert smiling[20:, 16].argmax() > smiling[20:, 11].argmax()  # the corners are higher
    assert straight.amax() <= 1
    assert straight.amin() >= 0


def test_along_finds_the_number_that_follows_a_factor_either_way():
    factors = np.random.default_rng(0).uniform(-1, 1, (500, 2))
    assert codes_of_shapes.along(np.stack([-factors[:, 1], factors[:, 0] ** 3], 1), factors) == (1.0, [1, 0])
    assert codes_of_shapes.along(np.random.default_rng(1).normal(size=(500, 2)), factors)[0] < 0.15


def test_hidden_lines_are_black_and_the_others_stay():
    x = torch.rand(2, 1, 8, 8)
    half = uncertainty.hidden(x, 3)
    assert torch.equal(half[:, :, :5], x[:, :, :5])
    assert (half[:, :, 5:] == -1).all()


def test_what_was_not_seen_widens_the_linear_posterior_up_to_the_prior():
    x = elbo.pixels()
    model = elbo.linear(x, 3, 20, 0)
    entropies = [uncertainty.exact(model, k) for k in range(9)]
    assert np.all(np.diff(entropies) > 0)
    assert entropies[-1] == pytest.approx(3 / 2 * np.log(2 * np.pi * np.e))
    with torch.no_grad():
        gap = elbo.pieces(model, x[:5].double(), elbo.best(model, x[:5].double())).gap
        whole = elbo.best(model, x[:1].double()).entropy() - entropies[0]
        assert whole.item() <= 1e-9  # independent Gaussians with the posterior's precisions are narrower
        assert torch.allclose(-whole, gap[:1], atol=1e-6)
        assert uncertainty.entropy(model, x[:5].double()).shape == (5,)
    assert model.encode(Batch(x[:1].double())).mean.shape == (1, 3)
