"""The one loop that waits for jobs, whatever executor has them."""

import _thread
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from ablate.errors import Interrupted, stop_signals
from ablate.executors.base import ClusterExecutor, Executor, JobState
from ablate.plan import Cohort

# Takes one line on what jobs wait for, or None once they wait for nothing more.
Tell = Callable[[str | None], None]

# A second one ends the jobs at once. Of other signals several may come for one reason.
_URGENT_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# How long a signal waits until it is passed on.
_POLL_S = 0.2
# How often is asked whether to stop.
_ASK_EVERY_S = 0.5


class _StopRequests:
    """How urgently the process was requested to stop: 0: not at all; 1: save; 2: at once.

    Attributes:
        urgency: As above.
        by_caller: Whether the caller's ``should_stop`` has requested it.
        by_signal: Whether a signal has.
        signum: The first signal; None where there was none.
    """

    def __init__(self) -> None:
        self.urgency = 0
        self.by_caller = False
        self.by_signal = False
        self.signum: int | None = None

    def receive(self, signum: int, frame: FrameType | None) -> None:
        """Fits ``signal.signal``."""
        self.signum = self.signum or signum
        if self.urgency == 0:
            self.urgency, self.by_signal = 1, not self.by_caller
        elif signum in _URGENT_SIGNALS:
            self.urgency, self.by_signal = 2, True

    def request(self, *, interrupt: bool) -> None:
        """Requests a stop for the caller.

        Args:
            interrupt: Whether work in the main thread hears of it, as of SIGTERM.
        """
        if self.urgency:
            return
        self.by_caller = True
        if interrupt:
            # Calls the handler that Python has for the signal, without sending it: that of the work
            # in this process, or else ``receive``.
            _thread.interrupt_main(signal.SIGTERM)
        else:
            self.urgency = 1


def wait_for_all(
    executor: Executor,
    cohorts: Sequence[Cohort],
    should_stop: Callable[[], bool] = lambda: False,
    tell: Tell = lambda notice: None,
) -> tuple[JobState, ...]:
    """Submits all cohorts and waits until their jobs have ended.

    A stop signal cancels the jobs, which save their state; a further SIGINT or SIGTERM ends them
    at once, and their runs continue from the last epoch's checkpoint.

    Args:
        executor: Takes them.
        cohorts: The runs.
        should_stop: Asked from a thread, and before a job takes the place of one that has ended;
            once it says yes, the jobs are cancelled, and this returns when they have ended. An
            executor without workers of its own hears it within a job in the main thread only.
        tell: Is told what the jobs of a cluster wait for, whenever that changes.

    Returns:
        How each job has ended.

    Raises:
        Interrupted: If a job was cancelled by anything else; the state of its runs is saved.
    """
    with _stop_requests() as stop:
        jobs = [executor.submit(cohort) for cohort in cohorts]
        passed_on, ended = 0, 0
        told: str | None = None
        with _asking(stop, should_stop):
            while (now := sum(job.state().has_ended for job in jobs)) < len(jobs):
                if now > ended and should_stop():
                    stop.request(interrupt=False)
                ended = now
                if passed_on < stop.urgency:
                    passed_on += 1
                    for job in jobs:
                        job.cancel()
                executor.wait(_POLL_S)
                notice = executor.notice() if isinstance(executor, ClusterExecutor) else None
                if notice != told:
                    told = notice
                    tell(told)
    states = tuple(job.state() for job in jobs)
    if JobState.CANCELLED in states and (stop.by_signal or not stop.by_caller):
        raise Interrupted("the state of every run is saved", stop.signum)
    return states


def submit_and_leave(executor: Executor, cohorts: Sequence[Cohort]) -> None:
    """Submits all cohorts and leaves their jobs to a cluster.

    Args:
        executor: Takes them; one whose jobs go on (``ClusterExecutor.jobs_go_on``).
        cohorts: The runs.

    Raises:
        BadInput: If a job is refused, or can never start; the executor still has those before.
        Interrupted: If a stop was requested meanwhile; the same.
    """
    with _stop_requests() as stop:
        for cohort in cohorts:
            executor.submit(cohort)
            if stop.urgency:
                raise Interrupted("nothing was left in the queue", stop.signum)
    if isinstance(executor, ClusterExecutor):
        executor.detach()


@contextmanager
def _asking(stop: _StopRequests, should_stop: Callable[[], bool]) -> Iterator[None]:
    """While this is open, a thread asks whether to stop, and requests it once."""
    is_over = threading.Event()
    is_main = threading.current_thread() is threading.main_thread()

    def ask() -> None:
        while not is_over.wait(_ASK_EVERY_S):
            if should_stop():
                stop.request(interrupt=is_main)
                return

    thread = threading.Thread(target=ask, name="ablate-stop", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


@contextmanager
def _stop_requests() -> Iterator[_StopRequests]:
    """While this is open, signals are counted instead of ending the process.

    Only a process's main thread receives signals; in any other no handler is installed.
    """
    stop = _StopRequests()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    numbers = stop_signals()
    before = [signal.signal(number, stop.receive) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
