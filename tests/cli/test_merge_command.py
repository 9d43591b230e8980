"""``ablate merge`` from the command line."""

import json
import shutil
from pathlib import Path

from cli.command import ablate
from fixture_stores import FOLDERS, copy_of


def test_a_store_is_moved_and_reported(tmp_path: Path) -> None:
    store = copy_of(FOLDERS[-1], tmp_path).root
    done = ablate(tmp_path, "merge", str(store), "--into", "all")
    assert done.returncode == 0, done.stderr
    assert "runs copied: 6, replaced by runs that are further: 0, kept: 0" in done.stdout
    assert ablate(tmp_path, "verify", "--store", "all").returncode == 0


def test_every_reason_is_a_line(tmp_path: Path) -> None:
    store = copy_of(FOLDERS[-1], tmp_path).root
    other = tmp_path / "other"
    shutil.copytree(store, other)
    for path in sorted(other.glob("runs/*/result.json"))[:2]:
        path.write_text(json.dumps(json.loads(path.read_text()) | {"weights_sha256": "0" * 64}))
    done = ablate(tmp_path, "merge", str(store), "other", "--into", "all")
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert all("are one run with two results: weights_sha256 is " in line for line in lines)
    assert not (tmp_path / "all").exists()


def test_what_is_no_store_is_bad_input(tmp_path: Path) -> None:
    done = ablate(tmp_path, "merge", "nowhere", "--into", "all")
    assert done.returncode == 2
    assert "nowhere is not a store of ablate" in done.stderr
    assert not (tmp_path / "all").exists()
