"""What ``ablate status`` says of one run."""

from pathlib import Path

import pytest

from ablate.plan import create_run_folders
from ablate.runs import Attempt, Event, Failure, Progress, RunFolder, State, Store
from ablate.study.run_status import STALLED_S, RunStatus, run_status
from executors.works import finish
from tiny_sweeps import tiny_study

# After the runs were created, before which no attempt is noted.
NOW = 4_000_000_000.0


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    planned = tiny_study(tmp_path / "store").plan()
    create_run_folders(planned.plan, Store(tmp_path / "store"))
    return planned.plan.runs[0].folder


def begin(folder: RunFolder, seen: float) -> None:
    folder.begin_attempt(
        Attempt(started=seen, seen=seen, device="cuda:1", device_name="A", shared_by=1)
    )


def add_epoch(folder: RunFolder, epoch: int, time: float) -> None:
    folder.append_event(Event(epoch=epoch, step=epoch, time=time, metrics={"miou": 0.5}))


def test_what_nobody_has_begun_is_new(folder: RunFolder) -> None:
    assert run_status(folder, 4, NOW) == RunStatus(State.NEW, None, 0, 0.0, None, None, None)


def test_a_run_that_goes_on_tells_device_progress_and_sign_of_life(folder: RunFolder) -> None:
    begin(folder, NOW - 50)
    add_epoch(folder, 1, NOW - 40)
    folder.write_progress(
        Progress(epoch=2, epochs=4, step_in_epoch=5, steps_per_epoch=10, loss=0.5, time=NOW - 3)
    )
    with folder.claim():
        found = run_status(folder, 4, NOW)
    assert (found.state, found.device) == (State.RUNNING, "cuda:1")
    assert (found.epoch, found.progress, found.miou) == (1, 0.375, 0.5)
    assert (found.last_event, found.is_stalled, found.note) == (NOW - 3, False, None)


def test_a_stalled_run_is_seen(folder: RunFolder) -> None:
    begin(folder, NOW - STALLED_S - 60)
    with folder.claim():
        found = run_status(folder, 4, NOW)
    assert found.is_stalled
    assert found.note == f"no sign of life for 11 min: see `ablate logs {folder.key}`"
    # Nobody holds it: it is not stalled, it was dropped.
    assert not run_status(folder, 4, NOW).is_stalled


def test_a_failure_is_one_line_with_its_time_and_device(folder: RunFolder) -> None:
    begin(folder, NOW - 50)
    folder.write_failure(
        Failure(kind="error", message="no\nmemory", detail="Traceback …", time=NOW - 20)
    )
    found = run_status(folder, 4, NOW)
    assert (found.state, found.device, found.note) == (State.FAILED, "cuda:1", "no memory")
    assert found.last_event == NOW - 20


def test_a_finished_run_tells_what_its_result_says(folder: RunFolder) -> None:
    finish(folder, "cpu")
    found = run_status(folder, 1, NOW)
    result = folder.result()
    assert result is not None
    assert (found.state, found.device) == (State.DONE, "cpu")
    assert (found.progress, found.miou, found.last_event) == (1.0, 0.5, result.finished)


@pytest.mark.parametrize("name", ["attempts/1.json", "progress.json", "events.jsonl"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\n", b"[1]\n"])
def test_damaged_files_stop_nothing(folder: RunFolder, name: str, content: bytes) -> None:
    begin(folder, NOW)
    (folder.path / name).parent.mkdir(exist_ok=True)
    for old in folder.path.glob("attempts/*"):
        old.unlink()
    (folder.path / name).write_bytes(content)
    with folder.claim():
        found = run_status(folder, 4, NOW)
    assert found.state is State.RUNNING
    assert (found.note is not None) == (name == "events.jsonl" and b"\n" in content)


def test_a_clock_that_was_set_back_stops_nothing(folder: RunFolder) -> None:
    begin(folder, NOW + 3600)
    with folder.claim():
        assert not run_status(folder, 4, NOW).is_stalled
