"""`simulacra invert`: the latents from which a run makes given events, and what it cannot make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulacra.cli.words import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from simulacra.batch import Batch
    from simulacra.surrogate import Surrogate

SUFFIXES = (".png", ".npz")


def invert(
    run: Annotated[Path, typer.Argument(help="A run folder whose model has latents.")],
    file: Annotated[Path | None, typer.Argument(help="Events; by default the run's own held-out ones.")] = None,
    out: Annotated[Path, typer.Option(help="Where to write: .png, or .npz with the latents.")] = Path("inversion.png"),
    n: Annotated[int, typer.Option("-n", min=2, max=1000, help="How many events.")] = 8,
    starts: Annotated[int, typer.Option(min=1, max=64, help="Random starts of the search.")] = 4,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each search.")] = 200,
    encoder: Annotated[int, typer.Option(min=0, help="Steps of learning an encoder; 0 for none.")] = 600,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of everything random.")] = 0,
    recipe: Annotated[str | None, typer.Option(help="The file.py:function of a run with a recipe of your own.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Finds the latents that come nearest to real events, by search, by an encoder learned on the run's own, by both.

    Distances are root mean squares in the codec's units; the floor is the same for events that the run made itself. A
    run with an encoder of its own, such as ALI's, is asked for it as well.
    """
    from simulacra.errors import UserError, nearest
    from simulacra.evaluation.inversion import Inverse, inversion_error, reading_error
    from simulacra.gan import Bidirectional
    from simulacra.protocols import NoiseMap
    from simulacra.random import draws, seed_of
    from simulacra.surrogate import Surrogate

    if out.suffix not in SUFFIXES or out.is_dir():
        raise UserError(f"expected --out ending in .png or .npz, came {out.name!r}; {nearest(out.suffix, SUFFIXES)}")
    surrogate = Surrogate.load(run, recipe, device)
    model, codec = surrogate.experiment.model, surrogate.experiment.codec
    if not isinstance(model, NoiseMap):
        raise UserError(f"expected a run with latents, {surrogate.config.recipe} has none; choose a GAN")
    batch, pool = _events(surrogate, file, n)
    options: dict[str, Any] = {"restarts": starts, "steps": steps, "seed": seed}
    found = {f"search, {starts} starts": inversion_error(model, codec, batch, **options)}
    if encoder:
        with draws(seed_of(seed, "weights")):
            inverse = Inverse(model, codec, codec.spec(surrogate.spec), names=_readable(model), **_size(surrogate))
        inverse.learn(pool.given, steps=encoder, seed=seed)
        found["encoder"] = inverse.error(batch, seed=seed)
        found["search from the encoder"] = inversion_error(
            model, codec, batch, first=inverse, **{**options, "restarts": 1}
        )
    if isinstance(model, Bidirectional):
        own = model.inferred
        found["its own encoder"] = reading_error(model, codec, own, batch, seed)
        found["search from its own"] = inversion_error(model, codec, batch, first=own, **{**options, "restarts": 1})
    print(f"{len(batch)} events, root mean square of what is left")
    for name, (_, measured) in found.items():
        print(f"  {name:<26}{measured}")
    ways = {name: inversion.noise for name, (inversion, _) in found.items()}
    with draws(seed_of(seed, "decode")):
        _write(out, surrogate, batch, ways, {name: inversion.distance for name, (inversion, _) in found.items()})
    print(f"wrote {plain(out)}")


def _readable(model: Any) -> list[str]:
    """All latents but the noise of pixels, where the generator has such."""
    from simulacra.random import draws

    drawn = getattr(getattr(model, "generator", None), "noises", ())
    with draws(0):
        return [name for name in model.noise(1) if name not in drawn]


def _size(surrogate: Surrogate) -> dict[str, Any]:
    """Of an encoder that learns in a minute."""
    return {"base": 16} if surrogate.spec.layout == "image" else {"hidden": (128, 128, 128)}


def _events(surrogate: Surrogate, file: Path | None, n: int) -> tuple[Batch, Batch]:
    """The events to invert, and training events for their conditions."""
    from simulacra.batch import Batch
    from simulacra.domains import open_data
    from simulacra.domains.dataset import parts_of
    from simulacra.domains.matching import matched
    from simulacra.errors import UserError
    from simulacra.evaluation.rows import some_of

    spec = surrogate.spec
    own = surrogate.data
    parts = parts_of(own)
    batch = some_of(own, n, parts["test"]) if file is None else some_of(matched(open_data(file), spec), n)
    if tuple(batch.x.shape[1:]) != spec.x.shape:
        raise UserError(f"expected events of shape {spec.x.shape}, {file} has {tuple(batch.x.shape[1:])}; convert them")
    missing = [name for name in spec.given if name not in batch.given]
    if missing:
        raise UserError(f"expected the condition {missing[0]!r} in {file}, it has {sorted(batch.given)}; add it")
    told = {name: batch.given[name] for name in spec.given}
    return Batch(batch.x, told), some_of(own, 4096, parts["train"])


def _write(out: Path, surrogate: Surrogate, batch: Batch, ways: dict[str, Any], left: dict[str, Tensor]) -> None:
    import io

    import numpy as np

    from simulacra import figures
    from simulacra.cli.files import write_bytes
    from simulacra.evaluation.latent import decode

    model: Any = surrogate.experiment.model
    made = {name: decode(model, surrogate.experiment.codec, noise, batch.given).x for name, noise in ways.items()}
    if out.suffix == ".npz":
        box, best = io.BytesIO(), min(left, key=lambda name: float(left[name].mean()))
        latents = {name: z.cpu().numpy() for name, z in ways[best].items()}
        np.savez_compressed(
            box, x=batch.x.numpy(), made=made[best].numpy(), distance=left[best].cpu().numpy(), **latents
        )
        write_bytes(out, box.getvalue())
        return
    write_bytes(out, figures.png(_picture(surrogate, batch, made, left)))


def _picture(surrogate: Surrogate, batch: Batch, made: dict[str, Tensor], left: dict[str, Tensor]) -> Figure:
    from simulacra import figures
    from simulacra.figures.rows import image_rows

    spec, best = surrogate.spec, min(left, key=lambda name: float(left[name].mean()))
    if spec.layout == "image":
        heads = [f"{float(value):.2f}" for value in left[best][:12]]
        rows = {"real": batch.x, **made}
        note = f"above: what is left by the {best}"
        return image_rows({k: v[:12] for k, v in rows.items()}, heads, scale=0.8, note=note)
    if spec.layout == "layers":
        pairs = {
            f"{who} {k + 1}": x[k]
            for k in range(min(3, len(batch)))
            for who, x in (("real", batch.x), ("made", made[best]))
        }
        return figures.layers(pairs, spec.parts, spec.x.unit, geometry=spec.geometry)
    if spec.x.size == 1:
        return figures.histogram(batch.x, made[best], "x")
    return figures.scatter(made[best], batch.x)
