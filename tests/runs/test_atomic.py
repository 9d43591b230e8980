"""Files are written whole or not at all, and nothing is left behind."""

import errno
import fcntl
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ablate.runs import atomic


def test_a_name_as_long_as_the_file_system_allows_works(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    atomic.replace(path, b"old")
    atomic.replace(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_the_way_is_an_error_that_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(IsADirectoryError):
        atomic.replace(target, b"content")
    assert not atomic.publish(target, b"content")
    assert list(tmp_path.iterdir()) == [target]


def test_what_is_published_first_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    assert atomic.publish(path, b"first")
    assert not atomic.publish(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("write", [atomic.replace, atomic.publish])
def test_the_name_reaches_the_disk_after_the_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: object
) -> None:
    path = tmp_path / "file"
    synced: list[tuple[str, bool]] = []
    fsync = os.fsync

    def spy(descriptor: int) -> None:
        kind = "folder" if os.path.samestat(os.fstat(descriptor), tmp_path.stat()) else "file"
        synced.append((kind, path.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    write(path, b"content")  # type: ignore[operator]
    assert synced == [("file", False), ("folder", True)]


@pytest.fixture(params=[errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP])
def without_links(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """What exFAT, FUSE and others say of hard links."""

    def refuse(source: Path, target: Path) -> None:
        raise OSError(request.param, os.strerror(request.param), str(source), None, str(target))

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("without_links")
def test_without_hard_links_what_is_published_first_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert not atomic.has_links(tmp_path)
    assert atomic.publish(path, b"first")
    assert not atomic.publish(path, b"second")
    assert path.read_bytes() == b"first"
    assert {each.name for each in tmp_path.iterdir()} == {"file", atomic.PUBLISH_LOCK}


@pytest.mark.usefixtures("without_links")
def test_without_hard_links_one_of_many_publishes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = [str(number).encode() * 1000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        published = list(pool.map(lambda content: atomic.publish(path, content), contents))
    assert published.count(True) == 1
    assert path.read_bytes() == contents[published.index(True)]


def test_hard_links_are_found_where_there_are_some(tmp_path: Path) -> None:
    assert atomic.has_links(tmp_path)
    assert not list(tmp_path.iterdir())


_WRITE_AND_WAIT = """
import sys
from pathlib import Path
from ablate.runs import atomic
with atomic.writing(Path(sys.argv[1])) as file:
    print("writing", flush=True)
    sys.stdin.read()
"""


def test_leftovers_of_the_dead_are_removed_and_files_of_the_living_are_not(tmp_path: Path) -> None:
    target, other = tmp_path / "target", tmp_path / ".123-notes.tmp"
    other.touch()
    with subprocess.Popen(
        [sys.executable, "-c", _WRITE_AND_WAIT, str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        (temporary,) = set(tmp_path.iterdir()) - {other}
        atomic.remove_leftovers(tmp_path)
        assert temporary.exists()
        process.kill()
    assert temporary.exists()
    atomic.replace(tmp_path / "another", b"")
    assert set(tmp_path.iterdir()) == {other, tmp_path / "another"}


def test_a_file_that_was_taken_for_left_behind_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, removed = fcntl.flock, []

    def remove_before(file: Any, operation: int) -> None:
        if not removed:
            removed.extend(tmp_path.iterdir())
            removed[0].unlink()
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", remove_before)
    atomic.replace(tmp_path / "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"
    assert len(removed) == 1


def test_an_error_names_the_file_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fill)
    for write in (atomic.replace, atomic.publish):
        with pytest.raises(OSError, match=r"No space left on device: '.*/target'"):
            write(tmp_path / "target", b"content")
    assert not list(tmp_path.iterdir())


def test_a_line_that_does_not_fit_leaves_no_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lines"
    atomic.append_line(path, "first")
    write = os.write

    def fill(descriptor: int, content: bytes) -> int:
        if len(content) < 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, content[:5])

    monkeypatch.setattr(os, "write", fill)
    with pytest.raises(OSError, match=r"No space left on device: '.*/lines'"):
        atomic.append_line(path, "second")
    assert path.read_text() == "first\n"


def test_the_names_of_new_folders_reach_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(atomic, "sync_folder", synced.append)
    atomic.replace(tmp_path / "a" / "b" / "file", b"")
    assert synced == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
