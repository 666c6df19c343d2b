"""Showers by energies first, then box by box."""

from __future__ import annotations

from torch import nn
from torch.optim import AdamW

from simulacra.autoregressive.cascade import Cascade
from simulacra.autoregressive.splitting import SplittingTree
from simulacra.batch import DataSpec, Field
from simulacra.diffusion.flow_matching import FlowMatching
from simulacra.domains.calorimeter.codec import ShowerCodec
from simulacra.domains.calorimeter.depth import DepthCodec, TotalEnergy, along_depth
from simulacra.domains.calorimeter.energies import LayerEnergies
from simulacra.domains.calorimeter.tree import BoxTree
from simulacra.networks.conditioning import Conditions
from simulacra.recipes._parts import need_layout
from simulacra.training.averaging import EMA, averaged_copy
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "autoregressive"
DOMAIN = ("layers",)
PAPER = "Lipman et al. 2022, arXiv:2210.02747; Salimans et al. 2017, arXiv:1701.05517"
SAMPLING = ("flow_steps",)


def calorimeter_tree(
    data: DataSpec,
    *,
    hidden: int = 96,
    depth: int = 2,
    mixture: int = 4,
    pairs: int = 4096,
    lr: float = 2e-3,
    flow_hidden: int = 96,
    flow_steps: int = 10,
    flow_lr: float = 2e-3,
    batch_size: int = 192,
    rounds: int = 10_000,
    decay: float = 0.998,
    flow_layers: int = 8,
    cut: float = 1e-3,
) -> Experiment:
    """A calorimeter shower in two stages, each with an explicit likelihood.

    Flow matching draws one number per layer given the energy of the particle: the response and the split between
    layers. Then the energy of each layer is shared out among its cells by halving it, box by box and coarse to fine;
    one small network, shared by all splits of all layers, says whether both halves get energy and how much. Zeros and
    sums are exact by construction. The stages are two players on the same batches, and the model is their average
    over the last rounds.

    A detector of many layers, most of them often empty, is shared out in depth as well: flow matching draws the sum
    alone, and a second tree halves it from front to back, layer group by layer group, before the cells' tree begins.

    Args:
        hidden: width of the network of splits.
        depth: its residual blocks.
        mixture: logistics for the share of one half.
        pairs: splits that one step looks at.
        lr: of the splits.
        flow_hidden: width of the network of the layer energies.
        flow_steps: Heun steps of its sampler, two evaluations each.
        flow_lr: of the layer energies.
        decay: of the average, per round.
        flow_layers: detectors of more layers than this are shared out in depth.
        cut: MeV; smaller deposits do not exist for this model.
    """
    need_layout(data, "calorimeter_tree", *DOMAIN)
    deep = len(data.parts) > flow_layers
    codec = (DepthCodec if deep else ShowerCodec)(data, cut=cut)
    seen = codec.spec(data)
    size = {"hidden": hidden, "depth": depth, "mixture": mixture, "pairs": pairs}
    known = dict(seen.given)
    stages: dict[str, nn.Module] = {
        "codes": FlowMatching(seen.parts["codes"][0], Conditions(known), flow_hidden, steps=flow_steps)
    }
    known["codes"] = Field(seen.parts["codes"])
    if deep:
        depths = BoxTree.of(along_depth(codec.geometry))
        stages["layers"] = SplittingTree(depths, TotalEnergy(codec), Conditions(known), **size)
        known["layers"] = Field(seen.parts["layers"])
    stages["splits"] = SplittingTree(BoxTree.of(codec.geometry), LayerEnergies(codec), Conditions(known), **size)
    live = Cascade(seen, stages, {"splits": list(codec.geometry.parts)})
    average, losses = averaged_copy(live), live.losses()
    schedule = linear_decay(warmup=0.01)
    players = [
        Player(
            name,
            stage,
            losses[name],
            AdamW(stage.parameters(), flow_lr if name == "codes" else lr),
            clip=None if name == "codes" else 2.0,
            schedule=schedule,
        )
        for name, stage in stages.items()
    ]
    return Experiment(
        model=average,
        players=players,
        codec=codec,
        rounds=rounds,
        batch_size=batch_size,
        learners=modules(live=live, average=average),
        hooks=(EMA(live, average, decay),),
    )
