"""Trains in worker processes on this machine, one for each device."""

import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from ablate.errors import Interrupted
from ablate.executors.base import Job, JobState, Work, import_object, write_failures
from ablate.executors.fork_server import start_process
from ablate.executors.isolation import UNKNOWN_EXIT_CODE, hear_only_sigterm, how_it_ended
from ablate.plan import Cohort
from ablate.runs import Failure, RunFolder, State
from ablate.spec import Frozen

_LAST_LINES = 20
# How long a process may take to let go of its files.
_PATIENCE_S = 5.0
_POLL_S = 0.02


class Settings(Frozen):
    """Settings of the local executor.

    Attributes:
        threads_per_worker: How many threads a worker computes with on the processor; None: the
            processors are shared by the workers that compute on them. SAM-nano uses one.
    """

    threads_per_worker: int | None = Field(default=None, ge=1)


@dataclass
class _Worker:
    """A process, this end of the pipe to it, and what it works on."""

    device: str
    process: BaseProcess
    pipe: Connection
    log: Path
    job: "_LocalJob | None" = None
    is_leaving: bool = False

    def send(self, folders: Sequence[Path] | None) -> None:
        """Sends it folders to work on, or None: it may end. A dead one is noticed by its pipe."""
        self.is_leaving |= folders is None
        with suppress(ConnectionError):
            self.pipe.send(folders)

    def send_signal(self, number: signal.Signals) -> None:
        """Sends a signal, after which the worker gets no other cohort.

        By the process's id: multiprocessing takes a process for dead whose server has died.
        """
        self.is_leaving = True
        with suppress(ProcessLookupError):
            os.kill(self.process.pid or 0, number)


@dataclass
class _LocalJob:
    """A cohort, and who works on it.

    Attributes:
        folders: The runs that are left: all, or those after the one that a worker has died of.
        stops: How often a stop was requested.
        has_failed: Whether a worker has died of one of its runs.
    """

    folders: tuple[Path, ...]
    progress: JobState = JobState.QUEUED
    worker: _Worker | None = field(default=None, repr=False)
    stops: int = 0
    has_failed: bool = False

    def state(self) -> JobState:
        """How far it is."""
        return self.progress

    def cancel(self) -> None:
        """Requests a stop; called again, ends the worker."""
        if self.progress.has_ended:
            return
        self.stops += 1
        if self.worker is None:
            self.progress = JobState.CANCELLED
        else:
            self.worker.send_signal(signal.SIGTERM if self.stops == 1 else signal.SIGKILL)

    def end(self, state: JobState) -> None:
        """The worker has nothing more to do for it."""
        self.worker = None
        self.progress = JobState.FAILED if self.has_failed and state is JobState.DONE else state


