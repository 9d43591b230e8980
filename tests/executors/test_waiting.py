"""The waiting loop: submits all, waits, and passes signals on."""

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ablate.errors import Interrupted
from ablate.executors import Job, JobState
from ablate.executors.waiting import wait_for_all
from ablate.plan import Cohort
from ablate.spec import Frozen

COHORTS = [Cohort((Path("a"),)), Cohort((Path("b"),))]


@dataclass
class FakeJob:
    progress: JobState = JobState.RUNNING
    cancelled: int = 0

    def state(self) -> JobState:
        return self.progress

    def cancel(self) -> None:
        self.cancelled += 1


class FakeExecutor:
    """Its jobs end after some waits; before that, each wait calls the next of ``steps``."""

    settings_model = Frozen

    def __init__(self, *steps: Callable[[], None]) -> None:
        self.jobs: list[FakeJob] = []
        self._steps = list(steps)

    def submit(self, cohort: Cohort) -> Job:
        self.jobs.append(FakeJob())
        return self.jobs[-1]

    def wait(self, timeout_s: float) -> None:
        if self._steps:
            self._steps.pop(0)()
            return
        for job in self.jobs:
            job.progress = JobState.CANCELLED if job.cancelled else JobState.DONE

    def close(self) -> None:
        pass


def send(number: signal.Signals) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def nothing() -> None:
    pass


ALL = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2]


def test_all_jobs_are_submitted_and_waited_for() -> None:
    executor = FakeExecutor(nothing, nothing)
    wait_for_all(executor, COHORTS)
    assert [job.progress for job in executor.jobs] == [JobState.DONE] * 2
    assert [job.cancelled for job in executor.jobs] == [0, 0]


@pytest.mark.parametrize("number", ALL)
def test_a_signal_cancels_every_job_once(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in ALL]
    executor = FakeExecutor(send(number), nothing, nothing)
    with pytest.raises(Interrupted):
        wait_for_all(executor, COHORTS)
    assert [job.cancelled for job in executor.jobs] == [1, 1]
    assert [signal.getsignal(each) for each in ALL] == before


@pytest.mark.parametrize("first", ALL)
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_ctrl_c_or_sigterm_ends_the_jobs_at_once(
    first: signal.Signals, second: signal.Signals
) -> None:
    executor = FakeExecutor(send(first), send(second), nothing)
    with pytest.raises(Interrupted):
        wait_for_all(executor, COHORTS)
    assert [job.cancelled for job in executor.jobs] == [2, 2]


@pytest.mark.parametrize("second", [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_further_warnings_change_nothing(second: signal.Signals) -> None:
    executor = FakeExecutor(send(second), send(second), nothing)
    with pytest.raises(Interrupted):
        wait_for_all(executor, COHORTS)
    assert [job.cancelled for job in executor.jobs] == [1, 1]


def test_two_signals_at_the_same_time_end_the_jobs_at_once() -> None:
    def both() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)

    executor = FakeExecutor(both, nothing, nothing)
    with pytest.raises(Interrupted):
        wait_for_all(executor, COHORTS)
    assert [job.cancelled for job in executor.jobs] == [2, 2]


def test_outside_the_main_thread_no_handler_is_installed() -> None:
    handlers = []
    executor = FakeExecutor(lambda: handlers.append(signal.getsignal(signal.SIGTERM)))
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=wait_for_all, args=(executor, COHORTS))
    thread.start()
    thread.join()
    assert handlers == [before]
    assert [job.progress for job in executor.jobs] == [JobState.DONE] * 2


def test_a_caller_stops_the_jobs_and_gets_no_exception() -> None:
    stopped = threading.Event()
    executor = FakeExecutor(stopped.set, *[lambda: time.sleep(0.01)] * 200)
    wait_for_all(executor, COHORTS, stopped.is_set)
    assert [job.progress for job in executor.jobs] == [JobState.CANCELLED] * 2
    assert [job.cancelled for job in executor.jobs] == [1, 1]


def test_a_caller_is_asked_before_the_next_job_starts() -> None:
    def end_the_first() -> None:
        executor.jobs[0].progress = JobState.DONE

    executor = FakeExecutor(end_the_first)
    wait_for_all(executor, COHORTS, lambda: executor.jobs[0].progress is JobState.DONE)
    assert [job.cancelled for job in executor.jobs] == [1, 1]
    assert executor.jobs[1].progress is JobState.CANCELLED


def test_a_signal_during_a_callers_stop_is_an_interruption() -> None:
    stopped = threading.Event()
    executor = FakeExecutor(stopped.set, *[lambda: time.sleep(0.01)] * 200, send(signal.SIGTERM))
    with pytest.raises(Interrupted):
        wait_for_all(executor, COHORTS, stopped.is_set)
    assert [job.cancelled for job in executor.jobs] == [2, 2]


def test_outside_the_main_thread_a_caller_stops_the_jobs() -> None:
    executor = FakeExecutor(*[lambda: time.sleep(0.01)] * 200)
    thread = threading.Thread(target=wait_for_all, args=(executor, COHORTS, lambda: True))
    thread.start()
    thread.join()
    assert [job.progress for job in executor.jobs] == [JobState.CANCELLED] * 2
