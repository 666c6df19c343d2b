"""What the recipes of autoencoders share: codec, networks by layout, likelihood and training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from simulacra.autoencoders import VAE, Autoencoder
from simulacra.batch import Batch, DataSpec
from simulacra.distributions import Bernoulli, Gaussian
from simulacra.domains.images import ImageCodec
from simulacra.domains.standard import Standardize
from simulacra.errors import UserError
from simulacra.networks import LatentEncoder, critic_for, generator_for
from simulacra.networks.framed import Cropped, Framed, square
from simulacra.protocols import Codec
from simulacra.recipes._parts import sized
from simulacra.training.game import Experiment, Hook, Loss, Player, Solver, linear_decay, modules


def likelihood_for(data: DataSpec, name: str, sigma: float | None) -> Gaussian | Bernoulli:
    """`gaussian` with a fixed or learned sigma, or `bernoulli`, which only pictures have.

    Raises:
        UserError: the name is unknown, or does not fit the data.
    """
    if name == "gaussian":
        return Gaussian(sigma)
    if name != "bernoulli" or data.layout != "image" or sigma is not None:
        raise UserError(
            f"expected the likelihood gaussian, or bernoulli for pictures and without a sigma, came {name!r} for "
            f"{data.name}; choose another"
        )
    return Bernoulli()


def code_codec(data: DataSpec, likelihood: nn.Module) -> ImageCodec | Standardize:
    """Numbers standardised; pictures as large as they are, their grey levels blurred where p(x | z) is a density."""
    if data.layout == "image":
        return ImageCodec(data, size=0, dequantise=isinstance(likelihood, Gaussian))
    return Standardize(data)


def body_for(spec: DataSpec, width: int) -> Any:
    """(x, given) -> features [B, features]: a DCGAN critic's body with layer norm, or an MLP."""
    if spec.layout != "image":
        return critic_for(spec, **sized(spec, width)).body
    framed = replace(spec, x=replace(spec.x, shape=square(spec.x.shape)))
    body: Any = critic_for(framed, base=width, norm="layer").body
    out: Any = Framed(body, spec.x.shape)
    out.features = body.features
    return out


def encoder_for(spec: DataSpec, latent: int, width: int, deterministic: bool = False) -> LatentEncoder:
    """(x, given) -> a diagonal Gaussian or a point mass over z."""
    body = body_for(spec, width)
    return LatentEncoder(body, body.features, latent, deterministic)


def decoder_for(spec: DataSpec, latent: int, width: int, output: Callable[[], nn.Module] = nn.Tanh) -> nn.Module:
    """({"z"}, given) -> numbers [B, *event]: a DCGAN generator with layer norm, or an MLP."""
    if spec.layout != "image":
        return generator_for(spec, latent, **sized(spec, width))
    framed = replace(spec, x=replace(spec.x, shape=square(spec.x.shape)))
    return Cropped(generator_for(framed, latent, base=width, norm="layer", output=output), spec.x.shape)


def output_of(likelihood: nn.Module) -> Callable[[], nn.Module]:
    """A mean lies in the range of pictures, a logit anywhere."""
    return nn.Identity if isinstance(likelihood, Bernoulli) else nn.Tanh


def by_bound(
    model: VAE,
    codec: ImageCodec | Standardize,
    *,
    lr: float,
    batch: int,
    rounds: int,
    loss: Callable[[Batch], Loss] | None = None,
    hooks: Sequence[Hook] = (),
) -> Experiment:
    """One player who makes minus a bound small with Adam, the rate falling to 0 over the second half."""
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=True)
    player = Player("vae", model, loss or model.loss, optimizer, clip=100.0, schedule=linear_decay(0.5))
    return Experiment(model, [player], codec, rounds, batch, modules(model=model), hooks)


def by_reconstruction(
    model: Autoencoder, codec: Codec, *, lr: float, batch: int, rounds: int, fitted: bool = True
) -> Experiment:
    """One player who reconstructs; where it is to be fitted, a solver for the density of codes in the second half."""
    optimizer = torch.optim.Adam(model.nets.parameters(), lr=lr)
    player = Player("autoencoder", model.nets, model.loss, optimizer, clip=100.0, schedule=linear_decay(0.5))
    density = Solver(
        "density", model.density, model.collect, model.density.solve, when=lambda clock: clock.progress >= 0.5
    )
    return Experiment(model, [player, density] if fitted else [player], codec, rounds, batch, modules(model=model))
