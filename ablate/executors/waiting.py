"""The one loop that waits for jobs, whatever executor has them."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from ablate.errors import Interrupted, stop_signals
from ablate.executors.base import Executor, JobState
from ablate.plan import Cohort

# A second one ends the jobs at once. Of other signals several may come for one reason.
_URGENT_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# How long a signal waits until it is passed on.
_POLL_S = 0.2


class _StopRequests:
    """How urgently the process was requested to stop: 0: not at all; 1: a signal; 2: at once."""

    def __init__(self) -> None:
        self.urgency = 0

    def receive(self, signum: int, frame: FrameType | None) -> None:
        """Fits ``signal.signal``."""
        if self.urgency == 0:
            self.urgency = 1
        elif signum in _URGENT_SIGNALS:
            self.urgency = 2


def wait_for_all(executor: Executor, cohorts: Sequence[Cohort]) -> None:
    """Submits all cohorts and waits until their jobs have ended.

    A stop signal cancels the jobs, which save their state; a further SIGINT or SIGTERM ends them
    at once, and their runs continue from the last epoch's checkpoint.

    Raises:
        Interrupted: If a job was cancelled; the state of its runs is saved.
    """
    with _stop_requests() as stop:
        jobs = [executor.submit(cohort) for cohort in cohorts]
        passed_on = 0
        while not all(job.state().has_ended for job in jobs):
            if passed_on < stop.urgency:
                passed_on += 1
                for job in jobs:
                    job.cancel()
            executor.wait(_POLL_S)
    if any(job.state() is JobState.CANCELLED for job in jobs):
        raise Interrupted("the state of every run is saved")


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
