"""Trains in worker processes on this machine, one for each device, or as many as fit there."""

import math
import os
import signal
import time
from collections import deque
from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ablate.errors import StoreError
from ablate.executors.base import Choose, Job, JobState, fail_first_unfinished
from ablate.executors.fork_server import start_process
from ablate.executors.isolation import UNKNOWN_EXIT_CODE, how_it_ended
from ablate.executors.local_worker import Task, serve
from ablate.executors.memory_kills import MemoryKills
from ablate.executors.places import CohortsPerDevice, MemoryReport, Occupant, Places
from ablate.plan import Cohort
from ablate.runs import RunFolder
from ablate.spec import CnnVariant, Frozen

_LAST_LINES = 20
# How long a process may take to let go of its files.
_PATIENCE_S = 5.0
_POLL_S = 0.02


class Settings(Frozen):
    """Settings of the local executor.

    Attributes:
        threads_per_worker: How many threads a worker computes with on the processor; None: the
            processors are shared by the workers that compute on them. SAM-nano uses one.
        cohorts_per_device: How many cohorts are on a device at once, as far as its memory allows by
            what the first step of a cohort has taken; ``auto``: as many as its memory allows, and
            one on a CPU.
    """

    threads_per_worker: int | None = Field(default=None, ge=1)
    cohorts_per_device: Annotated[int, Field(ge=1)] | Literal["auto"] = 1


