"""What killed processes leave in a run's folder is removed, and what a result needs is not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ablate.runs import Failure, RunFolder, SpecFile, State, atomic
from ablate.spec import RunSpec
from runs.test_folder import PROVENANCE, event, result

DEAD = ".999999999-0123abcd.tmp"


@pytest.fixture
def spec(run_spec: RunSpec) -> SpecFile:
    return SpecFile(key=run_spec.key, run=run_spec, provenance=PROVENANCE)


def names(folder: RunFolder) -> set[str]:
    return {path.relative_to(folder.path).as_posix() for path in folder.path.rglob("*.*")}


def test_who_claims_a_run_removes_what_the_dead_have_half_written(
    tmp_path: Path, spec: SpecFile
) -> None:
    folder = RunFolder(tmp_path / spec.key)
    folder.create(spec)
    for name in (
        DEAD,
        "claim.lock",
        "progress.tmp",
        f"attempts/{DEAD}",
        "attempts/12.tmp",
        f"panels/{DEAD}",
    ):
        path = folder.path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    with folder.claim():
        stage = next((folder.path / "claim").iterdir()).name
        assert names(folder) == {"spec.json", f"claim/{stage}/holder.json"}
    assert names(folder) == {"spec.json"}
    assert not (folder.path / "claim").exists()


def test_the_digest_of_a_checkpoint_that_was_never_written_goes_with_the_next(
    tmp_path: Path, spec: SpecFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(tmp_path / spec.key)
    folder.create(spec)
    (folder.path / "checkpoint-000000001.sha256").touch()
    folder.save_checkpoint(2, b"state")
    assert "checkpoint-000000001.sha256" not in names(folder)
    folder.publish_result(result(folder))
    assert names(folder) == {"spec.json", "result.json"}


def test_a_kill_right_after_the_result_leaves_nothing_for_ever(
    tmp_path: Path, spec: SpecFile
) -> None:
    folder = RunFolder(tmp_path / spec.key)
    folder.create(spec)
    folder.append_event(event(1))
    folder.publish_result(result(folder))
    os.link(folder.path / "result.json", folder.path / DEAD)
    folder.save_checkpoint(1, b"state")
    folder.write_failure(Failure(kind="error", message="an earlier one", detail="", time=1.0))
    folder.create(spec)
    assert names(folder) == {"spec.json", "events.jsonl", "result.json"}
    assert folder.state() is State.DONE


_PUBLISH = """
import errno, os, sys
from pathlib import Path
from ablate.runs import atomic

def refuse(*_):
    raise OSError(errno.EPERM, "Operation not permitted")

os.link = refuse
rename = atomic.rename

def kill_instead(source, target):
    if sys.argv[2] == "after":
        rename(source, target)
    os.kill(os.getpid(), 9)

atomic.rename = kill_instead
atomic.publish(Path(sys.argv[1]), b"whole")
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_without_hard_links_a_kill_leaves_all_or_nothing_and_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    path = tmp_path / "result.json"
    killed = subprocess.run([sys.executable, "-c", _PUBLISH, str(path), moment], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.exists() == (moment == "after")

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert atomic.publish(path, b"again") == (moment == "before")
    assert path.read_bytes() == (b"again" if moment == "before" else b"whole")
    assert {each.name for each in tmp_path.iterdir()} == {"result.json", atomic.PUBLISH_LOCK}


def test_without_hard_links_a_run_goes_its_way(
    tmp_path: Path, spec: SpecFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    folder = RunFolder(tmp_path / spec.key)
    folder.create(spec)
    assert folder.is_untouched()
    with folder.claim():
        folder.publish_result(result(folder, miou=0.5))
        folder.publish_result(result(folder, miou=0.6))
    stored = folder.result()
    assert stored is not None
    assert stored.metrics == {"miou": 0.5}
