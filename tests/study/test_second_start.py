"""A sweep that is started while another process trains it waits, and takes over what that drops."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from ablate.executors.registry import run_cohorts
from ablate.plan import create_run_folders
from ablate.runs import RunFolder, State, Store
from ablate.study import Study
from executors.works import until
from study.tuning_works import score
from tiny_sweeps import tiny_study


@pytest.fixture(autouse=True)
def _untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run ends at once."""
    work_with(monkeypatch, "study.tuning_works:score")
    for name in ("warm_up", "check_rows", "count_for_report"):
        monkeypatch.setattr(f"ablate.study.run.{name}", lambda *_: None)


def work_with(patched: pytest.MonkeyPatch, work: str) -> None:
    patched.setattr("ablate.study.run.run_cohorts", partial(run_cohorts, work=work))


def begun(store: Path, **words: object) -> tuple[Study, list[RunFolder]]:
    """A sweep of two rows that was started, and the folders of its runs."""
    study = tiny_study(store, executor="inline", **words)
    plan = study.plan().plan
    create_run_folders(plan, Store(store))
    return study, [run.folder for run in plan.runs]


@contextmanager
def trained_elsewhere(folder: RunFolder, *, is_done: bool) -> Iterator[threading.Event]:
    """Another process has this run until the event is set; then it is done, or dropped."""
    release, is_held = threading.Event(), threading.Event()

    def hold() -> None:
        with folder.claim() as claimed:
            assert claimed
            is_held.set()
            release.wait(60)
            if is_done:
                score([folder.path], "cpu")

    thread = threading.Thread(target=hold)
    thread.start()
    assert is_held.wait(60)
    try:
        yield release
    finally:
        release.set()
        thread.join()


def attempts(folder: RunFolder) -> int:
    return (folder.path / "attempts").read_text().count("one")


@pytest.mark.parametrize("is_done", [True, False])
@pytest.mark.parametrize("is_alone", [True, False])
def test_it_ends_when_all_are_done_and_trains_only_what_was_dropped(
    tmp_path: Path, is_done: bool, is_alone: bool
) -> None:
    study, folders = begun(tmp_path / "store")
    if is_alone:
        # Nothing is left but to wait.
        score([folders[1].path], "cpu")
    with trained_elsewhere(folders[0], is_done=is_done) as release:
        planned = study.plan()
        assert [run.folder.path for run in planned.elsewhere] == [folders[0].path]
        waiter = threading.Timer(1.0, release.set)
        waiter.start()
        outcome = study.run()
        waiter.join()
    assert [run.state for run in outcome.runs] == [State.DONE] * 2
    assert [attempts(folder) for folder in folders] == [1, 1]
    assert outcome.pending == (1 if is_alone else 2)


def test_without_waiting_it_is_left_to_the_other(tmp_path: Path) -> None:
    study, folders = begun(tmp_path / "store", wait=False)
    with trained_elsewhere(folders[0], is_done=False):
        outcome = study.run()
        assert [run.state for run in outcome.runs] == [State.RUNNING, State.DONE]
        assert outcome.pending == 1


def test_a_run_that_the_other_fails_is_not_tried_again(tmp_path: Path) -> None:
    study, folders = begun(tmp_path / "store")
    ended = threading.Event()

    def fail() -> None:
        with folders[0].claim():
            until(ended.is_set)
            folders[0].write_failure(_failure())

    other = threading.Thread(target=fail)
    other.start()
    until(lambda: folders[0].state() is State.RUNNING)
    threading.Timer(0.5, ended.set).start()
    outcome = study.run()
    other.join()
    assert [run.state for run in outcome.runs] == [State.FAILED, State.DONE]
    assert not (folders[0].path / "attempts").exists()


def _failure():
    from ablate.runs import Failure

    return Failure(kind="error", message="no memory", detail="", time=0.0)


def test_what_no_worker_begins_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study, folders = begun(tmp_path / "store")
    calls = []
    monkeypatch.setattr("ablate.study.run.run_cohorts", lambda *words, **_: calls.append(words))
    outcome = study.run()
    assert outcome.count(State.NEW) == len(folders)
    assert 1 < len(calls) < 10
