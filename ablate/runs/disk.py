"""What the disk of a store has room for and can do, and errors of files in words."""

import errno
import os
import tempfile
from pathlib import Path

from ablate.errors import StoreError
from ablate.runs import locks

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)
_UNITS = ("B", "kB", "MB", "GB", "TB")
# More than the description of a failed run has: where that fits, the run says itself what is wrong.
_PROBE_BYTES = 1 << 16


def is_full(error: BaseException) -> bool:
    """Whether there is no room on the disk, or none for this user."""
    return isinstance(error, OSError) and error.errno in _FULL


def in_words(error: OSError) -> tuple[str, str]:
    """What is wrong with a file, and what to do."""
    if is_full(error):
        where = f"{error.filename} cannot be written" if error.filename else error.strerror
        return f"the disk is full: {where}", "free space and run the same command again"
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}", "check the path and its permissions"


def size_text(size_bytes: float) -> str:
    """A size in decimal units, such as ``983.0 kB``."""
    # What rounds up to 1000.0 is one of the next unit.
    fitting = (power for power in range(len(_UNITS)) if size_bytes < 999.95 * 1000**power)
    power = next(fitting, len(_UNITS) - 1)
    return f"{size_bytes / 1000**power:.{min(power, 1)}f} {_UNITS[power]}"


def nearest_folder(path: Path) -> Path:
    """The folder, or the one that it would be made in."""
    while not path.exists():
        path = path.parent
    return path


def check_readable(root: Path) -> None:
    """Refuses a store where a claim on a run could not be told from one that was left behind.

    Nothing is left behind. What cannot be written to is not examined.

    Raises:
        StoreError: If its file system has no locks.
    """
    try:
        _probe(nearest_folder(root), b"")
    except OSError as error:
        if error.errno not in (*_NOT_WRITABLE, *_FULL):
            raise StoreError(*in_words(error)) from error


def check_writable(root: Path) -> None:
    """Refuses a store that nothing can be written to. Nothing is left behind.

    Raises:
        StoreError: If it cannot be written, its disk is full, or its file system has no locks.
    """
    folder = nearest_folder(root)
    try:
        _probe(folder, b"\0" * _PROBE_BYTES)
    except OSError as error:
        if is_full(error):
            raise StoreError(*in_words(OSError(error.errno, "", str(root)))) from error
        raise StoreError(
            f"the store {root} cannot be written: {error.strerror}",
            "check its permissions, or name another with --store",
        ) from error


def _probe(folder: Path, content: bytes) -> None:
    """Writes a file without a name into a folder, and locks it.

    Raises:
        OSError: If it cannot be written.
        StoreError: If it cannot be locked.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        locks.check_support(file, folder)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
