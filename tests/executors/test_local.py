"""The local executor keeps the promises, with one and with two workers."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

from ablate.executors import Executor, LocalExecutor
from ablate.plan import Cohort, PlannedRun
from ablate.runs import State
from executors.conformance import (
    PATIENCE_S,
    SurvivesDeadWorkers,
    die_of_the_second,
    finish_all,
    wait_for_a_stop,
)


def _parent(folders: tuple[Path, ...], logs: Path) -> None:
    LocalExecutor(["cpu"], logs).run([Cohort(folders)], wait_for_a_stop)


class TestLocal(SurvivesDeadWorkers):
    def executor(self, tmp_path: Path) -> Executor:
        return LocalExecutor(["cpu"], tmp_path / "logs")

    def test_a_worker_stops_when_its_parent_is_killed(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        folders = tuple(run.folder.path for run in runs)
        context = multiprocessing.get_context("spawn")
        parent = context.Process(target=_parent, args=(folders, tmp_path / "logs"))
        parent.start()
        deadline = time.monotonic() + PATIENCE_S
        while not (folders[1] / "waiting").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(parent.pid or 0, signal.SIGKILL)
        parent.join()
        while runs[1].folder.state() is State.NEW and time.monotonic() < deadline:
            time.sleep(0.05)
        assert runs[1].folder.state() is State.INTERRUPTED

    def test_one_process_serves_for_many_cohorts(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        groups = [Cohort((run.folder.path,)) for run in runs]
        self.executor(tmp_path).run(groups, finish_all)
        results = [run.folder.result() for run in runs]
        assert len({result.machine.device_name for result in results if result}) == 1
        assert None not in results

    def test_after_a_death_another_process_takes_the_next_cohort(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        groups = [Cohort((run.folder.path,)) for run in runs]
        self.executor(tmp_path).run(groups, die_of_the_second)
        states = [run.folder.state() for run in runs]
        assert states == [State.DONE, State.FAILED, *[State.DONE] * 8]


class TestTwoWorkers(SurvivesDeadWorkers):
    workers = 2

    def executor(self, tmp_path: Path) -> Executor:
        return LocalExecutor(["cpu", "cpu"], tmp_path / "logs")

    def test_two_processes_share_the_cores(self, tmp_path: Path, runs: list[PlannedRun]) -> None:
        self.executor(tmp_path).run(self.groups(runs), finish_all)
        results = [run.folder.result() for run in runs]
        machines = [result.machine for result in results if result is not None]
        processes = {machine.device_name for machine in machines}
        assert len(processes) == 2
        assert str(os.getpid()) not in processes
        share = max(1, len(os.sched_getaffinity(0)) // 2)
        assert {machine.threads for machine in machines} == {share}
