"""Tensors in, tensors out: the one table where the layout of data meets an architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from simulacra.batch import DataSpec, Field
from simulacra.errors import UserError, nearest
from simulacra.networks.conditioning import Conditions
from simulacra.networks.dcgan import DCBody, DCGenerator
from simulacra.networks.denoisers import DenseDenoiser
from simulacra.networks.dense import DenseBody, DenseGenerator
from simulacra.networks.encoder import LatentEncoder, PairBody, PointMass
from simulacra.networks.heads import Critic, EvidenceHead, LinearHead, ProjectionHead, Verdict, head_for
from simulacra.networks.made import MADE
from simulacra.networks.minibatch import BatchHead, MinibatchDeviation, MinibatchDiscrimination, PairwiseDistances
from simulacra.networks.mlp import MLP
from simulacra.networks.shower import ShowerBody, ShowerGenerator, ShowerView
from simulacra.networks.spectral import spectrally_normalised
from simulacra.networks.tied import tied
from simulacra.networks.transformer import DiffusionTransformer
from simulacra.networks.unet import UNet
from simulacra.networks.virtual import Referenced, VirtualBatchNorm

__all__ = [
    "MADE",
    "MLP",
    "BatchHead",
    "Conditions",
    "Critic",
    "EvidenceHead",
    "LatentEncoder",
    "LinearHead",
    "MinibatchDeviation",
    "MinibatchDiscrimination",
    "PairBody",
    "PairwiseDistances",
    "PointMass",
    "ProjectionHead",
    "Referenced",
    "Verdict",
    "VirtualBatchNorm",
    "critic_for",
    "denoiser_for",
    "generator_for",
    "head_for",
    "spectrally_normalised",
    "tied",
]
DENOISERS: dict[str, Any] = {"unet": UNet, "transformer": DiffusionTransformer}
"""Denoisers of pictures, by name."""


def generator_for(spec: DataSpec, latent: int, **options: Any) -> nn.Module:
    """The generator for encoded data: (noise, given) -> x [B, *event].

    | layout | network | options |
    |---|---|---|
    | `vector` | MLP | `hidden`, `activation` |
    | `image` | DCGAN | `base`, `norm`, `strided`, `dense`, `activation`, `output` |
    | `layers` | codes, then shares; wants the noises `z` and `cells` | `hidden` |

    Raises:
        UserError: there is no generator for this layout, or not for pictures of this size.

    Example:
        >>> import torch
        >>> from simulacra.batch import Field
        >>> generator_for(DataSpec("dots", "image", Field((1, 16, 16))), 8, base=4)({"z": torch.zeros(1, 8)}, {}).shape
        torch.Size([1, 1, 16, 16])
    """
    if spec.layout == "vector":
        return DenseGenerator(spec.x.shape, latent, spec.given, **options)
    if spec.layout == "image":
        return DCGenerator(spec.x.shape, latent, spec.given, **options)
    if spec.layout == "layers":
        return ShowerGenerator(spec, latent, **options)
    raise _no_network(spec, "generator")


def critic_for(
    spec: DataSpec,
    *,
    projection: bool = False,
    offset: bool = True,
    compare: Callable[[int], Any] | None = None,
    reads: Mapping[str, Field] | None = None,
    view: ShowerView | None = None,
    **options: Any,
) -> Critic:
    """The critic for encoded data: (x, given) -> Verdict.

    | layout | network | options |
    |---|---|---|
    | `vector` | MLP | `hidden`, `activation` |
    | `image` | DCGAN | `base`, `norm`, `strided`, `dense`, `slope` |
    | `layers` | MLP over logarithms and physics features | `hidden` |

    Args:
        spec: encoded.
        projection: whether the head is told the conditions, if there are any, instead of the body.
        offset: whether a constant is added to the score; it does nothing to a Wasserstein distance.
        compare: features -> a layer that compares the events of a batch, in front of the head.
        reads: what it reads off the events into `Verdict.guess`: conditions, which it is then not told, or codes.
        view: what a critic of `layers` looks at, such as one that knows their energies in MeV.

    Raises:
        UserError: there is no critic for this layout, or not for pictures of this size.
    """
    reads = reads or {}
    told = {name: field for name, field in spec.given.items() if name not in reads}
    seen, scored = ({}, told) if projection else (told, {})
    if spec.layout == "vector":
        body: Any = DenseBody(spec.x.shape, seen, **options)
    elif spec.layout == "image":
        body = DCBody(spec.x.shape, seen, **options)
    elif spec.layout == "layers":
        view = view or ShowerView(spec.parts)
        body = ShowerBody(view.size, seen, **options)
    else:
        raise _no_network(spec, "critic")
    layer = compare(body.features) if compare else None
    head = head_for(layer.outputs if layer else body.features, scored, offset)
    readers = {name: nn.Linear(body.features, field.size * max(field.levels, 1)) for name, field in reads.items()}
    return Critic(body, BatchHead(layer, head) if layer else head, readers, view)


def denoiser_for(spec: DataSpec, network: str = "unet", **options: Any) -> nn.Module:
    """The denoiser for encoded data: (x, label [B], given, keep [B] or None) -> numbers of the shape of x.

    | layout | network | options |
    |---|---|---|
    | `vector` | MLP with residual blocks | `hidden`, `depth` |
    | `image`, `unet` | U-Net with attention | `base`, `multiples` |
    | `image`, `transformer` | diffusion transformer on patches | `width`, `depth`, `heads`, `patch` |

    Args:
        spec: encoded.
        network: of pictures; numbers have only the MLP.

    Raises:
        UserError: there is no denoiser for this layout, or no such network.
    """
    if network not in DENOISERS:
        raise UserError(f"expected a network unet or transformer, came {network!r}; {nearest(network, DENOISERS)}")
    if spec.layout == "vector":
        if network != "unet":
            raise UserError(f"expected pictures for a {network}, {spec.name} has vectors; leave the network out")
        return DenseDenoiser(spec.x.shape, spec.given, **options)
    if spec.layout == "image":
        return DENOISERS[network](spec.x.shape, spec.given, **options)
    raise UserError(f"expected the layout vector or image for a denoiser, {spec.name} has {spec.layout!r}")


def _no_network(spec: DataSpec, what: str) -> UserError:
    return UserError(f"expected the layout vector, image or layers for a {what}, {spec.name} has {spec.layout!r}")
