"""A generator before its first step."""

from __future__ import annotations

from simulacra.batch import DataSpec
from simulacra.classical.untrained import Untrained
from simulacra.gan import StandardNormal
from simulacra.networks import generator_for
from simulacra.recipes._parts import codec_for, need_layout, sized
from simulacra.training.game import Experiment, Solver, modules

FAMILY = "classical"
DOMAIN = ("vector", "image", "layers")
PAPER = "the zeroth step of any other"


def untrained(data: DataSpec, *, latent: int = 64, width: int = 64, batch: int = 256) -> Experiment:
    """The generator of the GANs of this layout as it was initialised, frozen.

    An MLP for numbers, DCGAN's convolutions for pictures, codes and shares for showers. Only the codec has seen data:
    what it knows (mean and spread, the energy of a layer) is all that is right. A model that does no better has not
    been trained.
    """
    need_layout(data, "untrained", *DOMAIN)
    codec = codec_for(data)
    spec = codec.spec(data)
    latents = {"z": StandardNormal(latent)}
    if data.layout == "layers":
        latents["cells"] = StandardNormal(data.x.size)
    model = Untrained(generator_for(spec, latent, **sized(data, width)), latents).freeze()
    solver = Solver("untrained", model, model.collect, model.solve)
    return Experiment(model, [solver], codec, 1, batch, modules(model=model), begin=model.begin)
