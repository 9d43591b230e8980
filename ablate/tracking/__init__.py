"""The MLflow mirror: a copy of the store's folders that can be rebuilt at any time.

Imports no mlflow before one of its functions is called.
"""

from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from ablate.runs import Store, SweepRecord, TuningRecord
from ablate.tracking.address import check_uri, is_file, tracking_uri
from ablate.tracking.behind import EXIT_BEHIND, why_behind
from ablate.tracking.groups import group_id
from ablate.tracking.installed import INSTALL, check_installed, is_installed
from ablate.tracking.mapping import TAG_CHARACTERS as NOTE_CHARACTERS
from ablate.tracking.report_copy import NOTE_FILE
from ablate.tracking.ui_view import RUNS_VIEW

LOOPBACK = "127.0.0.1"
"""The address of this machine that no other reaches."""

__all__ = [
    "EXIT_BEHIND",
    "INSTALL",
    "LOOPBACK",
    "NOTE_CHARACTERS",
    "NOTE_FILE",
    "RUNS_VIEW",
    "check",
    "check_installed",
    "check_uri",
    "follow",
    "group_id",
    "is_file",
    "is_installed",
    "serve_ui",
    "sync",
    "tracking_uri",
    "why_behind",
]


def check(store: Store, uri: str | None = None) -> str:
    """Opens the mirror's database, or asks its server for its version; changes nothing.

    Args:
        store: Whose mirror is checked.
        uri: MLflow's tracking URI; None: the sqlite database in the store.

    Returns:
        What it is, in a few words; a database that is not there yet is made by the first run.

    Raises:
        StoreError: If MLflow is not installed, or it cannot be used or does not answer within
            seconds.
    """
    check_installed()
    from ablate.tracking.checking import check as check_now

    return check_now(store, uri)


def sync(
    store: Store, records: Sequence[SweepRecord | TuningRecord], uri: str | None = None
) -> int:
    """Mirrors all runs of these sweeps and tunings as their folders are now.

    Sets MLflow's switches (quiet, no telemetry) in this process's environment.

    Args:
        store: Whose folders are read.
        records: The sweeps and tunings.
        uri: MLflow's tracking URI; None: the sqlite database in the store.

    Returns:
        The number of runs that the mirror now holds for them.

    Raises:
        StoreError: If MLflow is not installed or cannot be written to, if another process is
            writing to it, or if a run's folder cannot be read (the others are mirrored all the
            same).
    """
    check_installed()
    from ablate.tracking.syncing import sync as sync_now

    return sync_now(store, records, uri)


def follow(
    store_root: Path, record_ids: Sequence[str], uri: str | None, parent: Connection, log: Path
) -> None:
    """Mirrors these sweeps while they run; the target of a process of its own (``spawn``).

    Ends, after a last update from the folders, when the parent closes its end of the pipe or is
    gone, or on SIGTERM. Ignores Ctrl-C, which the parent handles. Never raises because of
    MLflow: what goes wrong is written to ``log`` and tried again. Where the last update fails, it
    exits with EXIT_BEHIND, and ``why_behind`` tells the reason.

    Args:
        store_root: The store's folder.
        record_ids: The sweeps, by the ids of their records, and tunings, by their ``group_id``.
        uri: MLflow's tracking URI; None: the sqlite database in the store.
        parent: The receiving end of a pipe, of which the parent holds the other one.
        log: Takes whatever this process would print.
    """
    from ablate.tracking.syncing import follow as follow_until

    follow_until(store_root, record_ids, uri, parent, log)


def serve_ui(store: Store, port: int, uri: str | None = None, host: str = LOOPBACK) -> int:
    """Serves MLflow's user interface until Ctrl-C or SIGTERM.

    ``http://127.0.0.1:PORT/`` followed by RUNS_VIEW shows the store's runs as a table.

    Args:
        store: Whose mirror is shown.
        port: Where to listen.
        uri: The database to show; None: the sqlite database in the store.
        host: The address to listen on. The interface asks for no password: on any other than that
            of this machine itself, whoever reaches it can read, change and delete the mirror.

    Returns:
        The server's exit code; 0 after Ctrl-C or SIGTERM.

    Raises:
        StoreError: If MLflow is not installed, there is no mirror yet, the port is taken, or
            ``uri`` is of a server that has a user interface of its own.
    """
    check_installed()
    from ablate.tracking.ui import serve

    return serve(store, port, uri, host)
