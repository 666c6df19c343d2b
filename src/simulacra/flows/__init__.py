"""Normalising flows: exact densities that can be sampled."""

from simulacra.flows.bijections import Bijection, Chain, Permute
from simulacra.flows.coupling import AffineCoupling
from simulacra.flows.flow import Flow, StandardNormal

__all__ = ["AffineCoupling", "Bijection", "Chain", "Flow", "Permute", "StandardNormal"]
