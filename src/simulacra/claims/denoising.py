"""What denoising autoencoders learn where it is known what the clean event may have been."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from simulacra.autoencoders import Autoencoder
from simulacra.batch import Batch, DataSpec, Field
from simulacra.claims.claim import Claim, Result
from simulacra.claims.conditioning import learn
from simulacra.domains.toys import Mixture
from simulacra.figures.planes import Plane, mesh, planes
from simulacra.random import draws
from simulacra.recipes._autoencoders import by_reconstruction
from simulacra.recipes.dae import dae
from simulacra.testing import Unchanged
from simulacra.training.game import Experiment, Loss

PLANE = DataSpec("plane", "vector", Field((2,)))
NOISE = 1.0
MODES = Mixture("three points", ((-1.5, -1.0), (1.5, -1.0), (0.0, 3.0)), 1e-6)
GAUSSIAN = Mixture("wide and narrow", ((0.0, 0.0),), ((2.0, 0.5),))
AMBIGUOUS = 0.6
"""Largest posterior probability of a point up to which a noisy event is ambiguous."""


class Unsquared(Autoencoder):
    """An autoencoder trained by the norm of the difference, without its square."""

    def loss(self, batch: Batch) -> Loss:
        """The mean norm."""
        seen = batch if self.corruption is None else batch.with_x(self.corruption(batch.x))
        return Loss({"error": batch.mean((self.decode(self.encode(seen).mean) - batch.x).norm(dim=1))})


def denoiser(toy: Mixture, seed: int, rounds: int, squared: bool = True) -> Any:
    """A denoising autoencoder of points with Gaussian noise added."""

    def build(spec: DataSpec) -> Experiment:
        game = dae(spec, amount=NOISE, width=64, rounds=rounds)
        held: Any = game.model
        kind = Autoencoder if squared else Unsquared
        model = kind(held.nets["encoder"], held.nets["decoder"], held.density, held.corruption)
        return by_reconstruction(model, Unchanged(), lr=1e-3, batch=256, rounds=rounds)  # pyright: ignore[reportArgumentType]

    return learn(build, PLANE, Batch(toy.sample(20_000, seed)), seed, toy.name).model


def chances(noisy: Tensor) -> Tensor:
    """Posterior probability of each of the three points, [N, 3]."""
    away = torch.cdist(noisy, torch.tensor(MODES.centres))
    return (-0.5 * (away / NOISE).square()).softmax(1)


def median(share: Tensor, steps: int = 500) -> Tensor:
    """The geometric medians [N, 2] of the three points with these shares [N, 3], by Weiszfeld's iteration.

    Where a point outweighs the pull of the others it is the median itself, to which the iteration creeps.
    """
    points = torch.tensor(MODES.centres)
    place = share @ points
    for _ in range(steps):
        pull = share / torch.cdist(place, points).clamp(min=1e-6)
        place = pull @ points / pull.sum(1, keepdim=True)
    return place


LINEAR = "Gaussian: error against the posterior mean / its variance"
MEAN, MEDIAN = "squared norm: distance from the posterior mean", "norm: distance from the geometric median"
FAR = "{}: distance from the nearest point, where ambiguous"


@torch.no_grad()
def averaging(seed: int, rounds: int = 1500) -> Result:
    """Denoisers of a Gaussian and of three points; in the control those of the other norm, and draws of the posterior.

    Distances are root mean squares (to points: means), in units of the noise.
    """
    with torch.enable_grad():
        gaussian = denoiser(GAUSSIAN, seed, rounds)
        squared, plain = (denoiser(MODES, seed, rounds, squared=flag) for flag in (True, False))
    with draws(seed):
        clean, wide = MODES.sample(4000, seed + 1), GAUSSIAN.sample(4000, seed + 1)
        noisy, blurred = clean + NOISE * torch.randn_like(clean), wide + NOISE * torch.randn_like(wide)
    power = torch.tensor(GAUSSIAN.sigma[0]).square()  # type: ignore[index]
    exact, left = blurred * power / (power + NOISE**2), power * NOISE**2 / (power + NOISE**2)

    def off(made: Tensor) -> float:
        return float((made - exact).square().sum(1).mean() / left.sum())

    points, share = torch.tensor(MODES.centres), chances(noisy)
    unclear = share.amax(1) < AMBIGUOUS

    def rms(made: Tensor, wanted: Tensor) -> float:
        return float((made - wanted).square().sum(1).mean().sqrt() / NOISE)

    def far(made: Tensor) -> float:
        return float(torch.cdist(made[unclear], points).amin(1).mean() / NOISE)

    made = {name: model.decode(model.encode(Batch(noisy)).mean) for name, model in
            (("squared norm", squared), ("norm", plain))}  # fmt: skip
    values = {
        LINEAR: off(gaussian.decode(gaussian.encode(Batch(blurred)).mean)),
        MEAN: rms(made["squared norm"], share @ points),
        MEDIAN: rms(made["norm"], median(share)),
        **{FAR.format(name): far(x) for name, x in made.items()},
    }
    control = {
        LINEAR: off(blurred),
        MEAN: rms(made["norm"], share @ points),
        MEDIAN: rms(made["squared norm"], median(share)),
        **{FAR.format(name): far(clean) for name in made},
    }
    shown = {name: x[unclear][:400].numpy() for name, x in {"noisy": noisy, **made}.items()}
    return Result(values, control, shown)


def draw_averaging(results: Sequence[Result]) -> Figure:
    frame = (-3.5, 3.5, -3.0, 4.5)
    field = chances(torch.from_numpy(mesh(frame).reshape(-1, 2)).float()).amax(1).view(120, 120).numpy()
    held = results[0].arrays
    panels = [
        Plane(title, field, (0.33, 1.0), clouds={"events": held[name]}, stars={"clean": np.array(MODES.centres)})
        for title, name in {"what is shown": "noisy", "squared norm": "squared norm", "norm": "norm"}.items()
    ]
    return planes(panels, frame)


CLAIMS = (
    Claim(
        name="denoisers-learn-the-average",
        statement="A denoising autoencoder learns average behaviour, which may be like nothing that there is.",
        lecture="C:107-121",
        paper="Vincent et al. 2010; Bengio et al. 2013, arXiv 1305.6663",
        experiment=averaging,
        bounds={
            LINEAR: (-math.inf, 0.05),
            MEAN: (-math.inf, 0.15),
            MEDIAN: (-math.inf, 0.2),
            FAR.format("squared norm"): (1.0, math.inf),
            FAR.format("norm"): (1.0, math.inf),
        },
        control="noisy events as they are, the other norm's denoiser, and the clean events.",
        budget="1,500 rounds on 256 points of the plane, three denoisers",
        figure=draw_averaging,
        note="The average is the posterior mean under the squared error, exactly so where data are Gaussian. Under the "
        "norm that the lecture prints, without its square, it is the geometric median, which between two points is the "
        "likelier of them, so that it lies nearer to them. Three points and noise of "
        "width 1; ambiguous is where no point has a probability above 0.6.",
    ),
)  # fmt: skip
