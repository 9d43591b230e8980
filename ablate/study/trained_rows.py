"""Which finished runs a trained row is."""

import difflib
from dataclasses import dataclass
from pathlib import Path

from ablate.errors import BadInput, StoreError
from ablate.runs import RunFolder, State, Store, SweepRecord, shown
from ablate.study.finding import find_run
from ablate.study.report import latest_start


@dataclass(frozen=True)
class TrainedRow:
    """A row with results.

    Attributes:
        name: The variant's name.
        folders: Its finished runs, by split and seed.
        record: The start of the sweep that it is a row of; None: no sweep names the run.
        store: Where they lie.
    """

    name: str
    folders: tuple[RunFolder, ...]
    record: SweepRecord | None
    store: Store


def trained_row(record: SweepRecord, store: Store, row: str) -> TrainedRow:
    """The finished runs of a row.

    Args:
        record: The start of the sweep.
        store: Where its runs lie.
        row: The variant's name.

    Raises:
        BadInput: If the sweep has no such row.
        StoreError: If no run of it is finished.
    """
    runs = sorted(
        (run for run in record.current_runs() if run.name == row),
        key=lambda run: (run.split, run.seed),
    )
    if not runs:
        names = list(dict.fromkeys(run.name for run in record.runs))
        near = difflib.get_close_matches(row, names, 1)
        repair = f"did you mean {near[0]!r}?" if near else f"its rows are {', '.join(names)}"
        raise BadInput(f"{record.id} has no row '{shown(row)}'", repair)
    # Rows of several variants under one name: those of the newest alone belong together.
    newest = runs[-1].variant
    folders = [store.run(run.key) for run in runs if run.variant == newest]
    done = [folder for folder in folders if folder.state() is State.DONE]
    if not done:
        raise StoreError(
            f"no run of {row} is finished in {store.root}",
            f"train it with `ablate run --grid {record.sweep.name} --variant {row}`",
        )
    return TrainedRow(row, tuple(done), record, store)


def find_trained(store: Path, grid: str | None, row: str | None, run: str | None) -> TrainedRow:
    """The row or the run that the words of a command name.

    Args:
        store: The store.
        grid: The sweep; its latest start is meant.
        row: One of its rows.
        run: The key of a run, instead of both; see ``find_run``.

    Raises:
        BadInput: If neither or both are named, or there is no such row or run.
        StoreError: If nothing of it is finished.
    """
    opened = Store(store)
    if run is not None:
        if row is not None:
            raise BadInput(f"--row {shown(row)} and --run {shown(run)} name two", "give one")
        return _single_run(opened, run)
    if row is None or grid is None:
        raise BadInput("it is not said which model is meant", "give --grid and --row, or --run KEY")
    return trained_row(latest_start(opened, grid)[0], opened, row)


def _single_run(store: Store, key: str) -> TrainedRow:
    folder = find_run(store, key)
    if folder.state() is not State.DONE:
        raise StoreError(f"the run {folder.key} is {folder.state().value}", "name one that is done")
    for record in store.sweep_records(problems=[]):
        if any(each.key == folder.key for each in record.current_runs()):
            return TrainedRow(folder.spec().name, (folder,), record, store)
    return TrainedRow(folder.spec().name, (folder,), None, store)
