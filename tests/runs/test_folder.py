"""A run's folder survives kills, races and repetition."""

import json
import multiprocessing
import multiprocessing.synchronize
import os
import signal
from pathlib import Path

import pytest

from ablate.errors import StoreError
from ablate.runs import (
    Event,
    Failure,
    Machine,
    Parameters,
    Progress,
    Provenance,
    Result,
    RunFolder,
    SpecFile,
    State,
)
from ablate.spec import RunSpec

PROVENANCE = Provenance(created=1.0, ablate="0.1.0", commit=None, python="3.11.7", packages={})


@pytest.fixture
def folder(tmp_path: Path, run_spec: RunSpec) -> RunFolder:
    made = RunFolder(tmp_path / run_spec.key)
    made.create(SpecFile(key=run_spec.key, run=run_spec, provenance=PROVENANCE))
    return made


def result(folder: RunFolder, miou: float = 0.5) -> Result:
    return Result(
        key=folder.key,
        epoch=1,
        epochs=1,
        steps=1,
        metrics={"miou": miou},
        confusion={"tp": 1, "fp": 2, "fn": 3, "tn": 4},
        parameters=Parameters(total=1, trainable=1, adapter=1, sites=1),
        weights_sha256="0" * 64,
        machine=Machine(
            device="cpu", device_name="a", threads=1, precision="float32", torch="2.14.1"
        ),
        finished=0.0,
        train_s=1.0,
    )


def event(epoch: int) -> Event:
    return Event(epoch=epoch, step=epoch * 10, time=1.5, metrics={"miou": 0.1 * epoch})


def test_the_spec_comes_back_and_never_changes(folder: RunFolder, run_spec: RunSpec) -> None:
    before = folder.spec_file()
    assert before.run == run_spec
    folder.create(
        before.model_copy(update={"provenance": PROVENANCE.model_copy(update={"created": 2.0})})
    )
    assert folder.spec_file() == before


def test_a_folder_with_another_runs_spec_is_refused(folder: RunFolder) -> None:
    moved = folder.path.rename(folder.path.with_name("0123456789abcdef"))
    with pytest.raises(StoreError, match="not of 0123456789abcdef"):
        RunFolder(moved).spec()


def test_a_missing_spec_is_one_line(folder: RunFolder) -> None:
    (folder.path / "spec.json").unlink()
    with pytest.raises(StoreError, match=r"spec\.json is missing"):
        folder.spec()


def test_states_in_the_order_of_a_life(folder: RunFolder) -> None:
    assert folder.state() is State.NEW
    with folder.claim() as claimed:
        assert claimed
        assert RunFolder(folder.path).state() is State.RUNNING
        # To who has claimed it, it is as it was left.
        assert folder.state() is State.NEW
        folder.save_checkpoint(10, b"state")
    assert folder.state() is State.INTERRUPTED
    folder.write_failure(Failure(kind="error", message="m", detail="", time=0.0))
    assert folder.state() is State.FAILED
    folder.write_failure(Failure(kind="diverged", message="m", detail="", time=0.0))
    assert folder.state() is State.DIVERGED
    folder.publish_result(result(folder))
    assert folder.state() is State.DONE
    assert folder.failure() is None
    assert next(folder.load_checkpoints(), None) is None


def test_a_folder_is_untouched_until_a_process_works_on_it(
    folder: RunFolder, tmp_path: Path
) -> None:
    assert RunFolder(tmp_path / "none").is_untouched()
    assert folder.is_untouched()
    with folder.claim():
        assert not folder.is_untouched()
    assert folder.is_untouched()
    folder.save_checkpoint(1, b"state")
    assert not folder.is_untouched()


def test_the_first_result_stands(folder: RunFolder) -> None:
    folder.publish_result(result(folder, miou=0.5))
    folder.publish_result(result(folder, miou=0.9))
    found = folder.result()
    assert found is not None
    assert found.metrics == {"miou": 0.5}


