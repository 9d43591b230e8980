"""``sweep_status``: what every run of a store is at, the trials of tunings included."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.errors import StoreError
from ablate.runs import RecordedRun, State, Store, SweepRecord
from ablate.study.cluster_jobs import ClusterJobs, cluster_jobs
from ablate.study.run_status import run_status
from ablate.study.watching import TERMINAL_STATES

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TuningStatus:
    """How far the tuning of a sweep is.

    Attributes:
        sampler: Where its settings come from.
        budget: Trials of each row.
        rows: How many rows are tuned.
        ended: How many trials have ended.
        done: How many of these gave a score.
        chosen: How many rows have a best setting.
    """

    sampler: str
    budget: int
    rows: int
    ended: int
    done: int
    chosen: int

    @property
    def trials(self) -> int:
        """How many there will be."""
        return self.budget * self.rows


@dataclass(frozen=True)
class SweepStatus:
    """A sweep that was started, and its runs.

    Attributes:
        record: The start.
        runs: One row for each run, in the table's order: variant, split, seed, key, epochs, and the
            attributes of ``RunStatus``.
        tuning: Its tuning; None: it was never tuned.
        jobs: What it has in clusters, as far as that was noted.
    """

    record: SweepRecord
    runs: tuple[dict[str, Any], ...]
    tuning: TuningStatus | None
    jobs: tuple[ClusterJobs, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """The rows as a pandas frame."""
        import pandas as pd

        return pd.DataFrame(self.runs)


def sweep_status(
    store: Path, sweep: str | None = None, problems: list[str] | None = None
) -> Sequence[SweepStatus]:
    """The state of every run of a sweep, or of all sweeps, the latest start first.

    Args:
        store: The store.
        sweep: The sweep's name; None: all.
        problems: Takes one line for each record that cannot be read.

    Raises:
        StoreError: If no such sweep was started, or none of its records can be read.
    """
    opened = Store(store)
    found: list[str] = [] if problems is None else problems
    records = opened.sweep_records(sweep, found)
    if not records and found:
        raise StoreError("\n".join(found), "")
    if not records:
        what = f"sweep {sweep} was never started in" if sweep else "no sweep was started in"
        raise StoreError(
            f"{what} {store}", "start one with `ablate run --grid table4`, or give --store"
        )
    return [status_of(record, opened, found) for record in records]


def status_of(record: SweepRecord, store: Store, problems: list[str] | None = None) -> SweepStatus:
    """The state of every run of one sweep.

    Args:
        record: Its start.
        store: Where its runs lie.
        problems: Takes a line where its tuning cannot be read.
    """
    now = time.time()
    return SweepStatus(
        record,
        tuple(_row(record, run, store, now) for run in record.runs),
        _tuning_status(record, store, [] if problems is None else problems),
        cluster_jobs(record, store),
    )


def _tuning_status(record: SweepRecord, store: Store, problems: list[str]) -> TuningStatus | None:
    try:
        tuning = store.tuning(record.id)
    except StoreError as error:
        problems.append(str(error))
        return None
    if tuning is None:
        return None
    states = [store.run(trial.run.key).state() for trial in tuning.trials]
    return TuningStatus(
        sampler=tuning.sampler.name,
        budget=tuning.budget,
        rows=len({trial.run.name for trial in tuning.trials}),
        ended=sum(state in TERMINAL_STATES for state in states),
        done=states.count(State.DONE),
        chosen=len(tuning.tuned),
    )


def _row(record: SweepRecord, run: RecordedRun, store: Store, now: float) -> dict[str, Any]:
    epochs = record.run_spec(run).epochs
    found = run_status(store.run(run.key), epochs, now)
    return {
        "variant": run.name,
        "split": run.split,
        "seed": run.seed,
        "key": run.key,
        "state": found.state.value,
        "device": found.device,
        "epoch": found.epoch,
        "epochs": epochs,
        "progress": found.progress,
        "miou": found.miou,
        "last_event": found.last_event,
        "stalled": found.is_stalled,
        "note": found.note,
    }