class LocalExecutor:
    """One worker process for each device; each takes the next cohort when it has ended one.

    A process serves for many cohorts, since starting one can take seconds. If a worker
    dies, the first unfinished run of its cohort fails, and the runs after it go on in another.

    Args:
        settings: How workers compute.
        work: The work's import path.
        devices: For example ``["cuda:0", "cuda:1"]``; the same name twice: two workers there.
        logs: Folder for what workers print.
    """

    settings_model: ClassVar[type[Frozen]] = Settings
    most_workers: ClassVar[int | None] = None

    def __init__(
        self, settings: Settings, *, work: str, devices: Sequence[str], logs: Path
    ) -> None:
        """Starts nothing."""
        self._work = work
        self._logs = logs
        self._queue: deque[_LocalJob] = deque()
        self._free_devices = deque(devices)
        self._workers: list[_Worker] = []
        self._threads = settings.threads_per_worker or _share_of_processors(devices)

    def submit(self, cohort: Cohort) -> Job:
        """Puts a cohort into the queue."""
        job = _LocalJob(cohort.folders)
        self._queue.append(job)
        return job

    def wait(self, timeout_s: float) -> None:
        """Gives queued jobs to workers; blocks until one of them has ended its cohort or itself."""
        self._assign_jobs()
        self._listen(timeout_s)

    def close(self) -> None:
        """Cancels what has not ended, and waits until all workers have ended."""
        for job in self._queue:
            job.cancel()
        self._queue.clear()
        for worker in self._workers:
            if worker.job is None:
                worker.send(None)
            elif not worker.job.stops:
                worker.job.cancel()
        while self._workers:
            self._listen(None)

    def _assign_jobs(self) -> None:
        """Gives each idle worker a job, and starts workers on free devices for the others."""
        self._queue = deque(job for job in self._queue if not job.progress.has_ended)
        for worker in self._workers:
            if worker.job is None and not worker.is_leaving:
                self._give(worker, self._queue.popleft() if self._queue else None)
        while self._queue and self._free_devices:
            self._give(self._start(self._free_devices.popleft()), self._queue.popleft())

    def _give(self, worker: _Worker, job: _LocalJob | None) -> None:
        """Gives a worker a job; without one it ends, and its memory is free."""
        if job is not None:
            job.worker, job.progress = worker, JobState.RUNNING
        worker.job = job
        worker.send(job.folders if job else None)

    def _start(self, device: str) -> _Worker:
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"worker-{device.replace(':', '-')}-{time.time_ns()}.log"
        process, pipe = start_process(
            _serve, self._work, device, self._threads, log, name=f"ablate-{device}"
        )
        worker = _Worker(device, process, pipe, log)
        self._workers.append(worker)
        return worker

    def _listen(self, timeout_s: float | None) -> None:
        """Waits until a worker has ended its cohort, or itself."""
        ready = wait([worker.pipe for worker in self._workers], timeout_s)
        for worker in [each for each in self._workers if each.pipe in ready]:
            try:
                state: JobState = worker.pipe.recv()
            except (EOFError, ConnectionError):
                self._remove(worker)
                continue
            if worker.job is not None:
                worker.job.end(state)
            worker.job = None
            # After a stop it takes no other cohort.
            if worker.is_leaving or state is JobState.CANCELLED:
                worker.send(None)

    def _remove(self, worker: _Worker) -> None:
        """A worker's process has ended; where it was working, its run is blamed."""
        worker.pipe.close()
        _join(worker.process)
        self._workers.remove(worker)
        self._free_devices.append(worker.device)
        job = worker.job
        if job is None:
            return
        if job.stops:
            job.end(JobState.CANCELLED)
            return
        job.has_failed = True
        job.folders = _after_the_blamed(worker, job.folders)
        if job.folders:
            job.worker, job.progress = None, JobState.QUEUED
            self._queue.appendleft(job)
        else:
            job.end(JobState.FAILED)


def _join(process: BaseProcess) -> None:
    """Waits until a process has ended whose pipe has ended, and holds no claim any more."""
    process.join()
    deadline = time.monotonic() + _PATIENCE_S
    with suppress(ProcessLookupError):
        while process.exitcode == UNKNOWN_EXIT_CODE and time.monotonic() < deadline:
            os.kill(process.pid or 0, 0)
            time.sleep(_POLL_S)


def _share_of_processors(devices: Sequence[str]) -> int:
    """Threads for one worker: the processors, shared by the workers that compute on them."""
    on_processor = sum(device.partition(":")[0] == "cpu" for device in devices)
    return max(1, len(os.sched_getaffinity(0)) // max(1, on_processor))


def _after_the_blamed(worker: _Worker, folders: tuple[Path, ...]) -> tuple[Path, ...]:
    """Fails the first unfinished run of a worker that died.

    Returns:
        The runs after it.
    """
    how = how_it_ended(worker.process.exitcode)
    for position, path in enumerate(folders):
        folder = RunFolder(path)
        if folder.state() in (State.NEW, State.INTERRUPTED):
            folder.write_failure(
                Failure(
                    kind="died",
                    message=f"the worker on {worker.device} {how}",
                    detail=_tail(worker.log),
                    time=time.time(),
                )
            )
            return folders[position + 1 :]
    return ()


def _tail(log: Path) -> str:
    """The last lines that a worker printed."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-_LAST_LINES:])


# The worker's side -----------------------------------------------------------------------------


def _serve(pipe: Connection, work: str, device: str, threads: int, log: Path) -> None:
    """The worker process: works on what comes through the pipe until that says None."""
    hear_only_sigterm()
    os.environ["OMP_NUM_THREADS"] = str(threads)
    _print_to(log)
    threading.Thread(target=_follow_parent, daemon=True).start()
    with suppress(EOFError, ConnectionError):
        while (folders := pipe.recv()) is not None:
            pipe.send(_attempt(work, folders, device))


def _print_to(log: Path) -> None:
    """What this process prints goes to a file; where none can be written, nowhere."""
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    except OSError:
        descriptor = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(descriptor, stream.fileno())
    os.close(descriptor)


def _attempt(work: str, folders: Sequence[Path], device: str) -> JobState:
    """Works on one cohort, and says how that ended."""
    try:
        function: Work = import_object(work)
        function(folders, device)
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
