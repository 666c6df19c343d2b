"""Variational autoencoders of pythae with the networks of simulacra's recipes, and their bound by simulacra's code."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, Independent, MixtureSameFamily, Normal

from simulacra.autoencoders import VAE
from simulacra.distributions import Bernoulli, StandardNormalPrior

LATENT = 16


def of_pythae(recipe: str, own: VAE) -> nn.Module:
    """pythae's model of a recipe with the networks of `own`, not yet trained, as its encoder and decoder."""
    from pythae import models  # pyright: ignore[reportMissingImports]
    from pythae.models.base.base_utils import ModelOutput  # pyright: ignore[reportMissingImports]
    from pythae.models.nn import BaseDecoder, BaseEncoder  # pyright: ignore[reportMissingImports]

    class Encodes(BaseEncoder):
        def __init__(self, encoder: Any) -> None:
            super().__init__()
            self.body, self.numbers = encoder.body, encoder.numbers

        def forward(self, x: Tensor) -> Any:
            mean, width = self.numbers(self.body(2 * x - 1, {})).chunk(2, 1)
            return ModelOutput(embedding=mean, log_covariance=width)

    class Decodes(BaseDecoder):
        def __init__(self, decoder: nn.Module) -> None:
            super().__init__()
            self.logits = decoder

        def forward(self, z: Tensor) -> Any:
            return ModelOutput(reconstruction=self.logits({"z": z}, {}).sigmoid())

    told: dict[str, Any] = {"input_dim": (1, 28, 28), "latent_dim": LATENT, "reconstruction_loss": "bce"}
    make, config, more = {
        "vae": (models.VAE, models.VAEConfig, {}),
        "beta_vae": (models.BetaVAE, models.BetaVAEConfig, {"beta": 4.0}),
        "iwae": (models.IWAE, models.IWAEConfig, {"number_samples": 5}),
        "vamp_vae": (models.VAMP, models.VAMPConfig, {"number_components": 50}),
    }[recipe]
    return make(config(**told, **more), Encodes(own.encoder), Decodes(own.decoder))


def loss(model: Any, x: Tensor) -> Tensor:
    return model({"data": (x + 1) / 2}).loss


def draw(recipe: str, model: Any, n: int) -> Tensor:
    from pythae.samplers import NormalSampler, VAMPSampler  # pyright: ignore[reportMissingImports]

    sampler: Any = (VAMPSampler if recipe == "vamp_vae" else NormalSampler)(model)
    return sampler.sample(num_samples=n, batch_size=n, return_gen=True)


def as_ours(model: Any, recipe: str) -> VAE:
    """A trained model of pythae as simulacra's, so that the same code computes the bounds of both."""

    class Encodes(nn.Module):
        def forward(self, x: Tensor, given: Any = {}) -> Distribution:
            seen = model.encoder((x + 1) / 2)
            sigma = (seen.log_covariance / 2).exp()
            return Independent(Normal(seen.embedding, sigma, validate_args=False), 1, validate_args=False)

    class Vamp(nn.Module):
        def forward(self, given: Any = {}) -> Distribution:
            pseudo = model.pseudo_inputs(model.idle_input).reshape(-1, 1, 28, 28)
            even = Categorical(logits=torch.zeros(len(pseudo)))
            return MixtureSameFamily(even, Encodes()(2 * pseudo - 1), validate_args=False)  # type: ignore[arg-type]

    prior = Vamp() if recipe == "vamp_vae" else StandardNormalPrior(LATENT)
    return VAE(Encodes(), model.decoder.logits, Bernoulli(), prior).eval()
