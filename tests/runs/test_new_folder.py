"""A folder is made whole or not at all, and what a killed process leaves is removed."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ablate.runs import hosts
from ablate.runs.new_folder import new_folder

_KILLED = """
import os, signal, sys
from pathlib import Path
from ablate.runs.new_folder import new_folder

with new_folder(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("a half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_appears_with_all_that_is_in_it(tmp_path: Path) -> None:
    with new_folder(tmp_path / "new") as folder:
        (folder / "file").write_text("content")
        assert names(tmp_path) == [folder.name]
    assert names(tmp_path) == ["new"]
    assert names(tmp_path / "new") == ["file"]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), new_folder(tmp_path / "new") as folder:
        (folder / "none" / "file").write_text("content")
    assert names(tmp_path) == []


def test_what_a_kill_leaves_is_removed_by_the_next(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tmp_path / "new")], capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    (left,) = names(tmp_path)
    with new_folder(tmp_path / "other"):
        assert left not in names(tmp_path)
    assert names(tmp_path) == ["other"]


def test_what_others_are_making_or_have_made_stays(tmp_path: Path) -> None:
    elsewhere = f".1-{'0' * 8 if hosts.tag() != '0' * 8 else '1' * 8}-12345678.partial"
    (tmp_path / elsewhere).mkdir()
    (tmp_path / ".mine.partial").mkdir()
    link = tmp_path / f".1-{hosts.tag()}-12345678.partial"
    (tmp_path / "target").mkdir()
    link.symlink_to(tmp_path / "target")
    with new_folder(tmp_path / "one") as one, new_folder(tmp_path / "two") as two:
        assert one.is_dir()
        assert two.is_dir()
    kept = {elsewhere, ".mine.partial", link.name, "target", "one", "two"}
    assert set(names(tmp_path)) == kept
    assert link.is_symlink()
