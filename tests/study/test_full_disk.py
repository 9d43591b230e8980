"""A full disk: one line, nothing left behind, and the same command goes on once there is room."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import BinaryIO

import pytest

from ablate.errors import RunFailed, StoreError
from ablate.runs import State, atomic
from ablate.study import run_sweep
from cli.command import TINY, ablate
from tiny_sweeps import tiny_study

ROW = "translandseg-4"


class FullDisk:
    """No file whose name fits to one of the patterns can be written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.patterns: tuple[str, ...] = ()
        temporary, write = atomic._temporary, Path.open

        @contextmanager
        def temporary_file(path: Path, stage: Path | None) -> Iterator[tuple[Path, BinaryIO]]:
            with temporary(path, stage) as (name, file):
                self._check(path)
                yield name, file

        def opened(path: Path, mode: str = "r", *words: object, **more: object) -> object:
            if "w" in mode:
                self._check(path)
            return write(path, mode, *words, **more)  # type: ignore[call-overload]

        monkeypatch.setattr(atomic, "_temporary", temporary_file)
        monkeypatch.setattr(Path, "open", opened)

    def _check(self, path: Path) -> None:
        if any(fnmatch(path.name, pattern) for pattern in self.patterns):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FullDisk:
    return FullDisk(monkeypatch)


def content(store: Path) -> dict[str, bytes]:
    """What the runs of a store computed."""
    return {
        path.relative_to(store).as_posix(): path.read_bytes()
        for name in ("weights.safetensors", "confusion.parquet", "panels/*.png")
        for path in store.glob(f"runs/*/{name}")
    }


def leftovers(store: Path) -> list[str]:
    wrong = [path for path in store.rglob("*") if path.suffix in (".tmp", ".partial")]
    done = {path.parent for path in store.glob("runs/*/result.json")}
    wrong += [path for folder in done for path in folder.glob("checkpoint-*")]
    return [str(path) for path in wrong]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    store = tmp_path_factory.mktemp("undisturbed")
    tiny_study(store, variants=[ROW], executor="inline").run()
    return content(store)


@pytest.mark.parametrize(
    "name",
    # Panels, weights and confusions are written as results are.
    ["images.npy", "checkpoint-*.pt", "events.jsonl", "result.json"],
)
def test_a_run_fails_and_is_done_by_the_same_command_once_there_is_room(
    tmp_path: Path, disk: FullDisk, undisturbed: dict[str, bytes], name: str
) -> None:
    study = tiny_study(tmp_path, variants=[ROW], executor="inline")
    disk.patterns = (name,)
    (failed,) = study.run().failed
    assert failed.state is State.FAILED
    assert failed.failure is not None
    assert failed.failure.message.startswith("the disk is full: ")
    assert "cannot be written; free space and run the same command again" in failed.failure.message
    assert not leftovers(tmp_path)
    disk.patterns = ()
    (ended,) = study.run().runs
    assert ended.state is State.DONE
    assert content(tmp_path) == undisturbed
    assert not leftovers(tmp_path)


def test_a_disk_that_takes_no_failure_either_ends_the_sweep(
    tmp_path: Path, disk: FullDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tiny_study(tmp_path, variants=[ROW], executor="inline")
    planned = study.plan()
    disk.patterns = ("checkpoint-*.pt", "failure.json")
    checks: list[Path] = []

    def full_at_the_end(root: Path) -> None:
        checks.append(root)
        if len(checks) > 1:
            raise StoreError("the disk is full", "free space")

    monkeypatch.setattr("ablate.runs.disk.check_writable", full_at_the_end)
    with pytest.raises(RunFailed, match="the disk is full; free space"):
        run_sweep(planned)
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("name", ["spec.json", "table4-*.json"])
def test_what_cannot_be_begun_is_an_error_that_names_the_file(
    tmp_path: Path, disk: FullDisk, name: str
) -> None:
    study = tiny_study(tmp_path, variants=[ROW], executor="inline")
    planned = study.plan()
    disk.patterns = (name,)
    with pytest.raises(OSError, match=r"No space left on device: '.*/(spec|table4-.*)\.json'"):
        run_sweep(planned)
    assert not leftovers(tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of eight megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path, left_bytes: int) -> Path:
    path = folder / "fill"
    statistics = os.statvfs(folder)
    path.write_bytes(b"0" * (statistics.f_bavail * statistics.f_frsize - left_bytes))
    return path


@pytest.mark.parametrize(("left_bytes", "code"), [(0, 2), (200_000, 1)])
def test_of_a_disk_that_is_full_the_user_reads_a_line(
    tmp_path: Path, small_disk: Path, left_bytes: int, code: int
) -> None:
    filling = fill(small_disk, left_bytes)
    words = ("--grid", "table4", "--protocol", "demo", "--variant", ROW, *TINY, "--device", "cpu")
    run = ("run", *words, "--no-track", "--quiet", "--store", str(small_disk / "store"))
    full = ablate(tmp_path, *run)
    assert full.returncode == code
    (line,) = full.stderr.splitlines()
    assert "the disk is full" in line or " free; free space or name another store" in line
    assert not leftovers(small_disk)
    filling.unlink()
    assert ablate(tmp_path, *run).returncode == 0
    assert not leftovers(small_disk)
