"""The side of a worker process of the local executor: works on what comes through its pipe."""

import os
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path

from ablate.errors import Interrupted, OutOfSharedMemory
from ablate.executors.base import JobState, Work, import_object, write_failures
from ablate.executors.isolation import hear_only_sigterm
from ablate.executors.places import MemoryReport
from ablate.runs.attempts import LOG_VARIABLE


@dataclass(frozen=True)
class Task:
    """What a worker is told to do.

    Attributes:
        folders: The runs.
        is_shared: Whether other cohorts may be on its device, now or later.
        has_company: Whether there are others now.
    """

    folders: tuple[Path, ...]
    is_shared: bool = False
    has_company: bool = False


def serve(pipe: Connection, work: str, device: str, threads: int, log: Path) -> None:
    """The worker process: works on what comes through the pipe until that says None."""
    hear_only_sigterm()
    os.environ |= {"OMP_NUM_THREADS": str(threads), LOG_VARIABLE: log.name}
    _print_to(log)
    threading.Thread(target=_follow_parent, daemon=True).start()
    with suppress(EOFError, ConnectionError):
        while (task := pipe.recv()) is not None:
            pipe.send(_attempt(work, task, device, pipe))


def _print_to(log: Path) -> None:
    """What this process prints goes to a file; where none can be written, nowhere."""
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    except OSError:
        descriptor = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(descriptor, stream.fileno())
    os.close(descriptor)


@dataclass
class _SharedDevice:
    """What the work is told of the others on its device, and tells them."""

    pipe: Connection
    has_company: bool

    def report_memory(self, peak_bytes: int, free_bytes: int) -> None:
        """Others may come from now on."""
        self.has_company = True
        # A driver that is gone is noticed elsewhere.
        with suppress(ConnectionError):
            self.pipe.send(MemoryReport(peak_bytes, free_bytes))


def _attempt(work: str, task: Task, device: str, pipe: Connection) -> JobState:
    """Works on one cohort, and says how that ended; QUEUED: it is to be tried again, alone."""
    folders = task.folders
    try:
        function: Work = import_object(work)
        if task.is_shared:
            function(folders, device, _SharedDevice(pipe, task.has_company))
        else:
            function(folders, device)
    except OutOfSharedMemory:
        return JobState.QUEUED
    except Interrupted:
        return JobState.CANCELLED
    except Exception as error:
        write_failures(folders, error)
        return JobState.FAILED
    return JobState.DONE


def _follow_parent() -> None:
    """Requests a stop of this process once the driver is gone: its work is not waited for."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
