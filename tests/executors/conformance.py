"""What every executor promises; the tests of each subclass ``ExecutorConformance``."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ablate.errors import BadInput, Interrupted
from ablate.executors import (
    EXECUTORS,
    Executor,
    Job,
    JobState,
    LeftJob,
    check_can_detach,
    executor_settings,
    import_object,
    left_jobs,
    run_cohorts,
)
from ablate.executors.attaching import grouped_as_left
from ablate.executors.waiting import submit_and_leave, wait_for_all
from ablate.plan import Cohort, PlannedRun, build_plan, provenance, sweep_runs
from ablate.registry import Catalogue
from ablate.runs import RunFolder, SpecFile, State, Store
from ablate.spec import Context
from executors.works import PATIENCE_S, until


class RunsOfTable4:
    """Has runs to work on."""

    @pytest.fixture
    def runs(self, tmp_path: Path, context: Context) -> list[PlannedRun]:
        """Table IV's ten runs; the second is translandseg-2."""
        store, catalogue = Store(tmp_path / "store"), Catalogue()
        specs = sweep_runs(catalogue.rows("table4", context.protocol.backbone), context, (0,))
        planned = build_plan(catalogue.sweep("table4"), context, specs, store).runs
        origin = provenance()
        store.create_runs(
            [SpecFile(key=run.spec.key, run=run.spec, provenance=origin) for run in planned]
        )
        return list(planned)


