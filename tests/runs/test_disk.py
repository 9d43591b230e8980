"""Sizes and errors of files in words; what a file system must have."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from ablate.errors import StoreError
from ablate.runs import disk


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (983_040, "983.0 kB"),
        (999_950, "1.0 MB"),
        (3_229_614_080, "3.2 GB"),
        (7e15, "7000.0 TB"),
    ],
)
def test_sizes_have_the_unit_that_fits(size_bytes: float, text: str) -> None:
    assert disk.size_text(size_bytes) == text


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_called_that(number: int) -> None:
    words = disk.in_words(OSError(number, os.strerror(number), "/store/file"))
    assert words == (
        "the disk is full: /store/file cannot be written",
        "free space and run the same command again",
    )


def test_any_other_error_says_what_the_system_says() -> None:
    words = disk.in_words(PermissionError(errno.EACCES, "Permission denied", "/store/file"))
    assert words == ("/store/file: Permission denied", "check the path and its permissions")


def test_examining_a_store_leaves_nothing_behind(tmp_path: Path) -> None:
    disk.check_readable(tmp_path / "new" / "store")
    disk.check_writable(tmp_path / "new" / "store")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    for check in (disk.check_readable, disk.check_writable):
        with pytest.raises(StoreError, match=r"without file locks \(.*\); put the store on"):
            check(tmp_path)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_what_cannot_be_written_to_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(**_: object) -> None:
        raise OSError(number, os.strerror(number), str(tmp_path))

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    disk.check_readable(tmp_path)
    with pytest.raises(StoreError, match="the disk is full" if number == 28 else "cannot be wri"):
        disk.check_writable(tmp_path)
