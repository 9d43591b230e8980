"""``drivers/`` of a store: which processes train or evaluate here, and a way to ask them to stop.

``ablate gc`` keeps what they may need. What only reads (``predict``, ``export``, ``report``) is not
among them: it has read the files of its runs before it computes, and it works in a store that
cannot be written to.
"""

import os
import re
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Literal

from ablate.errors import StoreError
from ablate.runs import atomic, documents, heartbeat, hosts, locks
from ablate.runs.formats import Document

# `ablate gc` removes tens of gigabytes in that time.
_PATIENCE_S = 120.0
_LOOK_EVERY_S = 1.0
_NAME = re.compile(r"[0-9]{1,20}-[0-9a-f]{8}")


class Driver(Document):
    """``drivers/ID.json``: a process that trains a sweep or its tuning, or evaluates runs.

    Attributes:
        record: The ``id`` of the sweep's record; empty where runs are evaluated.
        sweep: The sweep's name; empty where runs are evaluated.
        pid: Of the process, on its host.
        host: The host's name.
        started: When it began; Unix seconds.
        host_id: Which host; see ``hosts.this_host``. None: an older ablate has not noted it.
        work: What it does; an evaluation is not asked to stop.
    """

    record: str
    sweep: str
    pid: int
    host: str
    started: float
    host_id: str | None = None
    work: Literal["training", "evaluation"] = "training"


class DriverFile:
    """One driver on disk.

    A lock that it holds tells its own host whether it lives, a file that it lets grow all others.

    It is asked by a file, not by a signal: its process may be on another host, and its number may
    be another process's by now.

    Args:
        path: ``drivers/ID.json``.
    """

    def __init__(self, path: Path) -> None:
        """Touches nothing."""
        self.path = path
        self._lock_path = path.with_suffix(".lock")
        self._beat_path = path.with_suffix(".beat")
        self._request_path = path.with_suffix(".cancel")

    def lives(self) -> bool:
        """Whether the process has not ended.

        One of another host counts as alive until it was silent for long; see ``heartbeat``.
        """
        if self._is_elsewhere():
            return not heartbeat.is_silent(self._beat_path)
        try:
            return locks.is_held(self._lock_path)
        except StoreError:
            return False

    def is_undecided(self) -> bool:
        """Whether it is on another host and has given no sign of life yet."""
        return self._is_elsewhere() and heartbeat.is_undecided(self._beat_path)

    def _is_elsewhere(self) -> bool:
        driver = self.read()
        return driver is not None and driver.host_id not in (None, hosts.this_host())

    def cancel(self) -> None:
        """Asks it to save the state of its runs and to end."""
        with suppress(FileExistsError):
            os.close(os.open(self._request_path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))

    def is_cancelled(self) -> bool:
        """Whether it was asked to."""
        return os.path.lexists(self._request_path)

    def read(self) -> Driver | None:
        """What it is; None where it has ended meanwhile, or its file cannot be read."""
        with suppress(StoreError, FileNotFoundError):
            return documents.read(Driver, self.path, "remove it")
        return None

    @contextmanager
    def held(self, driver: Driver) -> Iterator[None]:
        """Shows this process as a driver while this is open.

        Raises:
            StoreError: If the file system has no locks.
        """
        with locks.held(self._lock_path):
            try:
                atomic.replace(self.path, driver.model_dump_json().encode())
                with heartbeat.beating(self._beat_path):
                    yield
            finally:
                self.remove()

    def remove(self) -> None:
        """Removes what is there of it."""
        for path in self.files():
            # The store may have vanished.
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def files(self) -> tuple[Path, ...]:
        """Its files, there or not."""
        return self.path, self._request_path, self._lock_path, self._beat_path


def driver_files(folder: Path) -> list[DriverFile]:
    """The drivers of a store, living or dead, the first to start first."""
    names = {path.stem for path in folder.glob("*") if _NAME.fullmatch(path.stem)}
    return [DriverFile(folder / f"{name}.json") for name in sorted(names)]


def wait_for_signs(folder: Path) -> None:
    """Waits until it is known of every driver whether it lives: a minute where one has died.

    Only those of other hosts are waited for.
    """
    files = driver_files(folder)
    while files := [file for file in files if file.is_undecided()]:
        time.sleep(_LOOK_EVERY_S)


def driving(folder: Path, record: str, sweep: str) -> AbstractContextManager[DriverFile]:
    """Shows this process as one that trains a sweep, while this is open.

    Args:
        folder: The store's ``drivers``.
        record: The ``id`` of the sweep's record.
        sweep: The sweep's name.
    """
    return _shown(folder, record, sweep, "training")


def evaluating(folder: Path) -> AbstractContextManager[DriverFile]:
    """Shows this process as one that evaluates runs on other data, while this is open.

    Args:
        folder: The store's ``drivers``.
    """
    return _shown(folder, "", "", "evaluation")


@contextmanager
def _shown(
    folder: Path, record: str, sweep: str, work: Literal["training", "evaluation"]
) -> Iterator[DriverFile]:
    now = time.time()
    driver = Driver(
        record=record,
        sweep=sweep,
        pid=os.getpid(),
        host=socket.gethostname(),
        started=now,
        host_id=hosts.this_host(),
        work=work,
    )
    file = DriverFile(folder / f"{round(now * 1000):013d}-{secrets.token_hex(4)}.json")
    with ExitStack() as shown:
        with no_new_drivers(folder):
            for dead in driver_files(folder):
                if not dead.lives():
                    dead.remove()
            shown.enter_context(file.held(driver))
        yield file


@contextmanager
def no_new_drivers(folder: Path) -> Iterator[None]:
    """While this is open, no other process becomes a driver: it waits.

    Raises:
        StoreError: If the file system has no locks, or another process has held this for long.
    """
    atomic.make_folder(folder)
    with locks.held(folder / ".drivers.lock", _PATIENCE_S) as alone:
        if not alone:
            raise StoreError(
                f"another process has kept sweeps from starting in {folder.parent} for "
                f"{_PATIENCE_S:.0f} s",
                "end the `ablate gc` that does, and try again",
            )
        yield
