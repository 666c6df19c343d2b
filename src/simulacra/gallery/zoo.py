"""The families side by side."""

from __future__ import annotations

from matplotlib.figure import Figure

from simulacra.figures.sketches import Sketch
from simulacra.figures.sketches import zoo as drawn
from simulacra.gallery._play import numbers, play

_DUEL = {
    "z": ("noise", 0.0, 0.0),
    "generator": ("network", 1.0, 0.0),
    "fake": ("data", 2.0, 0.0),
    "data": ("data", 2.0, 1.0),
}
_PATHS = [("z", "generator"), ("generator", "fake")]
SKETCHES: dict[str, tuple[Sketch, int]] = {
    "gan": (
        Sketch(
            "GAN: a discriminator gives d = P(real)",
            {**_DUEL, "discriminator": ("network", 3.2, 0.5), "d": ("loss", 4.2, 0.5)},
            [*_PATHS, ("fake", "discriminator"), ("data", "discriminator"), ("discriminator", "d")],
        ),
        2500,
    ),
    "wgan_gp": (
        Sketch(
            "WGAN-GP: a critic of slope 1 gives a distance",
            {**_DUEL, "critic": ("network", 3.2, 0.5), "W1": ("loss", 4.2, 0.5)},
            [*_PATHS, ("fake", "critic"), ("data", "critic"), ("critic", "W1")],
        ),
        1800,
    ),
    "realnvp": (
        Sketch(
            "RealNVP: one invertible map, read both ways",
            {
                "data": ("data", 0.0, 1.0),
                "f": ("network", 1.0, 1.0),
                "z": ("noise", 2.0, 1.0),
                "log p(z) + log |det|": ("loss", 3.6, 1.0),
                "new": ("data", 0.0, 0.0),
                "inverse\nof f": ("network", 1.0, 0.0),
                "z ~ N": ("noise", 2.0, 0.0),
            },
            [
                ("data", "f"),
                ("f", "z"),
                ("z", "log p(z) + log |det|"),
                ("z ~ N", "inverse\nof f"),
                ("inverse\nof f", "new"),
            ],
        ),
        1200,
    ),
}
"""Recipe -> its sketch and the rounds that it is trained for."""


def zoo(seed: int = 0) -> Figure:
    """The families by their data flow, and what each makes of the same eight Gaussians after half a minute.

    Lectures: A:137-145, A:250-300, C:466-482, D:92-104

    Recipes with their defaults on the ring of eight Gaussians, for 1,200 to 2,500 rounds.
    """
    rows, reference = [], None
    for recipe, (sketch, rounds) in SKETCHES.items():
        game = play(recipe, "toys:ring8", seed, rounds)
        reference = numbers(game.part("test", 3000).x)
        rows.append((sketch, numbers(game.sample(3000).x)))
    assert reference is not None
    return drawn(rows, reference)
