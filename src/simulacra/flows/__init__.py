"""Normalising flows: exact densities that can be sampled."""

from simulacra.flows.autoregressive import Autoregressive
from simulacra.flows.bijections import Bijection, Chain, Invert, Permute, Scale
from simulacra.flows.coupling import AdditiveCoupling, AffineCoupling, Coupling
from simulacra.flows.flow import Flow, StandardLogistic, StandardNormal
from simulacra.flows.glow import ActNorm, InvertibleConvolution
from simulacra.flows.pictures import MultiScale, PictureCoupling, Squeeze
from simulacra.flows.planar import Planar, Radial
from simulacra.flows.reverse_kl import NoData, ReverseKL
from simulacra.flows.transforms import Affine, RationalQuadratic, Shift

__all__ = [
    "ActNorm",
    "AdditiveCoupling",
    "Affine",
    "AffineCoupling",
    "Autoregressive",
    "Bijection",
    "Chain",
    "Coupling",
    "Flow",
    "Invert",
    "InvertibleConvolution",
    "MultiScale",
    "NoData",
    "Permute",
    "PictureCoupling",
    "Planar",
    "Radial",
    "RationalQuadratic",
    "ReverseKL",
    "Scale",
    "Shift",
    "Squeeze",
    "StandardLogistic",
    "StandardNormal",
]
