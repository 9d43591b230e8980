"""The process that mirrors a sweep into MLflow while it is trained."""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from ablate import tracking
from ablate.errors import Interrupted
from ablate.executors import how_it_ended, isolated_children, signals_blocked
from ablate.runs import Store
from ablate.study import mirror_mark
from ablate.study.mirrored_report import leave_reports

# How long the mirror may take for its last pass; `ablate sync` completes what it misses. A server
# may accept connections and never answer; a database in a file answers as fast as the disk.
_PATIENCE_S = 120.0
_SERVER_PATIENCE_S = 12.0
_STOP_PATIENCE_S = 8.0


@contextmanager
def mirror(store: Store, ids: Sequence[str], uri: str | None) -> Iterator[list[str]]:
    """While this is open, a process of its own mirrors the runs of some sweeps into MLflow.

    Training never waits for it and never fails because of it.

    Args:
        store: Where they lie.
        ids: The sweeps and tunings; what is recorded later is mirrored from then on.
        uri: MLflow's tracking URI; None: the database in the store.

    Yields:
        A list that holds, once this is closed, what the user should know. Where a stop was
        requested, its exception has that as notes.
    """
    log = store.logs_path / f"mlflow-{time.time_ns()}.log"
    notes: list[str] = []
    mirror_mark.mark(store, ids, uri)
    process, pipe = _start(store, ids, uri, log)
    try:
        yield notes
        # Before the mirror's last pass, which copies it.
        notes += leave_reports(store, ids)
    except (Interrupted, KeyboardInterrupt) as stop:
        for note in _end(process, pipe, log, _STOP_PATIENCE_S):
            stop.add_note(note)
        raise
    except BaseException:
        _end(process, pipe, log, _STOP_PATIENCE_S)
        raise
    patience_s = _PATIENCE_S if tracking.is_file(store, uri) else _SERVER_PATIENCE_S
    if process.exitcode is not None:
        # It has died: another one makes the last pass.
        process, pipe = _start(store, ids, uri, log)
    problems = _end(process, pipe, log, patience_s)
    if not problems:
        mirror_mark.clear(store, ids, uri)
    notes += problems


def _start(
    store: Store, ids: Sequence[str], uri: str | None, log: Path
) -> tuple[BaseProcess, Connection]:
    """Starts the process; it makes its last pass once this end of the pipe is closed."""
    theirs, ours = multiprocessing.Pipe(duplex=False)
    with theirs, isolated_children(), signals_blocked():
        process = multiprocessing.get_context("spawn").Process(
            target=tracking.follow,
            args=(store.root, list(ids), uri, theirs, log),
            name="ablate-mirror",
            daemon=True,
        )
        process.start()
    return process, ours


def _end(process: BaseProcess, pipe: Connection, log: Path, patience_s: float) -> list[str]:
    """Waits for the last pass; a further stop request ends the process at once.

    Returns:
        What the user should know.
    """
    pipe.close()
    try:
        process.join(patience_s)
    finally:
        is_behind = process.exitcode is None
        # Not by SIGTERM, which requests a last pass.
        process.kill()
        process.join()
    if not process.exitcode:
        # Trouble that has passed is in its log alone.
        return []
    if is_behind:
        problem = "MLflow is behind"
    elif process.exitcode == tracking.EXIT_BEHIND and (why := tracking.why_behind(log)):
        problem = f"MLflow is behind: {why} (see {log})"
    else:
        problem = f"the process that mirrors into MLflow {how_it_ended(process.exitcode)}"
    return [f"{problem}; `ablate sync` completes it"]
