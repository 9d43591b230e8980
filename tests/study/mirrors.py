"""Stand-ins for the process that mirrors into MLflow."""

import logging
import os
import signal
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from ablate.errors import STOP_SIGNALS
from ablate.tracking.behind import end_behind


def follow(root: Path, ids: Sequence[str], uri: str | None, parent: Connection, log: Path) -> None:
    """Leaves a line as it begins, and one after its last pass."""
    _say(root, f"began {os.getpid()}")
    while not parent.poll(0.1):
        pass
    _say(root, "ended")


def die(root: Path, ids: Sequence[str], uri: str | None, parent: Connection, log: Path) -> None:
    """As if memory was short."""
    os.kill(os.getpid(), signal.SIGKILL)


def hang(root: Path, ids: Sequence[str], uri: str | None, parent: Connection, log: Path) -> None:
    """As while a server does not answer, and deaf to SIGTERM."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    _say(root, f"began {os.getpid()}")
    time.sleep(600)


def complain(
    root: Path, ids: Sequence[str], uri: str | None, parent: Connection, log: Path
) -> None:
    """Ends at once, and leaves the reason."""
    log.parent.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(filename=log)
    end_behind("the disk\nis full")


def _say(root: Path, line: str) -> None:
    root.mkdir(parents=True, exist_ok=True)
    with (root / "said").open("a") as file:
        file.write(line + "\n")
