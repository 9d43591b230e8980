"""``evaluate_rows``: trained rows, scored on data sets that they were not trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.errors import BadInput, StoreError
from ablate.report.elsewhere import EvaluatedSet, contradictions_of, elsewhere_of
from ablate.report.elsewhere_model import Elsewhere
from ablate.report.results import read_results, read_run
from ablate.report.rows import RowRuns, TableRuns
from ablate.report.summary import standard_columns
from ablate.runs import RecordedRun, RunFolder, Store, SweepRecord, shown
from ablate.runs.drivers import evaluating
from ablate.spec import Context, Sweep
from ablate.study.finding import find_run
from ablate.study.other_data import Part, open_sets
from ablate.study.predict import chosen_devices
from ablate.study.report import latest_start
from ablate.study.trained_rows import trained_row

if TYPE_CHECKING:
    import torch

_Advance = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ChosenRows:
    """The rows that are scored.

    Attributes:
        rows: By name, with their runs.
        title: The sweep's title, or the run that is meant.
        context: What the rows share.
        sweep: The sweep that they are rows of; None: a run that no sweep names.
        store: Where their runs lie.
        notes: What the user should know.
    """

    rows: Mapping[str, RowRuns]
    title: str
    context: Context
    sweep: Sweep | None
    store: Store
    notes: tuple[str, ...] = ()

    @property
    def folders(self) -> dict[str, list[RunFolder]]:
        """The folders of the finished runs of each row."""
        return {
            name: [self.store.run(run.run.key) for run in row.runs if run.finished]
            for name, row in self.rows.items()
        }


def choose_rows(
    store: Path, grid: str | None, rows: Sequence[str] = (), run: str | None = None
) -> ChosenRows:
    """The trained rows that the words of a command name; without a name, all of the sweep.

    Args:
        store: The store.
        grid: The sweep; its latest start is meant.
        rows: Names of variants.
        run: The key of a run, instead of rows; see ``find_run``.

    Raises:
        BadInput: If neither or both are named, there is no such row or run, or one is not trained.
        StoreError: If nothing of it is finished.
    """
    opened = Store(store)
    if run is not None:
        if rows:
            raise BadInput(f"--row {shown(rows[0])} and --run {shown(run)} name two", "give one")
        return _single(opened, run)
    if grid is None:
        raise BadInput("it is not said which models are meant", "give --grid, or --run KEY")
    return rows_of(latest_start(opened, grid)[0], opened, rows)


def rows_of(record: SweepRecord, store: Store, rows: Sequence[str] = ()) -> ChosenRows:
    """The trained rows of a started sweep; see ``choose_rows``."""
    table = TableRuns(record, read_results(record, store), None, {}).rows
    for name in rows:
        trained_row(record, store, name)
        if not table[name].is_trained:
            raise _untrained(name)
    chosen = {name: row for name, row in table.items() if name in rows or not rows}
    trained = {name: row for name, row in chosen.items() if row.is_trained and row.runs}
    if not any(each.finished for row in trained.values() for each in row.runs):
        raise StoreError(
            f"no trained row of {record.sweep.name} has a finished run in {store.root}",
            f"train it with `ablate run --grid {record.sweep.name}`",
        )
    notes = [
        f"{name} is not trained: `ablate run --data` scores it on other data"
        for name, row in chosen.items()
        if not row.is_trained
    ]
    return ChosenRows(
        trained, record.sweep.title, record.context, record.sweep, store, tuple(notes)
    )


def _single(store: Store, key: str) -> ChosenRows:
    """One run, under the name and number that its sweep gives it, if any does."""
    folder = find_run(store, key)
    spec = folder.spec()
    if not spec.variant.is_trained:
        raise _untrained(spec.name)
    recorded = RecordedRun(
        key=folder.key, name=spec.name, variant=spec.variant, seed=spec.seed, split=spec.split
    )
    found = read_run(recorded, store)
    if found.finished is None:
        raise StoreError(
            f"the run {folder.key} is {found.missing_reason}"
            + (f" ({found.cause})" if found.cause else ""),
            "name one that is done",
        )
    row = RowRuns(spec.name, spec.variant, False, (found,), (), None)
    return ChosenRows({spec.name: row}, f"run {folder.key}", spec.context, None, store)


def _untrained(name: str) -> BadInput:
    return BadInput(
        f"{name} is not trained: there are no weights to score elsewhere",
        f"evaluate it there with `ablate run --variant {name} --data …`",
    )


def evaluate_rows(
    chosen: ChosenRows,
    data: Sequence[Path],
    *,
    overrides: Sequence[str] = (),
    checkpoint: Path | None = None,
    device: str = "cpu",
    announce: Callable[[str], None] = lambda line: None,
    advance: _Advance = lambda what, done, of: None,
) -> Elsewhere:
    """Checks rows and data, scores what is not scored yet, and sets all of it beside each other.

    Every image of a data set is scored: read, resized, batched and counted as the test part of the
    run's own data is. What was computed before is not computed again.

    Args:
        chosen: The rows.
        data: Folders of data sets.
        overrides: ``KEY=VALUE`` of the protocol's ``data``: how the folders are laid out and read.
        checkpoint: SAM's weights; None: where the store has last seen them.
        device: Where to compute.
        announce: Is told what the user should know: before anything is computed, and where memory
            is short.
        advance: Is told how far it is: what is being scored, images done, and of how many.

    Raises:
        BadInput: If data, weights or the device cannot be used; nothing was started.
        RunFailed: If the device fails, or has too little memory for one image.
    """
    # Torch takes seconds to load.
    from ablate.models.devices import check_device
    from ablate.predict.loading import check_weights

    where = check_device(device)
    notes = [*chosen.notes]
    folders = [folder for own in chosen.folders.values() for folder in own]
    sets = open_sets(folders, chosen.store, data, overrides, notes)
    parts = [part for each in sets for part in each.parts]
    check_weights([part.spec for part in parts], checkpoint, chosen.store)
    for part in parts:
        if (problem := part.folder.weights_problem()) is not None:
            raise StoreError(f"{part.folder.path}: {problem}", "restore it from a copy")
    damaged = [part.evaluations.set_damaged_aside(part.key, contradictions_of) for part in parts]
    for line in (*notes, *filter(None, damaged)):
        announce(line)
    if pending := [part for part in parts if part.evaluations.read(part.key) is None]:
        # Images and runs that no sweep names are needed until the end.
        with evaluating(chosen.store.drivers_path):
            _score(chosen, pending, checkpoint, where, announce, advance)
    return elsewhere_of(
        chosen.rows,
        [EvaluatedSet(each.label, each.digest, each.keys) for each in sets],
        chosen.store,
        title=chosen.title,
        context=chosen.context,
        sweep=chosen.sweep,
        metrics=standard_columns(chosen.context.protocol.task),
        notes=notes,
    )


def _score(
    chosen: ChosenRows,
    pending: Sequence[Part],
    checkpoint: Path | None,
    device: torch.device,
    announce: Callable[[str], None],
    advance: _Advance,
) -> None:
    """Scores runs on data sets; each evaluation is published as soon as it is made."""
    from ablate.predict.elsewhere import evaluate_elsewhere, prepared_at, training_pixels
    from ablate.predict.loading import load_runs, takes_checkpoint
    from ablate.predict.pool import Copy

    size_px = chosen.context.protocol.image_size_px
    prepared = {
        part.images.digest(): prepared_at(size_px, chosen.store, part.opened) for part in pending
    }
    trained: dict[str, frozenset[str] | None] = {}
    for row in chosen.folders.values():
        own = [part for part in pending if part.folder in row]
        used = list(dict.fromkeys(part.folder for part in own))
        if not used:
            continue
        given = checkpoint if takes_checkpoint(own[0].spec) else None
        models = dict(zip(used, load_runs(used, given, device), strict=True))
        at_once: int | None = None
        for part in own:
            # What the row's runs before have found holds for this one.
            copy = Copy([models[part.folder]], announce, "image", at_once)
            images = prepared[part.images.digest()]
            if part.split not in trained:
                trained[part.split] = training_pixels(part.spec, chosen.store)
            made = evaluate_elsewhere(
                copy,
                part.folder.key,
                part.images,
                images,
                trained[part.split],
                partial(_tell, advance, part.label, len(images.names)),
            )
            part.evaluations.publish(made)
            at_once = copy.at_once


def _tell(advance: _Advance, label: str, images: int, done: int) -> None:
    advance(label, done, images)


def chosen_device(names: Sequence[str]) -> str:
    """The one device of an evaluation; the first GPU, or else the CPU, where none is named.

    Raises:
        BadInput: If several are named.
    """
    if len(names) > 1:
        raise BadInput(
            f"{len(names)} devices are named, and an evaluation computes on one", "name one"
        )
    return chosen_devices(names)[0]
