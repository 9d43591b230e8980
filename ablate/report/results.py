"""What the store says of the runs of one table, read once."""

from collections.abc import Sequence
from dataclasses import dataclass

from ablate.errors import StoreError
from ablate.report.model import COLUMNS, Hole
from ablate.runs import Provenance, Result, RunFolder, State, Store, SweepRecord
from ablate.spec import RunSpec

_HOLES: dict[State, Hole] = {
    State.NEW: "not run",
    State.RUNNING: "running",
    State.INTERRUPTED: "interrupted",
    State.FAILED: "failed",
    State.DIVERGED: "diverged",
}


@dataclass(frozen=True)
class Finished:
    """A result and where it comes from."""

    result: Result
    provenance: Provenance


@dataclass(frozen=True)
class Reading:
    """One run as its folder shows it.

    Attributes:
        run: What was asked for.
        finished: The result; None where there is a hole.
        hole: Why there is no result; None if there is one.
        cause: What failed; None if nothing did.
    """

    run: RunSpec
    finished: Finished | None
    hole: Hole | None
    cause: str | None


def read_results(record: SweepRecord, runs: Sequence[RunSpec], store: Store) -> list[Reading]:
    """Reads every run's folder, in the order of ``runs``.

    Raises:
        StoreError: If a run or a result is of another protocol, data set, weights or engine than
            the record: one table would mix numbers of different meaning.
    """
    identity = record.context.identity()
    for run in runs:
        # Mostly it is the record's own context: no need to work out its identity again.
        if run.context != record.context and run.context.identity() != identity:
            raise StoreError(
                f"run {run.key} ({run.name}, seed {run.seed}) has another protocol, data set or "
                f"weights than the sweep {record.id}",
                "report each of them by itself",
            )
    return [_read(run, store.run(run.key)) for run in runs]


def _read(run: RunSpec, folder: RunFolder) -> Reading:
    state = folder.state()
    result = folder.result()
    if result is None:
        failure = folder.failure() if state in (State.FAILED, State.DIVERGED) else None
        return Reading(run, None, _HOLES[state], failure.message if failure else None)
    # Refuses a spec of another key, and the key covers protocol, data, weights and engine.
    provenance = folder.spec_file().provenance
    if result.key != folder.key:
        raise StoreError(
            f"the result in {folder.path} is of run {result.key}, not of {folder.key}",
            "move the folder back, or remove it and run again",
        )
    if missing := COLUMNS.keys() - result.metrics.keys():
        raise StoreError(
            f"the result in {folder.path} lacks {', '.join(sorted(missing))}",
            "remove the folder and run again",
        )
    return Reading(run, Finished(result, provenance), None, None)
