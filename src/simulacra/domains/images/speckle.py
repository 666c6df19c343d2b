"""Speckle: coherent X-rays scattered by particles of random places, and the pattern that many exposures would show."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from simulacra.batch import Batch, DataSpec, Field
from simulacra.domains.dataset import ArrayDataset, in_memory
from simulacra.errors import UserError

SIZES = (16, 32, 64, 128)
PARTICLES, POLYDISPERSITY = 100, 0.05
"""Particles in the beam, and the relative spread of their radius."""
NODES = (-1.5, -0.75, 0.0, 0.75, 1.5)
"""Radii that occur, in units of the spread, equally often."""
REACH, ASPECT = (6.0, 20.0), (0.5, 1.0)
"""Radius x momentum transfer at the middle of a side, and the ratio of the two axes: uniform between these."""
GRAIN = 2.0
"""Width of a speckle at half its height, in pixels."""
BLOCK = 256


def open_speckle(
    name: str = "speckle", *, rows: int = 10_000, seed: int = 0, size: int = 32, photons: float = 1e4, modes: int = 1
) -> ArrayDataset:
    """Pairs of a clean and a speckled scattering pattern, [1, size, size]: `x` and `given["speckled"]`.

    Speckle is what coherent light makes of disorder. Spheroids in solution, all aligned, of one size and shape per
    event, scatter a beam into a detector. With the form factor `f(u) = 3 (sin u - u cos u) / u^3` of an ellipsoid and
    places r_j drawn in a Gaussian beam, the field at momentum transfer q is
    `A(q) = sum_j f_j(q) exp(i q r_j) / sqrt(N)`: its intensity |A|^2 is distributed exponentially about the clean
    pattern `<f^2>`, with grains of about two pixels, not pixel by pixel. `modes` such intensities are averaged, as for
    a beam that is coherent in part, and photons are counted. Both pictures are
    `log10(1 + photons I) / log10(1 + 10 photons)`, cut to 1.

    Train a denoiser on the pairs with `dae` and `corruption="speckled"`.

    Args:
        name: `speckle`, or with the size: `speckle:64`.
        rows: pairs, drawn once with `seed`.
        size: pixels of a side: 16, 32, 64 or 128.
        photons: that a pixel in the middle expects.
        modes: independent intensities in a mean; the contrast of the speckle is `1 / sqrt(modes)`.

    Raises:
        UserError: an option is not among its values.

    Example:
        >>> data = open_speckle(rows=10)
        >>> data[:].x.shape, data[:].given["speckled"].shape
        (torch.Size([10, 1, 32, 32]), torch.Size([10, 1, 32, 32]))

    Source: Goodman (2007), "Speckle Phenomena in Optics"; the task is that of Erdmann, Glombitza, Kasieczka and
    Klemradt (2021), "Deep Learning for Physics Research".
    """
    _, _, told = name.partition(":")
    if told.isdecimal():
        size = int(told)
    if size not in SIZES or (told and not told.isdecimal()):
        raise UserError(f"expected speckle of {', '.join(map(str, SIZES))} pixels, came {told or size}; use speckle:32")
    for word, value in {"rows": rows, "photons": photons, "modes": modes}.items():
        if not 1 <= value < math.inf:
            raise UserError(f"expected {word} of at least 1, came {value}; leave it out")
    generator = torch.Generator().manual_seed(seed)
    pairs = [_pairs(BLOCK, size, photons, modes, generator) for _ in range(math.ceil(rows / BLOCK))]
    clean, speckled = (torch.cat(list(side))[:rows, None] for side in zip(*pairs, strict=True))
    field = Field((1, size, size), range=(0.0, 1.0))
    spec = DataSpec(name, "image", field, {"speckled": field}, geometry={"kind": "image"})
    return in_memory(spec, Batch(clean, {"speckled": speckled}))


def _pairs(n: int, size: int, photons: float, modes: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """n clean and speckled patterns, [n, size, size]."""

    def uniform(*shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=generator)

    q = (torch.arange(size) - (size - 1) / 2) * (2 / size)  # 1 at the middle of a side
    reach, aspect, angle = (
        uniform(n, low=REACH[0], high=REACH[1]),
        uniform(n, low=ASPECT[0], high=ASPECT[1]),
        uniform(n),
    )
    turn = (math.pi * angle)[:, None, None]
    along = q[:, None] * turn.cos() + q * turn.sin()
    across = q * turn.cos() - q[:, None] * turn.sin()
    u = reach[:, None, None] * torch.hypot(along, aspect[:, None, None] * across)
    form = torch.stack([_ellipsoid(u * (1 + POLYDISPERSITY * node)) for node in NODES], 1)  # [n, nodes, size, size]
    clean = form.square().mean(1)
    beam = 2 * math.sqrt(math.log(2)) / (GRAIN * 2 / size)  # |<A A'*>|^2 falls as exp(-(dq beam)^2)
    seen = torch.zeros_like(clean)
    for _ in range(modes):
        places = beam * torch.randn(2, n, len(NODES), PARTICLES // len(NODES), 1, generator=generator)
        depth = 2 * math.pi * uniform(*places.shape[1:])
        waves = torch.polar(torch.ones(()), places[0] * q + depth), torch.polar(torch.ones(()), places[1] * q)
        field = torch.einsum("bkjy,bkjx->bkyx", *waves).mul(form).sum(1)
        seen += field.abs().square() / PARTICLES / modes
    counts = torch.poisson(photons * seen, generator=generator)
    top = math.log10(1 + 10 * photons)
    return (1 + photons * clean).log10() / top, ((1 + counts).log10() / top).clamp(max=1)


def _ellipsoid(u: Tensor) -> Tensor:
    """The form factor `3 (sin u - u cos u) / u^3`, 1 at u = 0."""
    u = u.double().clamp(min=1e-2)
    return (3 * (u.sin() - u * u.cos()) / u**3).float()
