"""Damaged files are noticed by what the result says of them, and set aside by the next start."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.errors import StoreError
from ablate.metrics import Confusion, scores
from ablate.runs import Failure, Progress, RunFolder, SpecFile, State
from ablate.spec import RunSpec
from runs.test_folder import PROVENANCE, event, result

PIXELS = Confusion(tp=4, fp=3, fn=2, tn=10)


@pytest.fixture
def spec(run_spec: RunSpec) -> SpecFile:
    return SpecFile(key=run_spec.key, run=run_spec, provenance=PROVENANCE)


@pytest.fixture
def folder(tmp_path: Path, spec: SpecFile) -> RunFolder:
    made = RunFolder(tmp_path / "runs" / spec.key)
    made.create(spec)
    return made


@pytest.fixture
def finished(folder: RunFolder) -> RunFolder:
    folder.append_event(event(1))
    folder.write_confusions(["a", "b"], [(4, 3, 2, 9), (0, 0, 0, 1)])
    (folder.path / "panels").mkdir()
    (folder.path / "panels" / "a.png").write_bytes(b"a picture")
    counted = {"confusion": PIXELS.cells, "metrics": scores(PIXELS)}
    whole = result(folder).model_copy(update=counted)
    folder.publish_result(whole)
    assert folder.state() is State.DONE
    return folder


def test_a_result_names_the_files_beside_it(finished: RunFolder) -> None:
    found = finished.result()
    assert found is not None
    assert sorted(found.files) == ["confusion.parquet", "events.jsonl", "panels/a.png", "spec.json"]
    assert found.sha256 is not None


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def zeros(path: Path) -> None:
    path.write_bytes(bytes(len(path.read_bytes())))


def link(path: Path) -> None:
    target = path.with_name("elsewhere")
    path.rename(target)
    path.symlink_to(target)


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def to_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


DAMAGES = [cut, empty, flip, zeros, link, fifo, as_folder, to_device]


@pytest.mark.parametrize("name", ["result.json", "spec.json", "confusion.parquet"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_of_a_finished_run_is_set_aside(
    finished: RunFolder, spec: SpecFile, name: str, damage: Callable[[Path], None]
) -> None:
    damage(finished.path / name)
    assert finished.state() is State.DAMAGED
    said = finished.damage()
    assert said is not None
    assert "\n" not in said
    assert name in said
    finished.create(spec)
    assert finished.state() is State.NEW
    assert finished.spec_file() == spec
    assert (finished.path / "damaged-1").is_dir()
    assert os.path.lexists(finished.path / "damaged-1" / name)
    assert finished.damage() is None


@pytest.mark.parametrize("name", ["spec.json", "confusion.parquet"])
def test_a_missing_file_of_a_finished_run_is_damage(finished: RunFolder, name: str) -> None:
    (finished.path / name).unlink()
    assert f"{name} is missing" in str(finished.damage())


@pytest.mark.parametrize(
    ("field", "value"), [("train_s", 0.5), ("steps", 7), ("files", {}), ("epoch", 2)]
)
def test_every_edit_of_a_result_is_noticed(finished: RunFolder, field: str, value: object) -> None:
    path = finished.path / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}, indent=4))
    assert "result.json was changed after it was written" in str(finished.damage())


def test_another_spelling_of_the_same_result_is_no_damage(finished: RunFolder) -> None:
    path = finished.path / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()), sort_keys=True))
    assert finished.state() is State.DONE


def test_a_result_of_another_run_with_its_key_changed_is_refused(
    finished: RunFolder, run_spec: RunSpec, tmp_path: Path
) -> None:
    other = run_spec.model_copy(update={"seed": 5})
    made = RunFolder(tmp_path / "runs" / other.key)
    made.create(SpecFile(key=other.key, run=other, provenance=PROVENANCE))
    for name in ("result.json", "confusion.parquet"):
        content = (finished.path / name).read_bytes()
        (made.path / name).write_bytes(content.replace(finished.key.encode(), other.key.encode()))
    assert made.state() is State.DAMAGED
    assert "spec.json was changed after the run had ended" in str(made.damage())


def test_results_of_older_versions_have_no_digests_and_pass(finished: RunFolder) -> None:
    path = finished.path / "result.json"
    document = json.loads(path.read_text())
    del document["files"], document["sha256"]
    path.write_text(json.dumps(document))
    assert finished.state() is State.DONE
    finished.confusion_path.unlink()
    assert "confusion.parquet is missing" in str(finished.damage())


def test_changed_events_are_noticed_where_they_are_used(finished: RunFolder) -> None:
    finished.append_event(event(2))
    found = finished.result()
    assert found is not None
    with pytest.raises(StoreError, match=r"events\.jsonl was changed after the run had ended"):
        finished.events(found)
    assert finished.state() is State.DONE


@pytest.mark.parametrize("damage", [cut, fifo, link, as_folder])
def test_an_unfinished_run_keeps_what_was_trained(
    folder: RunFolder, spec: SpecFile, damage: Callable[[Path], None]
) -> None:
    folder.save_checkpoint(10, b"state")
    folder.write_failure(Failure(kind="error", message="m", detail="", time=0.0))
    for name in ("spec.json", "failure.json"):
        damage(folder.path / name)
    assert folder.state() is State.DAMAGED
    folder.create(spec)
    assert folder.state() is State.INTERRUPTED
    assert next(folder.load_checkpoints()) == b"state"
    assert folder.spec_file() == spec


def test_a_run_that_another_process_works_on_is_left_to_it(
    finished: RunFolder, spec: SpecFile
) -> None:
    cut(finished.path / "result.json")
    with finished.claim() as claimed:
        assert claimed
        with pytest.raises(StoreError, match="wait: another process works on this run"):
            RunFolder(finished.path).create(spec)
    assert finished.state() is State.DAMAGED


@pytest.mark.parametrize("damage", [cut, empty, fifo, link, as_folder])
def test_progress_is_for_displays_only(folder: RunFolder, damage: Callable[[Path], None]) -> None:
    progress = Progress(epoch=1, epochs=2, step_in_epoch=0, steps_per_epoch=3, loss=None, time=0.0)
    folder.write_progress(progress)
    assert folder.progress() == progress
    damage(folder.path / "progress.json")
    assert folder.progress() is None


@pytest.mark.parametrize("name", ["progress.tmp", "events.jsonl"])
def test_nothing_is_written_through_a_link(folder: RunFolder, tmp_path: Path, name: str) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    (folder.path / name).symlink_to(target)
    progress = Progress(epoch=1, epochs=2, step_in_epoch=0, steps_per_epoch=3, loss=None, time=0.0)
    folder.write_progress(progress)
    if name == "events.jsonl":
        with pytest.raises(OSError, match="it is a link, not a file"):
            folder.append_event(event(1))
    assert target.read_text() == "precious"
    assert folder.progress() == progress


def test_a_fifo_for_events_does_not_hang(folder: RunFolder) -> None:
    os.mkfifo(folder.path / "events.jsonl")
    with pytest.raises(OSError, match="it is a FIFO, not a file"):
        folder.append_event(event(1))
    with pytest.raises(StoreError, match="it is a FIFO, not a file"):
        folder.events()


CLAIMS = {
    "claim": "claim is a link, not a folder",
    "claim/0123": "claim/0123 is not a folder",
    "claim/0123/holder.json": "holder.json cannot be locked: it is a link, not a file",
}


@pytest.mark.parametrize(("name", "said"), CLAIMS.items())
def test_a_link_in_place_of_a_claim_is_one_line(
    folder: RunFolder, tmp_path: Path, name: str, said: str
) -> None:
    path = folder.path / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.symlink_to(tmp_path / "elsewhere")
    assert folder.state() is State.DAMAGED
    assert said in str(folder.damage())
    with pytest.raises(StoreError, match=said), folder.claim():
        pass
    assert not (tmp_path / "elsewhere").exists()
    assert path.is_symlink()


@pytest.mark.parametrize("make", [os.mkfifo, Path.touch])
def test_a_claim_that_is_no_folder_is_one_line(
    folder: RunFolder, make: Callable[[Path], None]
) -> None:
    make(folder.path / "claim")
    assert folder.state() is State.DAMAGED
    with pytest.raises(StoreError, match="claim cannot be locked: Not a directory"), folder.claim():
        pass


def test_a_fifo_for_a_holder_does_not_hang(folder: RunFolder) -> None:
    (folder.path / "claim" / "0123").mkdir(parents=True)
    os.mkfifo(folder.path / "claim" / "0123" / "holder.json")
    assert "it is a FIFO, not a file" in str(folder.damage())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "weights.safetensors is missing"),
        (b"", "weights.safetensors is damaged"),
        (b"\x02\0\0\0\0\0\0\0{}", None),
        (b"\x02\0\0\0\0\0\0\0{}!", "weights.safetensors is damaged: 11 of 10 bytes"),
        (b"\xff" * 60, "weights.safetensors is damaged"),
        (b"\x02\0\0\0\0\0\0\0[]", "weights.safetensors is damaged"),
    ],
)
def test_weights_of_another_size_are_noticed(
    finished: RunFolder, content: bytes | None, said: str | None
) -> None:
    if content is not None:
        finished.weights_path.write_bytes(content)
    assert finished.weights_problem() == said


@pytest.mark.parametrize("damage", [cut, fifo, link, as_folder])
def test_the_older_checkpoint_takes_the_place_of_a_damaged_one(
    folder: RunFolder, damage: Callable[[Path], None]
) -> None:
    folder.save_checkpoint(100, b"older" * 10)
    folder.save_checkpoint(200, b"newer" * 10)
    damage(folder.path / "checkpoint-000000200.pt")
    assert list(folder.load_checkpoints()) == [b"older" * 10]
