"""The local executor keeps the promises, with one and with two workers."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from ablate.errors import BadInput, Interrupted
from ablate.executors import executor_settings, run_cohorts
from ablate.plan import Cohort, PlannedRun
from ablate.runs import RunFolder, State
from executors.conformance import (
    ExecutorConformance,
    ProcessConformance,
    ended,
    pairs,
    states,
    wait_until,
)
from executors.servers import kill_server, light_server
from executors.works import until


def drive(folders: tuple[Path, ...], logs: Path) -> None:
    """A driver, for a process of its own."""
    cohorts = [Cohort(folders)]
    work = "executors.works:wait_at_the_second"
    with light_server():
        run_cohorts("local", cohorts, devices=["cpu"], logs=logs, work=work)


def processes(runs: list[PlannedRun]) -> set[str]:
    """The processes that made the results."""
    results = [run.folder.result() for run in runs]
    return {result.machine.device_name for result in results if result is not None}


@pytest.fixture(autouse=True, scope="module")
def _light_server() -> Iterator[None]:
    with light_server():
        yield


class TestLocal(ProcessConformance):
    path = "ablate.executors.local:LocalExecutor"

    def test_a_worker_stops_when_its_driver_is_killed(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        folders = tuple(run.folder.path for run in runs)
        context = multiprocessing.get_context("spawn")
        driver = context.Process(target=drive, args=(folders, tmp_path / "logs"))
        driver.start()
        until((folders[1] / "waiting").exists)
        os.kill(driver.pid or 0, signal.SIGKILL)
        driver.join()
        until(lambda: runs[1].folder.state() is not State.NEW)
        assert runs[1].folder.state() is State.INTERRUPTED

    def test_one_process_serves_for_many_cohorts(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        self.run(tmp_path, pairs(runs), "finish_all")
        assert len(processes(runs)) == 1
        assert str(os.getpid()) not in processes(runs)

    def test_another_process_goes_on_after_a_death(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        self.run(tmp_path, pairs(runs), "die_at_the_second_and_fourth")
        assert len(processes(runs)) == 3

    def test_a_failure_says_how_the_worker_died_and_what_it_printed(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        self.run(tmp_path, pairs(runs), "die_at_the_second_and_fourth")
        failure = runs[1].folder.failure()
        assert failure is not None
        assert failure.message == "the worker on cpu was ended by SIGKILL (out of memory?)"
        assert "the last words" in failure.detail

    def test_a_signal_stops_the_workers_and_their_state_is_saved(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        def send() -> None:
            until((runs[1].folder.path / "waiting").exists)
            os.kill(os.getpid(), signal.SIGINT)

        sender = threading.Thread(target=send)
        sender.start()
        with pytest.raises(Interrupted):
            self.run(tmp_path, pairs(runs), "wait_at_the_second")
        sender.join()
        assert states(runs) == [State.DONE, State.INTERRUPTED] + [State.NEW] * 8

    def test_training_goes_on_when_the_fork_server_dies(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        with self.opened(tmp_path, "wait_at_the_second") as executor:
            jobs = [executor.submit(cohort) for cohort in pairs(runs)]
            wait_until(executor, (runs[1].folder.path / "waiting").exists)
            kill_server()
            executor.wait(0.1)
            (runs[1].folder.path / "release").touch()
            wait_until(executor, lambda: ended(jobs))
        assert states(runs) == [State.DONE] * 10
        assert len(processes(runs)) == 1

    def test_a_worker_that_dies_after_the_fork_server_is_replaced(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        second = runs[1].folder.path
        with self.opened(tmp_path, "wait_at_the_second") as executor:
            jobs = [executor.submit(cohort) for cohort in pairs(runs)]
            wait_until(executor, (second / "waiting").exists)
            kill_server()
            (worker,) = set((runs[0].folder.path / "attempts").read_text().split())
            os.kill(int(worker), signal.SIGKILL)
            wait_until(executor, lambda: ended(jobs))
        assert states(runs) == [State.DONE, State.FAILED] + [State.DONE] * 8
        failure = RunFolder(second).failure()
        assert failure is not None
        assert failure.message == "the worker on cpu died"


class TestTwoWorkers(ProcessConformance):
    path = "ablate.executors.local:LocalExecutor"
    workers = 2

    def test_two_processes_share_the_processors(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        self.run(tmp_path, pairs(runs), "finish_all")
        assert threads(runs) == {max(1, len(os.sched_getaffinity(0)) // 2)}


class TestOneDeviceForTwo(ProcessConformance):
    """As long as no cohort reports its memory, the second waits."""

    path = "ablate.executors.local:LocalExecutor"
    settings: ClassVar = {"cohorts_per_device": 2}

    def test_two_cohorts_share_the_processors(self, tmp_path: Path, runs: list[PlannedRun]) -> None:
        self.run(tmp_path, pairs(runs), "finish_all")
        assert threads(runs) == {max(1, len(os.sched_getaffinity(0)) // 2)}


class TestThreads(ExecutorConformance):
    path = "ablate.executors.local:LocalExecutor"
    settings: ClassVar = {"threads_per_worker": 3}

    def test_a_worker_has_as_many_threads_as_the_settings_say(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        self.run(tmp_path, pairs(runs), "finish_all")
        assert threads(runs) == {3}


def threads(runs: list[PlannedRun]) -> set[int]:
    results = [run.folder.result() for run in runs]
    return {result.machine.threads for result in results if result is not None}


def test_a_worker_needs_a_thread() -> None:
    with pytest.raises(BadInput, match=r"\[executor.local\] threads_per_worker: .*greater"):
        executor_settings("local", {"threads_per_worker": 0})
