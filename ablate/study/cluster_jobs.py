"""Jobs that a sweep has in a cluster: noted while they may be there, found again, cancelled."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ablate.errors import BadInput, StoreError
from ablate.executors import JobState, LeftJob, jobs_go_on, left_jobs
from ablate.runs import Store, SweepRecord, submitted
from ablate.runs.drivers import driver_files
from ablate.runs.submitted import Submitted
from ablate.study.finding import find_run
from ablate.study.request import Request

# How long a cluster may take to answer who only looks.
_LOOK_S = 5.0
_PATIENCE_S = 60.0
_POLL_S = 1.0


@dataclass(frozen=True)
class ClusterJobs:
    """The jobs of one sweep in one cluster.

    Attributes:
        executor: The name of the executor that they were given to.
        submitted: When; Unix seconds.
        queued: How many wait.
        running: How many run.
        reasons: Why those wait, in the cluster's words, each once.
        problem: Why that is not known: the cluster does not answer here; None: it does.
    """

    executor: str
    submitted: float
    queued: int = 0
    running: int = 0
    reasons: tuple[str, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class CancelledJobs:
    """Jobs of a sweep without a driver that were asked to end.

    Attributes:
        sweep: The sweep's name.
        executor: The name of the executor that they were given to.
        asked: How many.
        left: How many of them have not ended yet.
    """

    sweep: str
    executor: str
    asked: int
    left: int


@contextmanager
def noting_jobs(
    request: Request, record_id: str, store: Store, *, is_detached: bool = False
) -> Iterator[None]:
    """While this is open, and after a kill, the store says that the sweep has jobs in a cluster.

    An end in order removes that, unless the jobs are left to the cluster; so does bad input, upon
    which nothing of this start is left there. After a stop the note stays for who wants to know
    whether the cluster has heard of it.
    """
    if not jobs_go_on(request.executor, request.executor_settings):
        yield
        return
    note = Submitted(
        record=record_id,
        sweep=request.sweep,
        executor=request.executor,
        settings=request.executor_settings,
        time=time.time(),
    )
    folder = store.drivers_path
    was_noted = submitted.is_noted(folder, note)
    submitted.note(folder, note)
    try:
        yield
    except BadInput:
        if not was_noted:
            submitted.forget(folder, note)
        raise
    # Another driver of the same sweep may have jobs of its own.
    if not is_detached and sum(_drives(record_id, store)) < 2:
        submitted.forget(folder, note)


def cluster_jobs(record: SweepRecord, store: Store) -> tuple[ClusterJobs, ...]:
    """What a recorded sweep has in clusters; nothing is asked where no job was noted."""
    return tuple(
        found
        for note in submitted.noted(store.drivers_path)
        if note.record == record.id and (found := _look(note, record, store)) is not None
    )


def cancel_jobs(
    store: Path, sweep: str | None = None, key: str | None = None, patience_s: float = _PATIENCE_S
) -> tuple[CancelledJobs, ...]:
    """Cancels the jobs of sweeps that no process drives, and waits until they have ended.

    Those that run save the state of their runs.

    Args:
        store: The store.
        sweep: Only those of this sweep.
        key: Only those of the sweep that has a job for this run; see ``find_run``.
        patience_s: How long to wait.

    Returns:
        What was cancelled.

    Raises:
        StoreError: If there is no such store.
        BadInput: If there is no such run, several are meant, or the cluster does not answer.
    """
    opened = Store(store)
    wanted = None if key is None else find_run(opened, key).key
    cancelled = []
    for note in submitted.noted(opened.drivers_path):
        if sweep not in (None, note.sweep) or any(_drives(note.record, opened)):
            continue
        record = _record(note, opened)
        jobs = _jobs(note, record, opened, _PATIENCE_S)
        if wanted is not None and not any(wanted in job.keys for job in jobs):
            continue
        for job in jobs:
            job.cancel()
        left = _wait(note, record, opened, patience_s) if jobs else 0
        if not left:
            submitted.forget(opened.drivers_path, note)
        if jobs:
            cancelled.append(CancelledJobs(note.sweep, note.executor, len(jobs), left))
    return tuple(cancelled)


def _wait(note: Submitted, record: SweepRecord | None, store: Store, patience_s: float) -> int:
    """Waits until its jobs have ended; how many have not."""
    deadline = time.monotonic() + patience_s
    while (left := len(_jobs(note, record, store, _PATIENCE_S))) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return left


def _look(note: Submitted, record: SweepRecord, store: Store) -> ClusterJobs | None:
    """What is there of one note; None: nothing any more."""
    try:
        jobs = _jobs(note, record, store, _LOOK_S)
    except BadInput as error:
        return ClusterJobs(note.executor, note.time, problem=error.parts[0])
    if not jobs:
        return None
    queued = [job for job in jobs if job.state is JobState.QUEUED]
    return ClusterJobs(
        executor=note.executor,
        submitted=note.time,
        queued=len(queued),
        running=len(jobs) - len(queued),
        reasons=tuple(dict.fromkeys(job.reason for job in queued if job.reason)),
    )


def _jobs(
    note: Submitted, record: SweepRecord | None, store: Store, timeout_s: float
) -> Sequence[LeftJob]:
    """The jobs of a note's sweep that are in the cluster.

    Raises:
        BadInput: If it does not answer.
    """
    found = left_jobs(note.executor, note.settings, store.root / "runs", timeout_s)
    keys = None if record is None or not found else _keys(record, store)
    return [job for job in found if keys is None or job.keys & keys]


def _record(note: Submitted, store: Store) -> SweepRecord | None:
    """The record of a note's sweep; None: it cannot be read, and all of the store's jobs count."""
    records = store.sweep_records(note.sweep, problems=[])
    return next((each for each in records if each.id == note.record), None)


def _keys(record: SweepRecord, store: Store) -> frozenset[str] | None:
    """The runs of a sweep and of its tuning; None: the tuning cannot be read."""
    keys = frozenset(run.key for run in record.runs)
    try:
        tuning = store.tuning(record.id)
    except StoreError:
        return None
    return keys if tuning is None else keys | tuning.run_keys


def _drives(record_id: str, store: Store) -> list[bool]:
    """One ``True`` for each living process that drives a recorded sweep."""
    drivers = (file.read() for file in driver_files(store.drivers_path) if file.lives())
    return [True for driver in drivers if driver is not None and driver.record == record_id]
