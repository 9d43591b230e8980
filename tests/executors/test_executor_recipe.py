"""An executor from outside the package, as CONTRIBUTING's recipe adds one: threads."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from ablate.errors import BadInput, Interrupted
from ablate.executors import (
    EXECUTORS,
    Choose,
    Job,
    JobState,
    executor_settings,
    import_object,
    run_cohorts,
    write_failures,
)
from ablate.plan import Cohort, PlannedRun
from ablate.runs import State
from ablate.spec import Frozen
from executors.conformance import ExecutorConformance, pairs, states

PATH = f"{__name__}:ThreadExecutor"


class Settings(Frozen):
    """What ``[executor.threads]`` may hold."""

    names: tuple[str, ...] = ()


@dataclass
class ThreadJob:
    """A cohort in the pool."""

    future: Future[JobState]

    def state(self) -> JobState:
        if self.future.cancelled():
            return JobState.CANCELLED
        if self.future.done():
            return self.future.result()
        return JobState.RUNNING if self.future.running() else JobState.QUEUED

    def cancel(self) -> None:
        self.future.cancel()


class ThreadExecutor:
    """A thread for each device."""

    settings_model: ClassVar[type[Frozen]] = Settings

    def __init__(
        self, settings: Settings, *, work: str, devices: Sequence[str], logs: Path
    ) -> None:
        self._pool = ThreadPoolExecutor(len(devices), "-".join(settings.names))
        self._work, self._device = work, devices[0]
        self._jobs: list[ThreadJob] = []

    @classmethod
    def devices(cls, settings: Settings, named: Sequence[str], choose: Choose) -> Sequence[str]:
        return choose(named)

    def submit(self, cohort: Cohort) -> Job:
        self._jobs.append(ThreadJob(self._pool.submit(self._attempt, cohort)))
        return self._jobs[-1]

    def wait(self, timeout_s: float) -> None:
        wait([job.future for job in self._jobs], timeout_s)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _attempt(self, cohort: Cohort) -> JobState:
        try:
            import_object(self._work)(cohort.folders, self._device)
        except Interrupted:
            return JobState.CANCELLED
        except Exception as error:
            write_failures(cohort.folders, error)
            return JobState.FAILED
        return JobState.DONE


class TestThreads(ExecutorConformance):
    path = PATH
    settings: ClassVar = {"names": ["a", "b"]}


class TestTwoThreads(ExecutorConformance):
    path = PATH
    workers = 2

    def test_a_name_in_the_registry_is_all_that_it_takes(
        self, tmp_path: Path, runs: list[PlannedRun], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(EXECUTORS, "threads", PATH)
        work = "executors.works:finish_all"
        run_cohorts("threads", pairs(runs), devices=["cpu"], logs=tmp_path, work=work)
        assert states(runs) == [State.DONE] * 10


def test_lists_of_a_toml_file_become_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXECUTORS, "threads", PATH)
    assert executor_settings("threads", {"names": ["a", "b"]}) == Settings(names=("a", "b"))
    with pytest.raises(BadInput, match=r"\[executor.threads\] names.0: .*; its keys are: names"):
        executor_settings("threads", {"names": [1]})


def test_an_unknown_executor_is_refused() -> None:
    with pytest.raises(BadInput, match="there is no executor 'slrum'; there are inline, local"):
        executor_settings("slrum", {})


def test_an_executor_whose_package_is_missing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXECUTORS, "far", "no_such_package:Executor")
    with pytest.raises(BadInput, match="executor far cannot be loaded: No module named"):
        executor_settings("far", {})
