"""The claims on the evidence lower bound: their pieces, and their experiments on a small budget."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from simulacra.batch import Batch
from simulacra.claims import elbo, vae_losses
from simulacra.claims.claim import Result

TINY: dict[str, Callable[[int], Result]] = {
    "evidence-is-the-bound-and-a-gap": lambda seed: elbo.adding(seed, rounds=20, latent=2, looks=2),
    "error-of-a-vae-is-an-autoencoders": lambda seed: vae_losses.weighing(seed, rounds=2),
    "divergence-keeps-a-vae-from-an-autoencoder": lambda seed: vae_losses.signing(seed, rounds=2),
}
CLAIMS = {claim.name: claim for claim in elbo.CLAIMS + vae_losses.CLAIMS}


@pytest.mark.parametrize("name", CLAIMS)
def test_an_experiment_gives_the_quantities_of_its_bounds_twice_the_same_and_a_picture(name: str):
    first, second = TINY[name](1), TINY[name](1)
    assert dict(first.values) == dict(second.values)
    assert set(first.values) == set(CLAIMS[name].bounds) == set(first.control)
    assert isinstance(CLAIMS[name].figure([first, second]), Figure)


def test_the_bound_and_the_gap_add_up_whatever_the_model_and_however_its_codes_are_turned():
    x = elbo.pixels()[:50].double()
    model = elbo.linear(x.float(), 3, 5, 0)
    turned = elbo.turn(model)
    for held, q in ((model, None), (turned, None), (turned, elbo.best(turned, x))):
        found = elbo.pieces(held, x, q)
        assert (found.evidence - found.bound - found.gap).abs().max() < 1e-8
        assert found.gap.min() >= 0
        assert torch.allclose(found.evidence, elbo.pieces(model, x).evidence)


def test_the_bound_is_the_mean_of_the_models_own_draws():
    x = elbo.pixels()[:4].double()
    model = elbo.linear(x.float(), 2, 0, 0)
    torch.manual_seed(0)
    drawn = torch.stack([model.log_prob_bound(Batch(x)) for _ in range(4000)]).detach()
    away = (drawn.mean(0) - elbo.pieces(model, x).bound) / (drawn.std(0) / 4000**0.5)
    assert away.abs().max() < 4.5


def test_the_best_independent_codes_leave_the_smallest_gap():
    x = elbo.pixels()[:20].double()
    model = elbo.turn(elbo.linear(x.float(), 3, 50, 0))
    q = elbo.best(model, x)
    least = elbo.pieces(model, x, q).gap.mean()
    for factor in (0.9, 1.1):
        assert elbo.pieces(model, x, elbo.diagonal(q.mean, factor * q.stddev)).gap.mean() > least
    assert elbo.pieces(model, x, elbo.diagonal(q.mean + 0.1, q.stddev)).gap.mean() > least


def test_all_of_the_variance_comes_back_from_the_pictures_themselves_and_none_from_their_mean():
    class Decoder:
        def decode(self, z: torch.Tensor) -> object:
            return torch.distributions.Normal(z, 1.0)

    x = vae_losses.digits()
    assert vae_losses.back(Decoder(), x, x) == 1.0  # type: ignore[arg-type]
    assert vae_losses.back(Decoder(), x, x.mean(0).expand_as(x)) == pytest.approx(0.0, abs=1e-6)  # type: ignore[arg-type]
    assert np.isfinite(x.numpy()).all()
