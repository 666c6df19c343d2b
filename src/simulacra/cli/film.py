"""A film of a training: what fixed latents become, round after round."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simulacra.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from simulacra.batch import Batch, Given
    from simulacra.training.loop import Step
    from simulacra.workflow import Training


WIDTH = 4.0
"""Inches of a picture of pictures."""


LAYOUTS = ("image", "layers", "vector")
"""What can be drawn in a frame."""


def check_film(path: Path, every: int | None = None, domains: Sequence[str] = ()) -> None:
    """Refuses what can be no film, before there is a run.

    Args:
        domains: layouts that the recipe takes, if it says which.

    Raises:
        UserError: the path is no film's, or there would be no frame, or nothing in it.
    """
    from simulacra.figures import films

    films.check_film(path.suffix)
    if path.is_dir():
        raise UserError(f"expected a file to write, {path} is a folder; name a file in it")
    if every is not None and every < 1:
        raise UserError(f"expected --film-every of at least 1, came {every}; leave it out for a hundredth")
    if domains and not set(domains) & set(LAYOUTS):
        raise UserError(f"expected pictures, showers or vectors to film, came {' or '.join(domains)}; leave --film out")


class Film:
    """Frames of a run, one PNG per look in `samples/film/`, put together at the end of the training.

    Looking takes its random numbers from a seed of its own, so the run is the same with it and without it. Frames stay
    in the run folder: a resumed run adds the missing ones.

    Args:
        training: whose model is shown, on latents and conditions that never change.
        path: of the film, .gif or .mp4.
        every: rounds between frames; a hundredth of the run where None. The first and the last round are shown too.

    Raises:
        UserError: before anything is trained, where no such film can be made.
    """

    def __init__(self, training: Training, path: Path, every: int | None = None) -> None:
        spec = training.config.spec
        check_film(path, every, [spec.layout])
        self.training, self.path = training, path
        self.every = every or max(1, training.config.rounds // 100)
        self.frames = training.folder / "samples" / "film"
        self.given = self._conditions()

    def _conditions(self) -> Given:
        """The same for all frames: classes in rows of eight, energies from low to high, the rest drawn once."""
        import torch

        from simulacra.surrogate import conditions

        spec = self.training.config.spec
        classes = [name for name, field in spec.given.items() if field.kind == "class" and field.size == 1]
        levels = min(10, spec.given[classes[0]].levels) if classes else 8
        self.n = {"image": 8 * levels, "layers": 4}.get(spec.layout, 2000)
        asked = {}
        if spec.layout == "image" and classes:
            asked[classes[0]] = torch.arange(levels).repeat_interleave(8).view(-1, *spec.given[classes[0]].shape)
        span = spec.given["energy"].range if "energy" in spec.given else None
        if spec.layout == "layers" and span is not None:
            asked["energy"] = torch.linspace(*span, self.n + 1)[1:, None]
        return conditions(spec, self.n, asked, self.training.config.seed)

    def events(self) -> Batch:
        """What the model makes now, in physical units."""
        import torch

        from simulacra.batch import Batch
        from simulacra.evaluation.latent import evaluating
        from simulacra.random import draws, seed_of

        experiment, device = self.training.experiment, self.training.engine.device
        given = {name: value.to(device) for name, value in self.given.items()}
        with evaluating(experiment.model), draws(seed_of(self.training.config.seed, "film")), torch.no_grad():
            made = experiment.model.sample(self.n, experiment.codec.encode_given(given))  # type: ignore[operator]
            return experiment.codec.decode(Batch(made.x, given)).to("cpu")

    def picture(self, batch: Batch) -> Figure:
        """One frame."""
        from simulacra import figures
        from simulacra.domains.dataset import parts_of
        from simulacra.evaluation.rows import some_of
        from simulacra.units import convert

        spec = self.training.config.spec
        if spec.layout == "image":
            return figures.image_grid(batch.x, 8, width=WIDTH)
        if spec.layout == "vector":
            dataset = self.training.streams["data"].dataset
            real = some_of(dataset, 2000, parts_of(dataset)["test"]).x
            return figures.histogram(real, batch.x, "x") if spec.x.size == 1 else figures.scatter(batch.x, real)
        energies = batch.given["energy"].flatten().tolist() if "energy" in batch.given else range(len(batch.x))
        unit = spec.given["energy"].unit if "energy" in spec.given else ""
        names = [f"{convert(e, unit, 'GeV'):.0f} GeV" if unit else str(e) for e in energies]
        return figures.layers(
            dict(zip(names, batch.x.numpy(), strict=True)), spec.parts, spec.x.unit, geometry=spec.geometry
        )

    def dpi(self) -> int:
        """Whole points for a pixel of a picture, so that films of them stay small and sharp."""
        spec = self.training.config.spec
        if spec.layout != "image":
            return 100
        across = 8 * (spec.x.shape[2] + 2)
        return round(across * max(1, 320 // across) / WIDTH)

    def look(self, step: Step) -> None:
        """Keeps a frame where one is due."""
        from simulacra import figures
        from simulacra.io.publish import write_atomic
        from simulacra.training.run import writing

        at = step.clock.round
        if self.training.engine.rank or not (at == 1 or at % self.every == 0 or at == step.clock.rounds):
            return
        with writing(self.training.folder):
            self.frames.mkdir(parents=True, exist_ok=True)
            write_atomic(self.frames / f"{at:08d}.png", figures.png(self.picture(self.events()), dpi=self.dpi()))

    def assemble(self) -> int:
        """Writes the film of all frames that the run folder holds, and says how many they are."""
        from simulacra.cli.files import write_bytes
        from simulacra.figures.films import film

        found = sorted(path for path in self.frames.glob("*.png") if path.stem.isdigit())
        made = film([p.read_bytes() for p in found], [f"round {int(p.stem):,}" for p in found], self.path.suffix)
        write_bytes(self.path, made)
        return len(found)
