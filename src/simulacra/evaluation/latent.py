"""What a latent space holds: walks, maps and arithmetic in it, truncation and path length."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from simulacra.batch import Batch, Given, Noise
from simulacra.errors import UserError
from simulacra.evaluation.arrays import Array, numbers
from simulacra.evaluation.likelihood import device_of
from simulacra.evaluation.measurement import Measurement
from simulacra.protocols import Codec, Encoder, NoiseMap
from simulacra.random import draws, seed_of

Label = Callable[[Tensor], Any]
"""Latents [n, D] -> the class that a classifier gives to each event decoded from them, [n]."""


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Evaluation mode inside, and the modes as they were afterwards."""
    modes = [(m, m.training) for m in model.modules()] if isinstance(model, nn.Module) else []
    for module, _ in modes:
        module.training = False
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def decode(model: NoiseMap, codec: Codec, noise: Noise, given: Given = {}) -> Batch:
    """The physical events that `noise` becomes under physical conditions; evaluation mode, no gradient."""
    with evaluating(model), torch.no_grad():
        here = {name: value.to(device_of(model)) for name, value in given.items()}
        there = {name: z.to(device_of(model)) for name, z in noise.items()}
        return codec.decode(Batch(model.push(there, codec.encode_given(here)).x, here)).to("cpu")


def codes(model: Encoder, codec: Codec, batch: Batch) -> Tensor:
    """The latents of physical events: the mean of q(z | x), [n, D]."""
    with evaluating(model), torch.no_grad():
        return model.encode(codec.encode(batch.to(device_of(model)))).mean.cpu()


def slerp(start: Tensor, stop: Tensor, t: Tensor | float) -> Tensor:
    """Along the great circle: sin((1-t) a) / sin a start + sin(t a) / sin a stop, a the angle between them.

    Latents of many normal numbers lie near a sphere of radius sqrt(D), which a straight line leaves. Between equal
    norms the norm stays, and the angle grows evenly with t.

    Args:
        start: [n, ...]; stop likewise; t a number or [n].

    Raises:
        UserError: two latents are opposite, for then the great circle is not unique.

    Example:
        >>> slerp(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), 0.5)
        tensor([[0.7071, 0.7071]])

    Shoemake (1985); White, "Sampling generative networks" (2016, arXiv:1609.04468).
    """
    a, b = (v / v.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, *[1] * (v.dim() - 1)) for v in (start, stop))
    apart, along = (a - b).flatten(1).norm(dim=1), (a + b).flatten(1).norm(dim=1)
    if bool((along < 1e-6).any()):
        raise UserError("expected latents that are not opposite, came such a pair; draw one of them again")
    shape = (-1, *[1] * (start.dim() - 1))
    angle = (2 * torch.atan2(apart, along)).view(shape)  # exact also for nearly equal directions
    t = torch.as_tensor(t, dtype=start.dtype, device=start.device).view(shape)
    near = angle < 1e-4
    safe = torch.where(near, torch.ones_like(angle), angle)
    first = torch.where(near, 1 - t, torch.sin((1 - t) * safe) / torch.sin(safe))
    second = torch.where(near, t, torch.sin(t * safe) / torch.sin(safe))
    return first * start + second * stop


def walk(points: Noise, steps: int = 8, *, spherical: bool = True) -> Noise:
    """A latent walk: from each latent to the next in `steps` equal steps; k points become (k - 1) steps + 1.

    Args:
        points: k >= 2 latents by name, [k, ...]; classes, as integers or one-hot, stay until the next point is reached.
        spherical: along great circles (`slerp`), else straight.

    Example:
        >>> walk({"z": torch.tensor([[0.0], [1.0], [3.0]])}, 2, spherical=False)["z"].flatten().tolist()
        [0.0, 0.5, 1.0, 2.0, 3.0]
    """
    count = len(next(iter(points.values())))
    if count < 2 or steps < 1:
        raise UserError(f"expected at least two points and one step, came {count} and {steps}; give more of them")
    share = (torch.arange(steps) / steps).repeat(count - 1)

    def path(values: Tensor) -> Tensor:
        start, stop = values[:-1].repeat_interleave(steps, 0), values[1:].repeat_interleave(steps, 0)
        if not of_kinds(values):
            start = (slerp if spherical else _straight)(start, stop, share.to(values))
        return torch.cat([start, values[-1:]])

    return {name: path(values) for name, values in points.items()}


def _straight(start: Tensor, stop: Tensor, t: Tensor) -> Tensor:
    return start + t.view(-1, *[1] * (start.dim() - 1)) * (stop - start)


def manifold(side: int, size: int = 2, axes: tuple[int, int] = (0, 1)) -> Tensor:
    """Latents that cut the plane of two axes into side x side pieces of equal prior probability; [side^2, size].

    z = Phi^-1((i + 1/2) / side) along each axis, 0 along the others; the second axis runs fastest.

    >>> manifold(3).view(3, 3, 2)[1, 2]
    tensor([0.0000, 0.9674])

    Kingma and Welling, "Auto-encoding variational Bayes" (2014, arXiv:1312.6114), figure 4.
    """
    line = torch.special.ndtri((torch.arange(side, dtype=torch.float64) + 0.5) / side).float()
    z = torch.zeros(side * side, size)
    z[:, list(axes)] = torch.cartesian_prod(line, line)
    return z


