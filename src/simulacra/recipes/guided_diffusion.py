"""Diffusion guided by a classifier."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import nn
from torch.optim import Adam

from simulacra.batch import DataSpec, Field, Given
from simulacra.diffusion import EDM, ProbabilityFlow
from simulacra.diffusion.guidance import GuidedDiffusion
from simulacra.errors import UserError
from simulacra.networks import critic_for, denoiser_for
from simulacra.recipes._autoencoders import body_for
from simulacra.recipes._diffusion import network_of, turns
from simulacra.recipes._flows import density_codec
from simulacra.recipes._parts import need_layout, sized
from simulacra.training.averaging import EMA, averaged_copy
from simulacra.training.game import Experiment, Player, linear_decay, modules

FAMILY = "diffusion"
DOMAIN = ("vector", "image")
PAPER = "Dhariwal and Nichol 2021 arXiv:2105.05233"
SAMPLING = ("weight", "steps", "solver")


class _Classifier(nn.Module):
    """Logits of classes from the features of a body that is told the noise."""

    def __init__(self, body: Any, classes: int) -> None:
        super().__init__()
        self.body, self.out = body, nn.Linear(body.features, classes)

    def forward(self, x: Any, given: Given) -> Any:
        return self.out(self.body(x, given))


def guided_diffusion(
    data: DataSpec,
    *,
    weight: float | None = None,
    steps: int = 18,
    solver: str = "heun",
    network: str = "unet",
    patch: int | None = None,
    hidden: int = 128,
    base: int = 16,
    lr: float = 2e-3,
    classifier_lr: float = 1e-3,
    decay: float = 0.995,
    batch_size: int | None = None,
    rounds: int | None = None,
) -> Experiment:
    """A model of diffusion that knows no class, and a classifier of noisy events whose gradient leads its samples.

    Path, prediction and sampler are those of `edm`. Denoiser and classifier never meet in training, so one can be
    exchanged. Bayes' rule has the `weight` 1; one above gives up variety for events that the classifier is sure of.
    Pictures have 4: at 1 fewer than half of the samples of Fashion-MNIST are of the class asked for, as the paper found
    of ImageNet. Other conditions of the data are left aside.

    Args:
        data: of vectors or pictures with a class.
        weight: of the classifier's gradient; left out, 4 for pictures and 1 for vectors.
        steps: of the solver, `euler`, `heun` or `rk4`.
        network: of pictures, `unet` or `transformer`.
        patch: side of the transformer's patches; chosen where left out.

    Raises:
        UserError: the events are neither vectors nor pictures, or have no class.
    """
    need_layout(data, "guided_diffusion", *DOMAIN)
    kinds = [name for name, field in data.given.items() if field.kind == "class" and field.shape == ()]
    if not kinds:
        raise UserError(f"expected data with a class for guided_diffusion, {data.name} has none; use edm or ddpm")
    codec, name = density_codec(data), kinds[0]
    spec = replace(codec.spec(data), given={})
    noisy = replace(spec, given={"noise": Field(())})
    smooth: dict[str, Any] = sized(noisy, hidden) | {"activation": nn.SiLU}  # its gradient leads, and shall not jump
    body: Any = body_for(noisy, base) if data.layout == "image" else critic_for(noisy, **smooth).body
    model = GuidedDiffusion(
        denoiser_for(spec, **network_of(data, hidden, base, network, patch)),
        spec.x.shape,
        EDM(),
        "preconditioned",
        ProbabilityFlow(steps, solver),
        _Classifier(body, data.given[name].levels),
        name,
        weight=(4.0 if data.layout == "image" else 1.0) if weight is None else weight,
    )
    average, schedule = averaged_copy(model), linear_decay(start=0.5, warmup=0.02)
    denoiser, classifier = Adam(model.network.parameters(), lr), Adam(model.classifier.parameters(), classifier_lr)
    rounds, batch_size = turns(data, rounds, batch_size)
    return Experiment(
        model=average,
        players=[
            Player("denoiser", model.network, model.loss, denoiser, clip=1.0, schedule=schedule),
            Player("classifier", model.classifier, model.classification, classifier, clip=1.0, schedule=schedule),
        ],
        codec=codec,
        rounds=rounds,
        batch_size=batch_size,
        learners=modules(model=model, average=average),
        hooks=[EMA(model, average, decay)],
    )
