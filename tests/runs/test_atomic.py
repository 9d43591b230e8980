"""Files are written whole or not at all, and nothing is left behind."""

import os
from pathlib import Path

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
