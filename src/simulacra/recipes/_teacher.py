"""Another run as an argument of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulacra.batch import DataSpec
from simulacra.errors import UserError
from simulacra.recipes import find
from simulacra.training.game import Experiment
from simulacra.training.run import RunConfig, load_weights, sound


class OtherRun(dict[str, Any]):
    """A run folder, as it is named on the command line, and what its `run.json` says: recipe, arguments and spec.

    A run that is given another keeps this description, and the weights among its own, so that the other folder may be
    deleted afterwards.
    """

    @classmethod
    def from_folder(cls, folder: str) -> OtherRun:
        """Reads the folder's `run.json`.

        Raises:
            UserError: there is no run in it.
        """
        config = RunConfig.read(Path(folder))
        return cls(
            folder=str(Path(folder).resolve()),
            recipe=config.recipe,
            arguments=config.arguments,
            spec=config.spec.to_json(),
        )


def other_run(run: Mapping[str, Any] | str, data: DataSpec) -> tuple[Experiment, bool]:
    """The experiment of another run on the same data, and whether its weights were still there to be read.

    Raises:
        UserError: there is no sound run, it was trained on other data, or its recipe is a file of the user's.
    """
    run = OtherRun.from_folder(run) if isinstance(run, str) else run
    spec, folder = DataSpec.from_json(run["spec"]), Path(run["folder"])
    if spec.fingerprint != data.fingerprint or spec.x.shape != data.x.shape:
        raise UserError(f"expected a run on the same data {data.name}, {folder} was trained on {spec.name}; name one")
    if ".py:" in run["recipe"]:
        raise UserError(f"expected a run of a built-in recipe, {folder} is of {run['recipe']}; name another")
    chosen = find(run["recipe"])
    experiment: Experiment = chosen.build(spec, chosen.resolve(run["arguments"]))
    there = (folder / "run.json").is_file() and OtherRun.from_folder(str(folder)) == dict(run)
    if there:
        load_weights(sound(folder), experiment)
    return experiment, there