class ExecutorConformance(RunsOfTable4):
    """Subclass it and say which executor is meant.

    Attributes:
        path: The executor's import path.
        settings: Its settings.
        workers: How many jobs run at the same time.
    """

    path: ClassVar[str]
    settings: ClassVar[Mapping[str, Any]] = {}
    workers: ClassVar[int] = 1

    @pytest.fixture(autouse=True)
    def _registered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(EXECUTORS, "tested", self.path)

    def make(self, tmp_path: Path, work: str) -> Executor:
        executor: Executor = import_object(self.path)(
            executor_settings("tested", self.settings),
            work=f"executors.works:{work}",
            devices=["cpu"] * self.workers,
            logs=tmp_path / "logs",
        )
        return executor

    @contextmanager
    def opened(self, tmp_path: Path, work: str) -> Iterator[Executor]:
        executor = self.make(tmp_path, work)
        try:
            yield executor
        finally:
            executor.close()

    def run(
        self,
        tmp_path: Path,
        cohorts: list[Cohort],
        work: str,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        run_cohorts(
            "tested",
            cohorts,
            devices=["cpu"] * self.workers,
            logs=tmp_path / "logs",
            settings=self.settings,
            work=f"executors.works:{work}",
            should_stop=should_stop,
        )

    def test_every_run_is_worked_on_once(self, tmp_path: Path, runs: list[PlannedRun]) -> None:
        self.run(tmp_path, pairs(runs), "finish_all")
        assert states(runs) == [State.DONE] * 10
        attempts = [(run.folder.path / "attempts").read_text() for run in runs]
        assert [text.count("\n") for text in attempts] == [1] * 10

    def test_jobs_are_done_in_the_end(self, tmp_path: Path, runs: list[PlannedRun]) -> None:
        with self.opened(tmp_path, "finish_all") as executor:
            jobs = [executor.submit(cohort) for cohort in pairs(runs)]
            wait_until(executor, lambda: ended(jobs))
            assert [job.state() for job in jobs] == [JobState.DONE] * 5

    def test_jobs_can_be_submitted_while_others_run(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        with self.opened(tmp_path, "finish_all") as executor:
            for cohort in pairs(runs):
                job = executor.submit(cohort)
                wait_until(executor, lambda job=job: job.state() is JobState.DONE)
        assert states(runs) == [State.DONE] * 10

    def test_without_cohorts_nothing_is_waited_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with self.opened(tmp_path, "finish_all") as executor:
            monkeypatch.setattr(executor, "wait", lambda _: pytest.fail("there is no job"))
            wait_for_all(executor, [])

    def test_work_that_raises_fails_its_job_and_no_other(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        with self.opened(tmp_path, "raise_at_the_second") as executor:
            jobs = [executor.submit(cohort) for cohort in pairs(runs)]
            wait_until(executor, lambda: ended(jobs))
            assert [job.state() for job in jobs] == [JobState.FAILED] + [JobState.DONE] * 4
        assert states(runs) == [State.FAILED] * 2 + [State.DONE] * 8
        for run in runs[:2]:
            failure = run.folder.failure()
            assert failure is not None
            assert failure.message == "ValueError: the device is gone"
            assert "raise_at_the_second" in failure.detail

    def test_work_that_cannot_be_imported_fails_its_runs(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        self.run(tmp_path, pairs(runs), "no_such_work")
        assert states(runs) == [State.FAILED] * 10

    def test_a_queued_job_is_cancelled(self, tmp_path: Path, runs: list[PlannedRun]) -> None:
        with self.opened(tmp_path, "finish_when_released") as executor:
            jobs = [executor.submit(cohort) for cohort in pairs(runs)]
            jobs[-1].cancel()
            assert jobs[-1].state() is JobState.CANCELLED
            release(runs)
            wait_until(executor, lambda: ended(jobs))
            assert [job.state() for job in jobs] == [JobState.DONE] * 4 + [JobState.CANCELLED]
        assert states(runs) == [State.DONE] * 8 + [State.NEW] * 2

    def test_a_job_that_has_ended_stays_as_it_is(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        with self.opened(tmp_path, "finish_all") as executor:
            job = executor.submit(pairs(runs)[0])
            wait_until(executor, lambda: ended([job]))
            job.cancel()
            assert job.state() is JobState.DONE

    def test_all_work_has_ended_when_it_is_closed(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        with self.opened(tmp_path, "finish_all") as executor:
            jobs = [executor.submit(cohort) for cohort in pairs(runs)]
        assert ended(jobs)
        expected = {JobState.DONE: State.DONE, JobState.CANCELLED: State.NEW}
        assert states(runs) == [expected[job.state()] for job in jobs for _ in range(2)]

    def test_work_that_is_stopped_interrupts_the_sweep(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        with pytest.raises(Interrupted):
            self.run(tmp_path, pairs(runs), "stop_at_the_second")
        assert states(runs[:2]) == [State.DONE, State.INTERRUPTED]

    def test_unknown_settings_are_refused(self) -> None:
        with pytest.raises(BadInput, match=r"\[executor.tested\] nonsense: .*; its keys are: "):
            executor_settings("tested", {"nonsense": 1})


class StoppingConformance(ExecutorConformance):
    """For executors whose running jobs can be stopped."""

    def test_a_caller_stops_what_runs_and_nothing_new_starts(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        # Only the first job waits. What else began before that is done.
        waiting = runs[1].folder.path / "waiting"
        self.run(tmp_path, pairs(runs), "wait_at_the_second", waiting.exists)
        assert states(runs[:2]) == [State.DONE, State.INTERRUPTED]
        if self.workers == 1:
            assert states(runs[2:]) == [State.NEW] * 8


class ProcessConformance(StoppingConformance):
    """For executors whose workers are processes of their own."""

    def test_a_dead_worker_costs_one_run(self, tmp_path: Path, runs: list[PlannedRun]) -> None:
        cohorts = [Cohort(tuple(run.folder.path for run in runs[:8])), *pairs(runs[8:])]
        with self.opened(tmp_path, "die_at_the_second_and_fourth") as executor:
            jobs = [executor.submit(cohort) for cohort in cohorts]
            wait_until(executor, lambda: ended(jobs))
            assert [job.state() for job in jobs] == [JobState.FAILED, JobState.DONE]
        expected = [State.DONE] * 10
        expected[1] = expected[3] = State.FAILED
        assert states(runs) == expected
        failure = runs[1].folder.failure()
        assert failure is not None
        assert failure.kind == "died"

    def test_a_running_job_is_cancelled_and_saves_its_state(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        with self.opened(tmp_path, "wait_at_the_second") as executor:
            jobs = [executor.submit(cohort) for cohort in pairs(runs)]
            wait_until(executor, (runs[1].folder.path / "waiting").exists)
            jobs[0].cancel()
            wait_until(executor, lambda: ended(jobs))
            assert [job.state() for job in jobs] == [JobState.CANCELLED] + [JobState.DONE] * 4
        assert states(runs) == [State.DONE, State.INTERRUPTED] + [State.DONE] * 8

    def test_a_second_cancel_ends_a_job_that_does_not_stop(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        with self.opened(tmp_path, "never_stop_at_the_second") as executor:
            jobs = [executor.submit(cohort) for cohort in pairs(runs)]
            wait_until(executor, (runs[1].folder.path / "waiting").exists)
            jobs[0].cancel()
            assert jobs[0].state() is JobState.RUNNING
            jobs[0].cancel()
            wait_until(executor, lambda: ended(jobs))
            assert [job.state() for job in jobs] == [JobState.CANCELLED] + [JobState.DONE] * 4
        assert states(runs) == [State.DONE, State.NEW] + [State.DONE] * 8

    def test_closing_stops_what_is_running(self, tmp_path: Path, runs: list[PlannedRun]) -> None:
        with self.opened(tmp_path, "wait_at_the_second") as executor:
            job = executor.submit(pairs(runs)[0])
            wait_until(executor, (runs[1].folder.path / "waiting").exists)
        assert job.state() is JobState.CANCELLED
        assert states(runs[:2]) == [State.DONE, State.INTERRUPTED]


class DetachConformance(ProcessConformance):
    """For executors whose jobs go on in a cluster when the process ends that has submitted them."""

    def left(self, runs: list[PlannedRun]) -> Sequence[LeftJob]:
        return left_jobs("tested", self.settings, runs[0].folder.path.parent, PATIENCE_S)

    def test_jobs_that_are_left_go_on_and_are_taken_over(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        check_can_detach("tested", self.settings)
        first = self.make(tmp_path, "wait_at_the_second")
        submit_and_leave(first, pairs(runs)[:2])
        first.close()
        left = self.left(runs)
        assert {key for job in left for key in job.keys} >= {runs[1].folder.key}
        until(lambda: [job.state for job in self.left(runs)] == [JobState.RUNNING])
        until((runs[1].folder.path / "waiting").exists)
        # The first run has ended, the second is being worked on, and both have the same job.
        second = self.make(tmp_path, "wait_at_the_second")
        cohorts = grouped_as_left([], self.left(runs), [runs[1].folder.path])
        jobs = [second.submit(cohort) for cohort in cohorts]
        assert len(jobs) == 1
        (runs[1].folder.path / "release").touch()
        wait_until(second, lambda: ended(jobs))
        second.close()
        assert [job.state() for job in jobs] == [JobState.DONE]
        until(lambda: not self.left(runs))
        assert states(runs[:4]) == [State.DONE] * 4
        attempts = [(run.folder.path / "attempts").read_text() for run in runs[:4]]
        assert [text.count("\n") for text in attempts] == [1] * 4

    def test_jobs_that_are_left_are_cancelled_and_save_their_state(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        executor = self.make(tmp_path, "wait_at_the_second")
        submit_and_leave(executor, pairs(runs)[:1])
        until((runs[1].folder.path / "waiting").exists)
        for job in self.left(runs):
            job.cancel()
        until(lambda: not self.left(runs))
        assert states(runs[:2]) == [State.DONE, State.INTERRUPTED]


def pairs(runs: list[PlannedRun]) -> list[Cohort]:
    """Cohorts of two runs each."""
    return [
        Cohort((first.folder.path, second.folder.path))
        for first, second in zip(runs[::2], runs[1::2], strict=True)
    ]


def release(runs: list[PlannedRun]) -> None:
    """Lets ``finish_when_released`` go on."""
    (runs[0].folder.path.parent / "release").touch()


def states(runs: list[PlannedRun]) -> list[State]:
    return [RunFolder(run.folder.path).state() for run in runs]


def ended(jobs: list[Job]) -> bool:
    return all(job.state().has_ended for job in jobs)


def wait_until(executor: Executor, condition: Callable[[], bool]) -> None:
    """Lets an executor work until something is so."""
    for _ in range(int(PATIENCE_S / 0.05)):
        if condition():
            return
        executor.wait(0.05)
    raise TimeoutError
