"""What the store says of the runs of one table, read once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ablate.errors import StoreError
from ablate.report.model import MissingReason
from ablate.report.recomputed import contradictions
from ablate.runs import (
    Confusions,
    DataCheck,
    Provenance,
    RecordedRun,
    Result,
    State,
    Store,
    SweepRecord,
    TuningRecord,
)
from ablate.runs.confusions import decode as decode_confusions
from ablate.runs.decoded import remembered
from ablate.runs.finished import Decode
from ablate.spec import METRIC_NAMES

_REASONS: dict[State, MissingReason] = {
    State.NEW: "not run",
    State.RUNNING: "running",
    State.INTERRUPTED: "interrupted",
    State.FAILED: "failed",
    State.DIVERGED: "diverged",
}


_Record = TypeVar("_Record", DataCheck, TuningRecord)


@dataclass(frozen=True)
class Finished:
    """A result and where it comes from.

    Attributes:
        result: What the run gave; it agrees with ``confusions``.
        provenance: What it was made by.
        confusions: The pixels of every validation image.
        test_confusions: The pixels of every test image; None where there are none.
    """

    result: Result
    provenance: Provenance
    confusions: Confusions
    test_confusions: Confusions | None = None


@dataclass(frozen=True)
class RunRecord:
    """One run as its folder shows it.

    Attributes:
        run: What was started.
        finished: The result; None where there is none.
        missing_reason: Why there is no result; None if there is one.
        cause: What failed or cannot be read, in one line; None if nothing did.
    """

    run: RecordedRun
    finished: Finished | None
    missing_reason: MissingReason | None
    cause: str | None


def read_results(record: SweepRecord, store: Store) -> list[RunRecord]:
    """Reads the folders of the latest run of every row and repeat, in the order of the table.

    What cannot be read leaves its own place empty; the rest of the table stays.
    """
    with remembered(store.decoded_path(record.id)) as known:
        return [read_run(run, store, known.decode) for run in record.current_runs()]


def readable(read: Callable[[], _Record | None], problems: list[str]) -> _Record | None:
    """What ``read`` gives; None where it cannot be read, and why goes to ``problems``."""
    try:
        return read()
    except StoreError as error:
        problems.append(one_line(str(error)))
        return None


def one_line(text: str) -> str:
    """The text without line breaks."""
    return " ".join(text.split())


def cause_of(error: Exception, store: Store) -> str:
    """Why something of a store cannot be read, in one line; where the store lies says nothing."""
    return one_line(str(error)).replace(f"{store.root}/", "")


def missing_metrics(result: Result) -> Sequence[str]:
    """The metrics that a result should have and has not."""
    return sorted(set(METRIC_NAMES) - result.metrics.keys())


def read_run(run: RecordedRun, store: Store, decode: Decode = decode_confusions) -> RunRecord:
    """Reads one run's folder; what cannot be read has the reason in its place."""
    try:
        return _read_folder(run, store, decode)
    except (StoreError, OSError) as error:
        return RunRecord(run, None, "unreadable", cause_of(error, store))


def _read_folder(run: RecordedRun, store: Store, decode: Decode) -> RunRecord:
    folder = store.run(run.key)
    # It refuses the spec of another key, and the key covers protocol, data, weights and engine.
    finished = folder.finished()
    if finished is None:
        state = folder.state()
        if state is State.DAMAGED:
            raise StoreError(folder.damage() or f"{folder.path} was damaged", "")
        failure = folder.failure() if state in (State.FAILED, State.DIVERGED) else None
        cause = one_line(failure.message) if failure else None
        return RunRecord(run, None, _REASONS.get(state, "running"), cause)
    result, repair = finished.result, "remove the folder and run again"
    if missing := missing_metrics(result):
        raise StoreError(f"the result in {folder.path} lacks {', '.join(missing)}", repair)
    confusions = finished.confusions(decode)
    if contradicted := contradictions(result, confusions):
        raise StoreError(
            f"the result in {folder.path} contradicts its own pixels: {contradicted[0]}", repair
        )
    tested = None
    if result.test is not None:
        tested = finished.test_confusions(decode)
        file = folder.test_confusion_path.name
        if contradicted := contradictions(result.test, tested, file):
            raise StoreError(
                f"the test scores in {folder.path} contradict their pixels: {contradicted[0]}",
                repair,
            )
    finished.check()
    return RunRecord(run, Finished(result, finished.provenance, confusions, tested), None, None)