def truncate(noise: Noise, psi: float, centre: Noise | None = None) -> Noise:
    """centre + psi (z - centre): nearer to the middle for psi below 1; the centre is 0 unless given.

    Classes, as integers or one-hot, stay: there is none between two of them.

    Karras, Laine and Aila, StyleGAN (2019, arXiv:1812.04948), appendix B, where z is the intermediate latent.
    """
    return {
        name: z if of_kinds(z) else (middle := 0 if centre is None else centre[name]) + psi * (z - middle)
        for name, z in noise.items()
    }


def of_kinds(z: Tensor) -> bool:
    """Whether latents are classes: integers, or one-hot rows.

    >>> of_kinds(torch.eye(3)), of_kinds(torch.randn(3, 3))
    (True, False)
    """
    if not z.is_floating_point():
        return True
    return z.dim() == 2 and z.shape[1] > 1 and bool(((z == 0) | (z == 1)).all() and (z.sum(1) == 1).all())


def truncation_curve(
    model: NoiseMap,
    codec: Codec,
    features: Callable[[Batch], Any],
    reference: Any,
    quality: Callable[[Array], Mapping[str, Measurement]],
    psis: Sequence[float] = (0.2, 0.4, 0.6, 0.8, 1.0),
    *,
    at: Callable[[float], NoiseMap] | None = None,
    given: Given | None = None,
    n: int = 1000,
    seed: int = 0,
) -> dict[float, dict[str, Measurement]]:
    """Truncation: spread against quality as latents are drawn nearer to their centre; the same latents at every psi.

    Args:
        features: what is judged of physical events, [n, F].
        reference: the features of real events [m, F].
        quality: measures of generated features, such as precision and recall against the reference.
        at: psi -> the model that truncates by itself, as StyleGAN does in W; otherwise the noise is truncated.
        given: physical conditions [n, ...].

    Returns:
        For each psi `spread` = sqrt(sum_f Var feature_f), whose floor is the reference's, and what `quality` gives.

    Brock, Donahue and Simonyan, BigGAN (2019, arXiv:1809.11096), section 3.1.
    """
    with draws(seed_of(seed, "truncation")), torch.no_grad():
        noise = model.noise(n)
    floor, floor_error = _spread(numbers(reference, "the reference"))
    out: dict[float, dict[str, Measurement]] = {}
    for psi in psis:
        made = (
            decode(at(psi), codec, noise, given or {})
            if at
            else decode(model, codec, truncate(noise, psi), given or {})
        )
        seen = numbers(features(made), "the features")
        value, error = _spread(seen)
        out[psi] = {"spread": Measurement(value, error, floor, floor_error, min(n, len(reference))), **quality(seen)}
    return out


def _spread(features: Array) -> tuple[float, float]:
    """sqrt of the total variance and its delta-method error."""
    far = ((features - features.mean(0)) ** 2).reshape(len(features), -1).sum(1)
    size = math.sqrt(float(far.mean()))
    return size, float(far.std()) / (2 * size * math.sqrt(len(far))) if size > 0 else 0.0


def path_length(
    model: NoiseMap,
    features: Callable[[Batch], Tensor],
    *,
    along: Sequence[str] | None = None,
    given: Given | None = None,
    n: int = 1000,
    epsilon: float = 1e-4,
    spherical: bool = True,
    seed: int = 0,
) -> Measurement:
    """Perceptual path length: E |f(g(z(t + eps))) - f(g(z(t)))|^2 / eps^2 on paths between two random latents.

    The floor is the mean squared distance of the ends, which no path undercuts (Cauchy-Schwarz) and a straight path
    at constant speed attains: value over floor says how crooked the way is. All pairs count; StyleGAN leaves out
    the longest and shortest 1 %.

    Args:
        features: of events as the model makes them (not decoded), [n, F].
        along: the latents that move, such as z without a StyleGAN's noise; all, where None. Classes never move.
        given: conditions as the model takes them [n, ...], the same at both ends.
        spherical: along great circles, else straight.

    Raises:
        UserError: the model has no such latent.

    Karras, Laine and Aila (2019, arXiv:1812.04948), section 4.1.
    """
    given = given or {}
    with evaluating(model), draws(seed_of(seed, "path length")), torch.no_grad():
        start, stop = model.noise(n), model.noise(n)
        if unknown := [name for name in along or () if name not in start]:
            raise UserError(f"expected latents among {', '.join(start)}, came {', '.join(unknown)}; name those")
        moving = [name for name, z in start.items() if (along is None or name in along) and not of_kinds(z)]
        t = torch.rand(n) * (1 - epsilon)

        def at(when: Tensor) -> Tensor:
            between = {
                name: (slerp if spherical else _straight)(z, stop[name], when.to(z)) if name in moving else z
                for name, z in start.items()
            }
            return features(model.push(between, given)).double().flatten(1)

        step = (at(t + epsilon) - at(t)).square().sum(1) / epsilon**2
        ends = (at(torch.ones(n)) - at(torch.zeros(n))).square().sum(1)
    (value, error), (floor, floor_error) = (
        (float(v.mean()), float(v.std() / math.sqrt(n))) for v in (step.cpu(), ends.cpu())
    )
    return Measurement(value, error, floor, floor_error, n)