def test_a_line_cut_short_by_a_kill_is_left_out(folder: RunFolder) -> None:
    folder.append_event(event(1))
    with (folder.path / "events.jsonl").open("a") as file:
        file.write('{"epoch":2,"st')
    assert folder.events() == [event(1)]
    folder.cut_events(1)
    folder.append_event(event(2))
    assert folder.events() == [event(1), event(2)]


def test_cutting_forgets_what_came_after(folder: RunFolder) -> None:
    for epoch in (1, 2, 3):
        folder.append_event(event(epoch))
    folder.cut_events(1)
    assert folder.events() == [event(1)]


def test_the_last_two_checkpoints_are_kept(folder: RunFolder) -> None:
    for step in (9, 10, 200):
        folder.save_checkpoint(step, b"state %d" % step)
    assert sorted(path.name for path in folder.path.glob("checkpoint-*")) == [
        "checkpoint-000000010.pt",
        "checkpoint-000000010.sha256",
        "checkpoint-000000200.pt",
        "checkpoint-000000200.sha256",
    ]
    assert next(folder.load_checkpoints()) == b"state 200"


def test_a_damaged_checkpoint_falls_back_to_the_one_before(folder: RunFolder) -> None:
    folder.save_checkpoint(1, b"good")
    folder.save_checkpoint(2, b"later")
    (folder.path / "checkpoint-000000002.pt").write_bytes(b"half")
    assert next(folder.load_checkpoints()) == b"good"


def _hold(path: Path, held: multiprocessing.synchronize.Event) -> None:
    with RunFolder(path).claim() as claimed:
        assert claimed
        held.set()
        signal.pause()


def test_a_killed_process_loses_its_claim(folder: RunFolder) -> None:
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=_hold, args=(folder.path, held))
    process.start()
    assert held.wait(20)
    with folder.claim() as claimed:
        assert not claimed
    assert folder.is_claimed()
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    with folder.claim() as claimed:
        assert claimed


BROKEN = [b"{", b"[]", b"\xff\xfe", b'{"schema_version": 2, "key": 1}', b'{"key": 1}']


@pytest.mark.parametrize("content", BROKEN)
@pytest.mark.parametrize("name", ["spec_file", "result", "failure"])
def test_a_broken_file_is_one_line(folder: RunFolder, name: str, content: bytes) -> None:
    file = name.removesuffix("_file")
    (folder.path / f"{file}.json").write_bytes(content)
    with pytest.raises(StoreError, match=rf"{file}\.json cannot be read: [^\n]*$"):
        getattr(folder, name)()


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_whole_line_of_events_is_one_line(folder: RunFolder, content: bytes) -> None:
    folder.append_event(event(1))
    with (folder.path / "events.jsonl").open("ab") as file:
        file.write(content + b"\n")
    with pytest.raises(StoreError, match=r"line 2 of \S*events\.jsonl cannot be read: [^\n]*$"):
        folder.events()


def test_every_document_says_its_schema(folder: RunFolder) -> None:
    folder.append_event(event(1))
    folder.write_failure(Failure(kind="error", message="m", detail="", time=0.0))
    folder.write_progress(
        Progress(epoch=1, epochs=2, step_in_epoch=0, steps_per_epoch=3, loss=None, time=0.0)
    )
    files = ["spec.json", "failure.json", "progress.json", "events.jsonl"]
    contents = [json.loads((folder.path / name).read_bytes()) for name in files]
    folder.publish_result(result(folder))
    contents.append(json.loads((folder.path / "result.json").read_bytes()))
    assert [content["schema_version"] for content in contents] == [2] * 5


def test_a_key_of_another_engine_is_not_computed_again(tmp_path: Path, run_spec: RunSpec) -> None:
    context = run_spec.context.model_copy(update={"engine": 1})
    old = run_spec.model_copy(update={"context": context})
    folder = RunFolder(tmp_path / "0123456789abcdef")
    folder.create(SpecFile(key=folder.key, run=old, provenance=PROVENANCE))
    assert folder.spec() == old
    moved = RunFolder(folder.path.rename(tmp_path / "fedcba9876543210"))
    with pytest.raises(StoreError, match="is of run 0123456789abcdef, not of fedcba9876543210"):
        moved.spec()
