"""Pictures: of each class, between two of them, near the training data, and of nothing at all."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from simulacra.evaluation.memorisation import nearest_distance
from simulacra.figures.curves import Curves, curves
from simulacra.figures.rows import image_rows
from simulacra.gallery._play import Game, play

DATA = "fashion-mnist"
ROUNDS = 1200
SNAPSHOTS = (1, 25, 50, 100, 200, 400, 800, ROUNDS)


@lru_cache(maxsize=2)
def _game(seed: int) -> tuple[Game, dict[int, Tensor]]:
    """A conditional GAN of clothes, and what it made of ten fixed latents, one of each class, on its way."""
    film: dict[int, Tensor] = {}

    def look(k: int, game: Game) -> None:
        if k in SNAPSHOTS:
            film[k] = game.push(game.noise(10), {"label": torch.arange(10)})

    game = play("cgan", DATA, seed, ROUNDS, look, joint=0, width=16, lr=5e-4, ema=0.98)
    return game, film


def _names() -> tuple[str, ...]:
    from simulacra.domains.images.canonical import SOURCES

    return SOURCES[DATA].classes


def fixed_latents(seed: int = 0) -> Figure:
    """What a GAN makes of the same latents while it learns, a row for each time.

    Lectures: A:376-388, B:105-111

    A conditional GAN on Fashion-MNIST, one latent for each class, 1,200 rounds of 64 pictures.
    """
    _, film = _game(seed)
    return image_rows({f"round {k:,}": film[k] for k in SNAPSHOTS}, _names())


def class_grid(seed: int = 0) -> Figure:
    """What a conditional GAN makes when it is told the class, beside real pictures of that class.

    Lectures: A:556-569

    A conditional GAN on Fashion-MNIST, 1,200 rounds of 64 pictures; eight latents are shared by all classes.
    """
    game, _ = _game(seed)
    noise = {name: value[:8] for name, value in game.noise(10).items()}
    real = game.part("test", 2000)
    rows = {}
    for label, name in enumerate(_names()):
        made = game.push(noise, {"label": torch.full((8,), label)})
        rows[name] = torch.cat([real.x[real.given["label"] == label][:4], made])
    return image_rows(rows, ["real"] * 4 + ["made"] * 8, gap=4)


def latent_walk(seed: int = 0) -> Figure:
    """The way from one latent to another, on the sphere: pictures change smoothly, and are clothes all along.

    Lectures: A:175, C:168

    A conditional GAN on Fashion-MNIST; the last row mixes the pixels of the third row's ends, to compare.
    Latents are joined on the great circle (White 2016, arXiv:1609.04468).
    """
    game, _ = _game(seed)
    z = game.noise(10)["z"]
    time = torch.linspace(0, 1, 11)[:, None]
    rows = {}
    for label, start, end in ((1, 0, 1), (7, 4, 5), (8, 0, 7)):
        path = _great_circle(z[start], z[end], time)
        rows[_names()[label]] = game.push({"z": path}, {"label": torch.full((len(path),), label)})
    last = rows[_names()[8]]
    mix = time[:, :, None, None]
    rows["pixels mixed"] = (1 - mix) * last[:1] + mix * last[-1:]
    return image_rows(rows, [f"{t:.1f}" for t in time[:, 0].tolist()])


def _great_circle(a: Tensor, b: Tensor, time: Tensor) -> Tensor:
    """Points between latents a and b [D] at times [N, 1] at constant angular speed, [N, D]."""
    angle = torch.acos(torch.dot(a, b) / (a.norm() * b.norm()))
    return (torch.sin((1 - time) * angle) * a + torch.sin(time * angle) * b) / torch.sin(angle)


def nearest_training_images(seed: int = 0) -> Figure:
    """Samples beside the training picture nearest to each: alike, and not the same.

    Lectures: A:257-259

    A conditional GAN on Fashion-MNIST, one sample of each class; Euclidean distance in pixels, over all training
    pictures. The ratio is to the median distance from test pictures to the training set.

    Source: Goodfellow et al. (2014), arXiv 1406.2661, figure 2.
    """
    game, _ = _game(seed)
    made = game.push(game.noise(10), {"label": torch.arange(10)})
    train = game.data[game.rows].x
    at = torch.cdist(made.flatten(1), train.flatten(1)).argmin(1)
    mine = nearest_distance(made, train)
    usual = float(np.median(nearest_distance(game.part("test", 500).x, train)))
    return image_rows(
        {"sample": made, "nearest in training": train[at]}, [f"{d / usual:.2f}" for d in mine],
        note="distance over that of test pictures",
    )  # fmt: skip


@lru_cache(maxsize=2)
def _random(seed: int) -> tuple[dict[int, tuple[Tensor, Tensor]], np.ndarray, np.ndarray]:
    """Of 100,000 random pictures, the best of the first 1, 10, ... and its nearest real one; distances; real ones'.

    Distances are to 4,000 training pictures, in units of a pixel's range; those of 1,000 test pictures come last.
    """
    from simulacra.domains import open_data
    from simulacra.domains.dataset import parts_of

    data = open_data(DATA)
    parts = parts_of(data)
    real, other = data[parts["train"][:4000]].x, data[parts["test"][:1000]].x
    flat = real.flatten(1)
    generator = torch.Generator().manual_seed(seed)
    best: dict[int, tuple[Tensor, Tensor]] = {}
    near: list[Tensor] = []
    least, made = float("inf"), real[0]
    for count in (1, 10, 100, 1_000, 10_000, 100_000):
        missing = count - sum(len(d) for d in near)
        for n in [1000] * (missing // 1000) + [missing % 1000] * (missing % 1000 > 0):
            x = flat.gather(0, torch.randint(len(flat), (n, flat.shape[1]), generator=generator))
            gaps = torch.cdist(x, flat).min(1)
            near.append(gaps.values)
            k = int(gaps.values.argmin())
            if float(gaps.values[k]) < least:
                least, made = float(gaps.values[k]), x[k].view(real.shape[1:])
                best[count] = (made, real[int(gaps.indices[k])])
        best.setdefault(count, best[max(best)])
    return best, torch.cat(near).numpy(), nearest_distance(other, real)


def random_pixels(seed: int = 0) -> Figure:
    """Pictures of random pixels, up to the 100,000th: none comes near a real one.

    Lectures: A:477-503, B:66-90

    Each pixel is drawn from its own values in Fashion-MNIST: the brightness of every place is right, what is missing
    are the correlations. Shown is the best of the first n, above the real picture that it is nearest to.
    """
    best, _, _ = _random(seed)
    made, real = (torch.stack([pair[k] for pair in best.values()]) for k in (0, 1))
    rows = {"nearest of n": made, "to this real one": real}
    return image_rows(rows, [f"n = {n:,}" for n in best], scale=0.9)


def random_pixel_distances(seed: int = 0) -> Figure:
    """How far 100,000 pictures of random pixels are from the nearest real one, and how far real ones are.

    Lectures: A:477-503, B:66-90
    """
    _, random, usual = _random(seed)
    edges = np.linspace(0, 1.05 * max(random.max(), usual.max()), 90)
    far = float(np.quantile(usual, 0.999))
    count = int((random < far).sum())
    steps = {
        name: (edges, np.histogram(values, edges)[0] / len(values))
        for name, values in (("1,000 test pictures", usual), ("100,000 of random pixels", random))
    }
    title = f"{count:,} of {len(random):,} nearer than {far:.1f}, as 99.9% of test pictures are"
    return curves(
        [Curves(title, "distance to the nearest of 4,000 training pictures", "share", steps=steps)], width=4.6
    )
