"""Trains in worker processes on this machine, one for each device."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType

from ablate.errors import Interrupted
from ablate.executors.base import Work
from ablate.plan import Cohort
from ablate.runs import Failure, RunFolder, State

_INTERRUPTED = 75
_LAST_LINES = 20


@dataclass
class _Worker:
    """A process, this end of the pipe to it, and what it works on."""

    device: str
    process: BaseProcess
    pipe: Connection
    cohort: Cohort
    log: Path

    def give(self, cohort: Cohort) -> None:
        """Sends it a cohort; that it has died meanwhile is told by its sentinel."""
        self.cohort = cohort
        with suppress(ConnectionError):
            self.pipe.send(cohort.folders)

    def waits(self) -> bool:
        """Whether it has ended its cohort and waits for the next; called when there is news."""
        try:
            return self.process.is_alive() and self.pipe.poll() and self.pipe.recv() is None
        except (EOFError, ConnectionError):
            return False


class LocalExecutor:
    """One worker process for each device; each takes the next cohort when it has ended one.

    A process serves for many cohorts, since starting one can take seconds.

    A second SIGINT or SIGTERM ends the workers at once; their runs continue from the last
    epoch's checkpoint.

    Args:
        devices: For example ``["cuda:0", "cuda:1"]``; the same name twice: two workers there.
        logs: Folder for what workers print.
        context: Makes the processes; None: each from nothing.
    """

    def __init__(
        self,
        devices: Sequence[str],
        logs: Path,
        context: SpawnContext | ForkServerContext | None = None,
    ) -> None:
        """Starts nothing."""
        self._devices = list(devices)
        self._logs = logs
        self._context = context or multiprocessing.get_context("spawn")
        self._stops = 0

    def run(self, cohorts: Sequence[Cohort], work: Work) -> None:
        """Works on all cohorts.

        Raises:
            Interrupted: If a stop was asked for; the state is saved.
        """
        waiting, idle = deque(cohorts), deque(self._devices)
        workers: list[_Worker] = []
        with self._signals(lambda: [worker.process for worker in workers]):
            while workers or (waiting and not self._stops):
                while waiting and idle and not self._stops:
                    workers.append(self._start(waiting.popleft(), idle.popleft(), work))
                for worker in _heard(workers):
                    if worker.waits() and waiting and not self._stops:
                        worker.give(waiting.popleft())
                        continue
                    workers.remove(worker)
                    idle.append(worker.device)
                    rest = self._end(worker)
                    if rest is not None:
                        waiting.appendleft(rest)
        if self._stops:
            raise Interrupted("every run's state is saved")

    def _start(self, cohort: Cohort, device: str, work: Work) -> _Worker:
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"worker-{device.replace(':', '-')}-{time.time_ns()}.log"
        pipe, its_end = self._context.Pipe()
        process = self._context.Process(
            target=_child,
            args=(work, its_end, device, self._threads(), log),
            name=f"ablate-{device}",
        )
        process.start()
        its_end.close()
        worker = _Worker(device, process, pipe, cohort, log)
        worker.give(cohort)
        if self._stops:
            # The signal came while the process was being made, and did not reach it.
            process.terminate()
        return worker

    def _threads(self) -> int:
        """Threads for one worker: the processors, shared by the workers that compute on them."""
        on_processor = sum(device.partition(":")[0] == "cpu" for device in self._devices)
        return max(1, len(os.sched_getaffinity(0)) // max(1, on_processor))

    def _end(self, worker: _Worker) -> Cohort | None:
        """Lets a worker that waits end, and looks how it ended.

        Returns:
            The rest of its cohort, where it died of one run.
        """
        worker.pipe.close()
        worker.process.join()
        code = worker.process.exitcode
        if code in (0, _INTERRUPTED) or self._stops:
            return None
        for position, path in enumerate(worker.cohort.folders):
            folder = RunFolder(path)
            if folder.state() in (State.NEW, State.INTERRUPTED):
                folder.write_failure(
                    Failure(
                        kind="died",
                        message=f"the worker on {worker.device} {_how(code)}",
                        detail=_tail(worker.log),
                        time=time.time(),
                    )
                )
                rest = worker.cohort.folders[position + 1 :]
                return Cohort(rest) if rest else None
        return None

    @contextmanager
    def _signals(self, processes: Callable[[], list[BaseProcess]]) -> Iterator[None]:
        """While this is open, SIGINT and SIGTERM are passed on to the workers."""

        def pass_on(signum: int, frame: FrameType | None) -> None:
            self._stops += 1
            for process in processes():
                if self._stops == 1:
                    process.terminate()
                else:
                    process.kill()

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, pass_on) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)


def _heard(workers: Sequence[_Worker]) -> list[_Worker]:
    """Waits for news, and says of whom: they have ended their cohort, or themselves."""
    news = set(wait([end for each in workers for end in (each.process.sentinel, each.pipe)]))
    return [each for each in workers if news & {each.process.sentinel, each.pipe}]


def _child(work: Work, pipe: Connection, device: str, threads: int, log: Path) -> None:
    """The worker process: works on what comes through the pipe until that is closed."""
    # Ctrl-C reaches the whole terminal group; the parent passes it on, once.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    with log.open("a") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    threading.Thread(target=_follow_parent, daemon=True).start()
    try:
        while True:
            try:
                folders = pipe.recv()
            except EOFError:
                return
            work(folders, device)
            pipe.send(None)
    except Interrupted:
        sys.exit(_INTERRUPTED)


def _follow_parent() -> None:
    """Asks this process to stop once its parent is gone: nobody would look after it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _how(code: int | None) -> str:
    """An exit code in words."""
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        return f"was ended by {name}{hint}"
    return f"ended with exit code {code}"


def _tail(log: Path) -> str:
    """The last lines that a worker printed."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-_LAST_LINES:])