@dataclass
class _Worker:
    """A process, this end of the pipe to it, and what it works on."""

    place: Occupant
    process: BaseProcess
    pipe: Connection
    log: Path
    job: "_LocalJob | None" = None
    is_leaving: bool = False

    @property
    def device(self) -> str:
        """Where it computes."""
        return self.place.device

    def send(self, task: Task | None) -> None:
        """Sends it something to work on, or None: it may end. A dead one is noticed by its pipe."""
        self.is_leaving |= task is None
        with suppress(ConnectionError):
            self.pipe.send(task)

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
        is_alone: Whether it needs a device for itself, since memory was short beside others.
        company: How many cohorts at most this machine has worked on since it began, itself too.
        crowd: As ``company``, when Linux had ended its worker since memory was short; it is tried
            again as the only one on this machine. 0: that has not happened.
    """

    folders: tuple[Path, ...]
    progress: JobState = JobState.QUEUED
    worker: _Worker | None = field(default=None, repr=False)
    stops: int = 0
    has_failed: bool = False
    is_alone: bool = False
    company: int = 0
    crowd: int = 0

    @cached_property
    def kind(self) -> Hashable:
        """What cohorts have in common that need about as much memory; None: it cannot be told."""
        try:
            spec = RunFolder(self.folders[0]).spec()
        except (StoreError, OSError):
            return None
        variant = spec.variant
        network = variant.architecture if isinstance(variant, CnnVariant) else None
        return variant.system, network, spec.context.id

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
    """Worker processes for each device; each takes the next cohort when it has ended one.

    A process serves for many cohorts, since starting one can take seconds. If a worker
    dies, the first unfinished run of its cohort fails, and the runs after it go on in another.

    A device has one worker each time that it is named, and more where ``cohorts_per_device`` and
    its memory allow it (``ablate.executors.places``). A cohort that runs out of memory beside
    others saves its state and is tried again as the only one on a device. One whose worker Linux
    ends because the machine's memory is short beside others is tried again as the only one there;
    if that does, one cohort less is worked on at once from then on.

    Args:
        settings: How workers compute.
        work: The work's import path.
        devices: For example ``["cuda:0", "cuda:1"]``; the same name twice: two workers there.
        logs: Folder for what workers print.
    """

    settings_model: ClassVar[type[Frozen]] = Settings

    def __init__(
        self, settings: Settings, *, work: str, devices: Sequence[str], logs: Path
    ) -> None:
        """Starts nothing."""
        self._work = work
        self._logs = logs
        self._queue: deque[_LocalJob] = deque()
        self._places = Places(devices, settings.cohorts_per_device)
        self._workers: list[_Worker] = []
        self._memory_kills = MemoryKills()
        self._most_at_once: float = math.inf
        self._threads = settings.threads_per_worker or _share_of_processors(
            devices, settings.cohorts_per_device
        )

    @classmethod
    def devices(cls, settings: Settings, named: Sequence[str], choose: Choose) -> Sequence[str]:
        """This machine's."""
        return choose(named)

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
        """Gives each idle worker a job, and starts workers where there is room for the others.

        The first job of the queue waits for a place of its own, so that none waits for ever.
        """
        self._queue = deque(job for job in self._queue if not job.progress.has_ended)
        for worker in self._workers:
            if worker.job is None and not worker.is_leaving:
                is_next = self._queue and self._is_allowed(worker.device, worker.place)
                self._give(worker, self._queue.popleft() if is_next else None)
        while self._queue:
            device = next(filter(self._is_allowed, self._places.devices), None)
            if device is None:
                return
            self._give(self._start(device), self._queue.popleft())

    def _is_allowed(self, device: str, worker: Occupant | None = None) -> bool:
        """Whether the first job of the queue may start on a device."""
        job = self._queue[0]
        others = [each for each in self._workers if each.place is not worker]
        at_work = [each.job for each in others if each.job is not None]
        # A process that only waits holds memory as well.
        if (job.crowd and others) or any(each.crowd for each in at_work):
            return False
        if len(at_work) >= self._most_at_once:
            return False
        kind = job.kind if self._places.are_shared(device) else None
        return self._places.allow(device, kind, is_alone=job.is_alone, worker=worker)

    def _give(self, worker: _Worker, job: _LocalJob | None) -> None:
        """Gives a worker a job; without one it ends, and its memory is free."""
        worker.job = job
        if job is None:
            worker.send(None)
            return
        job.worker, job.progress = worker, JobState.RUNNING
        at_work = [each.job for each in self._workers if each.job is not None]
        job.company = 0
        for each in at_work:
            each.company = max(each.company, len(at_work))
        is_shared = self._places.are_shared(worker.device) and not job.is_alone
        self._places.begin(worker.place, job.kind if is_shared else None, is_alone=job.is_alone)
        has_company = is_shared and self._places.has_company(worker.place)
        worker.send(Task(job.folders, is_shared, has_company))

    def _start(self, device: str) -> _Worker:
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"worker-{device.replace(':', '-')}-{time.time_ns()}.log"
        process, pipe = start_process(
            serve, self._work, device, self._threads, log, name=f"ablate-{device}"
        )
        worker = _Worker(self._places.enter(device), process, pipe, log)
        self._workers.append(worker)
        return worker

    def _listen(self, timeout_s: float | None) -> None:
        """Waits until a worker has ended its cohort, or itself."""
        ready = wait([worker.pipe for worker in self._workers], timeout_s)
        for worker in [each for each in self._workers if each.pipe in ready]:
            try:
                message: JobState | MemoryReport = worker.pipe.recv()
            except (EOFError, ConnectionError):
                self._remove(worker)
                continue
            if isinstance(message, MemoryReport):
                self._places.report(worker.place, message)
            else:
                self._end_job(worker, message)

    def _end_job(self, worker: _Worker, state: JobState) -> None:
        """A worker has ended its cohort, or leaves it to be tried again."""
        self._places.end(worker.place)
        job, worker.job = worker.job, None
        if job is not None and job.crowd and not job.stops:
            # Alone it had enough.
            self._most_at_once = min(self._most_at_once, max(1, job.crowd - 1))
        if job is not None and state is JobState.QUEUED and not job.stops:
            job.is_alone = True
            self._put_back(job)
        elif job is not None:
            job.end(JobState.CANCELLED if state is JobState.QUEUED else state)
        # After a stop it takes no other cohort, and after a lack of memory all of it is given back.
        if worker.is_leaving or state in (JobState.CANCELLED, JobState.QUEUED):
            worker.send(None)

    def _put_back(self, job: _LocalJob) -> None:
        """Makes a job the next one."""
        job.worker, job.progress = None, JobState.QUEUED
        self._queue.appendleft(job)

    def _remove(self, worker: _Worker) -> None:
        """A worker's process has ended; where it was working, its run is blamed."""
        worker.pipe.close()
        _join(worker.process)
        self._workers.remove(worker)
        self._places.leave(worker.place)
        job = worker.job
        if job is None:
            return
        if job.stops:
            job.end(JobState.CANCELLED)
            return
        code = worker.process.exitcode
        is_for_memory = code == -signal.SIGKILL and self._memory_kills.account_for_one()
        if is_for_memory and job.company > 1:
            job.crowd, job.is_alone = job.company, True
            self._put_back(job)
            return
        job.has_failed = True
        if job.crowd:
            job.crowd, job.is_alone = 0, False
        how = how_it_ended(code, is_for_memory=is_for_memory)
        job.folders = fail_first_unfinished(
            job.folders, f"the worker on {worker.device} {how}", _tail(worker.log)
        )
        if job.folders:
            self._put_back(job)
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


def _share_of_processors(devices: Sequence[str], cohorts_per_device: CohortsPerDevice) -> int:
    """Threads for one worker: the processors, shared by the workers that compute on them."""
    on_processor = sum(device.partition(":")[0] == "cpu" for device in devices)
    on_processor *= 1 if cohorts_per_device == "auto" else cohorts_per_device
    return max(1, len(os.sched_getaffinity(0)) // max(1, on_processor))


def _tail(log: Path) -> str:
    """The last lines that a worker printed."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-_LAST_LINES:])
