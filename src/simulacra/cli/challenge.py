"""`simulacra challenge`: generated showers judged as the CaloChallenge judges them."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from simulacra.domains.calorimeter.challenge import ChallengeObservable, Table
    from simulacra.domains.calorimeter.format import ShowerFile
    from simulacra.evaluation import Measurement
    from simulacra.evaluation.challenge import Histogram, Separation

LEAST = 50
"""Showers without which nothing can be judged."""
PAIRS = 5_000
"""Showers of each sample that the kernel distance and the trees look at."""


def challenge(
    generated: Annotated[Path, typer.Argument(help="A file of generated showers.")],
    reference: Annotated[Path, typer.Option(help="A file of real showers.")],
    dataset: Annotated[str, typer.Option(help="ds1-photons, ds1-pions, ds2, ds3, or a binning file (.xml).")],
    size: Annotated[str, typer.Option(help="Of the classifiers: small, or full as published.")] = "small",
    as_json: Annotated[bool, typer.Option("--json", help="The numbers as JSON, and nothing else.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for challenge.html and challenge.json; by default beside the file.")
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Without classifiers.")] = False,
    limit: Annotated[int, typer.Option(help="At most this many showers of each file.")] = 100_000,
    threshold: Annotated[float | None, typer.Option(min=0, help="MeV; by default the data set's.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of classifiers and draws.")] = 0,
    device: Annotated[str, typer.Option(help="Where the classifiers run: cpu, cuda.")] = "cpu",
) -> None:
    """Judges generated showers with the CaloChallenge's observables, separations, classifiers, FPD and KPD."""
    import torch

    from simulacra.domains.calorimeter.challenge import data_set, observables, open_file
    from simulacra.errors import UserError
    from simulacra.evaluation.challenge_classifier import size_of
    from simulacra.io.publish import write_atomic
    from simulacra.report.challenge import leading, to_json, write_challenge

    geometry, given = data_set(dataset)
    cut = given if threshold is None else threshold
    network = size_of(size)
    folder = out or generated.with_name(f"{generated.stem}_challenge")
    if not math.isfinite(cut):
        raise UserError(f"expected --threshold in MeV, came {cut}; such as 0.01515")
    if limit < LEAST:
        raise UserError(f"expected --limit of at least {LEAST} showers, came {limit}; a judge needs events")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"expected a folder for --out, {folder} is a file; name another")
    if device != "cpu" and not (device.split(":")[0] == "cuda" and torch.cuda.is_available()):
        raise UserError(f"expected a device of this machine, came {device!r}; use cpu")
    files = open_file(reference, geometry), open_file(generated, geometry)
    rows = divided(len(files[0]), len(files[1]), limit)
    folder.mkdir(parents=True, exist_ok=True)
    found = Submission.judge(*files, rows, observables(geometry, cut), cut, seed)
    if not fast:
        found.classify(*files, size, seed, device)
        words = "as published" if size == "full" else "smaller than the published one; --size full is that"
        found.notes.append(f"Classifiers of size {size}: two layers of {network.hidden:,} nodes, {words}.")
    numbers = {"dataset": dataset, "threshold": cut, "size": "" if fast else size, "seed": seed, "notes": found.notes}
    numbers |= to_json(found.metrics, found.separations, found.spare)
    write_atomic(folder / "challenge.json", json.dumps(numbers, indent=1).encode())
    write_challenge(
        folder / "challenge.html",
        title=f"{generated.name} against {reference.name}, {geometry.name} of the CaloChallenge",
        lead=f"{found.sizes[0]:,} reference and {found.sizes[1]:,} generated showers of {geometry.cells:,} voxels, "
        f"threshold {1000 * cut:,.4g} keV.",
        notes=found.notes,
        metrics=found.metrics,
        data_set=geometry.name,
        histograms=found.histograms,
        separations=found.separations,
        spare=found.spare,
        axes=found.axes,
        seed=seed,
    )
    if as_json:
        print(json.dumps(numbers))
        return
    from rich.console import Console
    from rich.table import Table as Lines

    console, lines = Console(), Lines(box=None, pad_edge=False)
    for note in found.notes:
        console.print(note, highlight=False)
    for head in ("quantity", "value ± error", "floor", "published"):
        lines.add_column(head, justify="left" if head == "quantity" else "right")
    for row in leading(found.metrics, geometry.name):
        lines.add_row(row.label, row.value, row.floor, row.baseline)
    console.print(lines)
    print(f"report: {folder / 'challenge.html'}")


