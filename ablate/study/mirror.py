"""The process that mirrors a sweep into MLflow while it is trained."""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ablate import tracking
from ablate.executors import isolated_children
from ablate.runs import Store
from ablate.study.mirrored_report import leave_reports

# How long the mirror may take for its last pass; `ablate sync` completes what it misses.
_PATIENCE_S = 120


@contextmanager
def mirror(store: Store, ids: Sequence[str], uri: str | None) -> Iterator[list[str]]:
    """While this is open, a process of its own mirrors the runs of some sweeps into MLflow.

    Training never waits for it and never fails because of it.

    Args:
        store: Where they lie.
        ids: The sweeps and tunings; what is recorded later is mirrored from then on.
        uri: MLflow's tracking URI; None: the database in the store.

    Yields:
        A list that holds, once this is closed, what the user should know.
    """
    context = multiprocessing.get_context("spawn")
    log = store.logs_path / f"mlflow-{time.time_ns()}.log"
    with isolated_children():
        stop = context.Event()
        process = context.Process(
            target=tracking.follow,
            args=(store.root, list(ids), uri, stop, log),
            name="ablate-mirror",
            daemon=True,
        )
        process.start()
    notes: list[str] = []
    try:
        yield notes
        # Before the mirror's last pass, which copies it.
        notes += leave_reports(store, ids)
    finally:
        stop.set()
        process.join(_PATIENCE_S)
        if process.is_alive():
            process.terminate()
            notes.append("MLflow is behind; `ablate sync` completes it")
        elif log.exists() and log.stat().st_size:
            notes.append(f"MLflow had trouble, see {log}; `ablate sync` completes it")
