"""A store that cannot be written to can be read; to train in it is refused in one line."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ablate.errors import StoreError
from ablate.registry import Catalogue
from ablate.runs import FileDigests, Store
from ablate.study import latest_start, report_sweep, run_sweep
from ablate.study.doctor import examine
from ablate.study.status import sweep_status
from report.sweep_on_disk import SweepOnDisk
from tiny_sweeps import tiny_study

DONE, UNFINISHED = "translandseg-1", "translandseg"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    """Mounted read-only: a sweep with a run that is done, and one that was killed."""
    writable, folder = tmp_path / "writable", tmp_path / "store"
    table = SweepOnDisk(writable, Catalogue().protocol("demo"), names=(UNFINISHED, DONE))
    table.finish(DONE, miou=0.84)
    table.start()
    (table.begin(UNFINISHED).path / "claim.lock").touch()
    folder.mkdir()
    bind = subprocess.run(
        ["mount", "--bind", str(writable), str(folder)], capture_output=True, check=False
    )
    if os.geteuid() or bind.returncode:
        pytest.skip("needs the right to mount a file system")
    subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_it_is_shown_and_reported(store: Path) -> None:
    (status,) = sweep_status(store)
    assert {row["variant"]: row["state"] for row in status.runs} == {
        DONE: "done",
        UNFINISHED: "new",
    }
    opened = Store(store)
    (record,) = latest_start(opened, "table4")
    assert DONE in report_sweep(record, opened).render("csv")


def test_it_is_planned_and_not_run(store: Path) -> None:
    planned = tiny_study(store).plan()
    assert len(planned.plan.pending) == 2
    with pytest.raises(StoreError, match=r"store cannot be written: Read-only file system; check"):
        run_sweep(planned)


def test_digests_are_computed_though_they_cannot_be_kept(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    os.utime(file, (0, 0))
    digests = FileDigests(store / "cache" / "digests.json")
    assert digests.of(file).startswith("e3b0c442")
    digests.save()


def test_it_is_examined(store: Path) -> None:
    (finding,) = [each for each in examine(None, None, store, None) if each.what == "store"]
    assert finding.state == "problem"
    assert "Read-only file system" in finding.finding


def test_where_there_are_no_hard_links_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    (finding,) = [each for each in examine(None, None, tmp_path, None) if each.what == "store"]
    assert finding.state == "ok"
    assert finding.finding.endswith("published by renaming: no hard links here")
    assert not list(tmp_path.iterdir())