def divided(real: int, made: int, limit: int) -> tuple[range, range, range | None]:
    """Rows of the reference, of the generated showers, and of the reference to spare, as many as were generated.

    >>> divided(1000, 400, 900), divided(700, 400, 900)
    ((range(0, 600), range(0, 400), range(600, 1000)), (range(0, 700), range(0, 400), None))

    Raises:
        UserError: there are too few showers.
    """
    from simulacra.errors import UserError

    if min(real, made) < LEAST:
        raise UserError(f"expected at least {LEAST} showers in each file, came {real} and {made}; give more showers")
    made = min(limit, made)
    first = min(limit, real - made if real >= 2 * made else real)
    return range(first), range(made), range(first, first + made) if real >= first + made else None


@dataclass(eq=False)
class Submission:
    """What was found of one file of generated showers.

    Attributes:
        sizes: reference and generated showers.
        metrics: the table of a submission; FPD and KPD times 1,000.
        histograms: reference and generated, by name: `E_tot/E_inc`, `E_layer/layer0`, ..., `voxels`.
        separations: of the same names; spare: of real against real.
        axes: kind of histogram -> the label of its axis, whether it is logarithmic.
        notes: what a reader has to know.
    """

    rows: tuple[range, range, range | None]
    tables: list[Table]
    metrics: dict[str, Measurement] = field(default_factory=dict)
    histograms: dict[str, tuple[Histogram, Histogram]] = field(default_factory=dict)
    separations: dict[str, Separation] = field(default_factory=dict)
    spare: dict[str, Separation] = field(default_factory=dict)
    axes: dict[str, tuple[str, bool]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def sizes(self) -> tuple[int, int]:
        return len(self.rows[0]), len(self.rows[1])

    @staticmethod
    def judge(
        real: ShowerFile,
        made: ShowerFile,
        rows: tuple[range, range, range | None],
        observed: list[ChallengeObservable],
        threshold: float,
        seed: int,
    ) -> Submission:
        """Everything but the classifiers; each file is read twice, in blocks."""
        from simulacra.domains.calorimeter.challenge import read_table, read_voxels
        from simulacra.evaluation.challenge import Histogram, edges, mean

        sources = [(real, rows[0]), (made, rows[1])] + ([(real, rows[2])] if rows[2] is not None else [])
        found = Submission(rows, [read_table(file, part, observed) for file, part in sources])
        own = []
        for o in observed:
            for k, bins in enumerate(o.bins):
                name = f"{o.name}/{o.layers[k]}" if o.layers else o.name
                columns = [table.values[o.name][:, k] for table in found.tables]
                at = edges(columns[0], bins.low, bins.high, bins.count, bins.log)
                if bins.high is not None and abs(at[-1] - bins.high) > 1e-9 * abs(bins.high):
                    own.append(name)
                found._add(name, [Histogram.of_values(column, at) for column in columns])
            found.axes[o.name] = o.axis, o.bins[0].log
        largest = found.tables[0].largest
        at = edges([max(threshold, 1e-6), max(largest, 2 * threshold, 1e-5)], None, None, 50, True)
        found._add(
            "voxels", [Histogram.of_counts(read_voxels(file, part, at, threshold), at) for file, part in sources]
        )
        found.axes["voxels"] = "voxel energy / MeV", True
        for o in observed:
            if o.layers:
                mine = [s for name, s in found.separations.items() if name.startswith(f"{o.name}/layer")]
                found.metrics[f"separation/{o.name}"] = mean(mine).raw
        for name in ("E_tot/E_inc", "voxels"):
            found.metrics[f"separation/{name}"] = found.separations[name].raw
        found._remark(own)
        found._distances(seed)
        return found

    def _add(self, name: str, histograms: list[Histogram]) -> None:
        from simulacra.evaluation.challenge import separation

        self.histograms[name] = histograms[0], histograms[1]
        self.separations[name] = separation(histograms[0], histograms[1])
        if len(histograms) > 2:
            self.spare[name] = separation(histograms[0], histograms[2])

    def _remark(self, own: list[str]) -> None:
        from simulacra.evaluation.distances import kolmogorov_smirnov

        if kolmogorov_smirnov(self.tables[0].energy, self.tables[1].energy).above_floor > 4:
            self.notes.append(
                "The incident energies of the two files differ: every number below sees this, too. Generate showers at "
                "the energies of the reference."
            )
        if self.rows[2] is None:
            self.notes.append(
                "The reference has no showers to spare for real against real: floors of separations are computed, "
                "those of classifiers are 0.5 and 0."
            )
        if own:
            kinds = ", ".join(sorted({name.split("/layer")[0] for name in own}))
            self.notes.append(
                f"{len(own)} ranges leave more than 1 % of the reference out; its own took their place ({kinds})."
            )

    def _distances(self, seed: int) -> None:
        from simulacra.errors import UserError
        from simulacra.evaluation.frechet import fpd, fpd_bootstrap
        from simulacra.evaluation.kid import kpd, kpd_batches

        a, b = self.tables[0].features(), self.tables[1].features()
        batch = min(5_000, len(a), len(b))
        if batch < 5_000:
            self.notes.append(f"KPD as published has batches of 5,000; here of {batch:,}, the showers that there are.")
        for name, measure in {
            "fpd/published": lambda: fpd_bootstrap(a, b, seed=seed),
            "fpd": lambda: fpd(a, b, seed=seed),
            "kpd/published": lambda: kpd_batches(a, b, size=batch, seed=seed),
            "kpd": lambda: kpd(a[:PAIRS], b[:PAIRS], seed=seed),
        }.items():
            try:
                self.metrics[name] = _thousand(measure())
            except UserError as error:
                self.notes.append(f"No {name.split('/')[0].upper()} ({name}): {error}.")

    def classify(self, real: ShowerFile, made: ShowerFile, size: str, seed: int, device: str) -> None:
        """Both networks, and trees; voxels are unpacked in a temporary file."""
        from simulacra.domains.calorimeter.challenge import Scratch
        from simulacra.evaluation.challenge_classifier import classify, size_of
        from simulacra.evaluation.classifiers import auc

        features = [table.features().astype("float32") for table in self.tables]
        most = size_of(size).limit
        sources = [(real, self.rows[0]), (made, self.rows[1])]
        sources += [(real, self.rows[2])] if self.rows[2] is not None else []
        a, b, *rest = [table[:PAIRS] for table in features]
        if min(len(a), len(b)) >= 80:
            spare = (rest[0], None) if rest else None
            self.metrics["auc/trees"] = auc(a, b, splits=1, seed=seed, floor_sample=spare)
        with tempfile.TemporaryDirectory() as folder:
            streams = [(Path(folder) / str(k)).open("w+b", buffering=0) for k in range(len(sources))]
            try:
                voxels = [
                    Scratch(stream, file, part[:most] if most else part)
                    for stream, (file, part) in zip(streams, sources, strict=True)
                ]
                for name, tables in {"low": voxels, "high": features}.items():
                    found: Mapping[str, Measurement] = classify(*tables, size=size, seed=seed, device=device)
                    self.metrics |= {f"{kind}/{name}": m for kind, m in found.items()}
            finally:
                for stream in streams:
                    stream.close()


def _thousand(m: Measurement) -> Measurement:
    from dataclasses import replace

    return replace(
        m, value=1000 * m.value, error=1000 * m.error, floor=1000 * m.floor, floor_error=1000 * m.floor_error
    )
