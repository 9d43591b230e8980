"""Sweeps that are left to a cluster: found again, cancelled, attached to. The cluster is a list."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from ablate.cli.app import app
from ablate.errors import BadInput, ExitCode
from ablate.executors import EXECUTORS, Choose, Job, JobState, LeftJob
from ablate.plan import Cohort
from ablate.runs import State, Store
from ablate.runs.submitted import noted
from ablate.spec import Frozen
from ablate.study import mirror_mark
from ablate.study.cluster_jobs import cancel_jobs
from executors.works import finish_all
from tiny_sweeps import OVERRIDES, tiny_study


@dataclass
class ListedJob:
    """A job of the list; it does its work when it is looked at for the second time."""

    cohort: Cohort
    progress: JobState = JobState.QUEUED

    def state(self) -> JobState:
        return self.progress

    def cancel(self) -> None:
        self.progress = JobState.CANCELLED


class Settings(Frozen):
    is_silent: bool = False
    goes_on: bool = True


class ListExecutor:
    """Jobs in a list of this process stand for those of a cluster."""

    settings_model: ClassVar[type[Frozen]] = Settings
    jobs: ClassVar[list[ListedJob]] = []
    refused: ClassVar[bool] = False

    def __init__(
        self, settings: Settings, *, work: str, devices: Sequence[str], logs: Path
    ) -> None:
        self.own: list[ListedJob] = []

    @classmethod
    def devices(cls, settings: Settings, named: Sequence[str], choose: Choose) -> Sequence[str]:
        return ("cpu", "cpu")

    @classmethod
    def jobs_go_on(cls, settings: Settings) -> bool:
        return settings.goes_on

    @classmethod
    def left_jobs(cls, settings: Settings, runs: Path, timeout_s: float) -> Sequence[LeftJob]:
        if settings.is_silent:
            raise BadInput("the list does not answer", "wait")
        return [
            LeftJob(
                frozenset(path.name for path in job.cohort.folders), job.state(), "", job.cancel
            )
            for job in cls.jobs
            if not job.state().has_ended and job.cohort.folders[0].parent == runs
        ]

    def submit(self, cohort: Cohort) -> Job:
        if self.refused:
            raise BadInput("no more jobs", "wait")
        found = [job for job in self.jobs if set(cohort.folders) <= set(job.cohort.folders)]
        job = next((job for job in found if not job.state().has_ended), ListedJob(cohort))
        if job not in self.jobs:
            self.jobs.append(job)
        self.own.append(job)
        return job

    def wait(self, timeout_s: float) -> None:
        for job in self.own:
            if not job.state().has_ended:
                finish_all(job.cohort.folders, "cpu")
                job.progress = JobState.DONE

    def detach(self) -> None:
        self.own.clear()

    def notice(self) -> str | None:
        return "1 job pending: Resources"

    def close(self) -> None:
        for job in self.own:
            if not job.state().has_ended:
                job.cancel()


@pytest.fixture(autouse=True)
def _listed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(EXECUTORS, "list", f"{__name__}:ListExecutor")
    monkeypatch.setattr("ablate.study.run.warm_up", lambda: None)
    monkeypatch.setattr("ablate.study.run.check_rows", lambda plan: None)
    yield
    ListExecutor.jobs.clear()


def left(store: Path, **words: object):
    """A sweep of two rows that was left to the list."""
    study = tiny_study(store, executor="list", detach=True, **words)
    return study, study.run()


def test_a_sweep_that_is_left_is_found_and_attached_to(tmp_path: Path) -> None:
    study, outcome = left(tmp_path)
    assert outcome.is_detached
    assert [job.progress for job in ListExecutor.jobs] == [JobState.QUEUED] * 2
    status = study.status()
    (jobs,) = status.jobs
    assert (jobs.executor, jobs.queued, jobs.running, jobs.problem) == ("list", 2, 0, None)
    told: list[str | None] = []
    attached = tiny_study(tmp_path, executor="list")
    outcome = attached.run(tell=told.append)
    assert outcome.count(State.DONE) == 2
    assert len(ListExecutor.jobs) == 2
    assert told == ["1 job pending: Resources"]
    assert noted(Store(tmp_path).drivers_path) == []
    assert attached.status().jobs == ()


def test_the_mirror_of_a_sweep_that_is_left_is_noted_as_unfinished(tmp_path: Path) -> None:
    study, _ = left(tmp_path, track=True)
    assert mirror_mark.is_marked(Store(tmp_path), [study.plan().plan.record_id], None)


def test_what_is_left_is_cancelled(tmp_path: Path) -> None:
    study, _ = left(tmp_path)
    (cancelled,) = cancel_jobs(tmp_path, "table4")
    assert (cancelled.sweep, cancelled.asked, cancelled.left) == ("table4", 2, 0)
    assert [job.progress for job in ListExecutor.jobs] == [JobState.CANCELLED] * 2
    assert cancel_jobs(tmp_path) == ()
    assert study.status().jobs == ()


def test_only_the_sweep_that_is_meant_is_cancelled(tmp_path: Path) -> None:
    left(tmp_path)
    key = ListExecutor.jobs[0].cohort.folders[0].name
    assert cancel_jobs(tmp_path, "transfer") == ()
    assert len(cancel_jobs(tmp_path, key=key)) == 1


def test_a_cluster_that_is_silent_does_not_stop_the_status(tmp_path: Path) -> None:
    study, _ = left(tmp_path, executor_settings={"is_silent": False})
    note = next(tmp_path.glob("drivers/*.jobs"))
    note.write_text(note.read_text().replace('"is_silent":false', '"is_silent":true'))
    (jobs,) = study.status().jobs
    assert jobs.problem == "the list does not answer"
    with pytest.raises(BadInput, match="the list does not answer"):
        cancel_jobs(tmp_path)


def test_a_note_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    study, _ = left(tmp_path)
    next(tmp_path.glob("drivers/*.jobs")).write_text("{")
    assert study.status().jobs == ()


def test_a_refused_start_leaves_no_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ListExecutor, "refused", True)
    with pytest.raises(BadInput, match="no more jobs"):
        left(tmp_path)
    assert noted(Store(tmp_path).drivers_path) == []


def test_jobs_that_end_with_the_command_are_not_left(tmp_path: Path) -> None:
    for words in ({"executor": "local"}, {"executor_settings": {"goes_on": False}}):
        with pytest.raises(BadInput, match=r"--detach: what --executor .* trains ends with"):
            tiny_study(tmp_path, **({"executor": "list", "detach": True} | words)).plan()
    with pytest.raises(BadInput, match="--detach and --fail-fast exclude each other"):
        tiny_study(tmp_path, executor="list", detach=True, keep_going=False).plan()
    with pytest.raises(BadInput, match="a tuning cannot be detached"):
        tiny_study(tmp_path, executor="list", detach=True).plan_tuning()
    assert not any(tmp_path.iterdir())


def test_the_commands_say_what_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    words = [word for override in OVERRIDES for word in ("--set", override)]
    words += ["--grid", "table4", "--protocol", "demo", "--variant", "translandseg", "--no-track"]
    assert call("run", *words, "--executor", "list", "--detach") == ExitCode.DONE
    said = capsys.readouterr().out
    assert "the jobs are left to list: `ablate status` shows them" in said
    assert call("status") == ExitCode.DONE
    assert " ago: 0 running, 1 queued" in capsys.readouterr().out
    assert call("cancel") == ExitCode.DONE
    said = capsys.readouterr().out
    assert "table4: 1 job of list cancelled, the state of every run is saved; the same" in said
    assert call("cancel") == ExitCode.DONE
    assert "nothing is being trained in" in capsys.readouterr().out


def call(*words: str) -> int:
    """Calls a command in this process, where the list is."""
    with pytest.raises(SystemExit) as ended:
        app(list(words))
    code = ended.value.code
    assert isinstance(code, int)
    return code
