"""Locks of files, which the operating system releases with the process that holds them."""

from __future__ import annotations

import errno
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ablate.errors import StoreError
from ablate.runs import plain_files

# What only reads a store waits for no lock.
if TYPE_CHECKING:
    from filelock import FileLock

# What file systems say that have no locks, such as Lustre without `-o flock` and some of FUSE.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)
FOREVER = -1.0


def file_lock(path: Path) -> FileLock:
    """The lock of this file, which is made if need be and stays.

    Where there are no locks, acquiring it raises: a mark in the file, which filelock would leave
    instead, outlives a process that is killed.
    """
    from filelock import FileLock

    return FileLock(path, fallback_to_soft=False)


@contextmanager
def held(
    path: Path, timeout_s: float = FOREVER, repair: str = "remove it", *, leaves_file: bool = True
) -> Iterator[bool]:
    """Holds the lock of a file.

    Args:
        path: The file.
        timeout_s: How long to wait for another process that holds it.
        repair: What to do where there is no file that can be locked.
        leaves_file: Whether the file stays; if not, it is removed once it was held.

    Yields:
        Whether it is held now; False: another process has held it all this time.

    Raises:
        StoreError: If it cannot be locked.
    """
    from filelock import Timeout

    lock = file_lock(path)
    try:
        lock.acquire(timeout=timeout_s)
    except Timeout:
        yield False
        return
    except OSError as error:
        raise refusal(path, error, repair) from error
    try:
        yield True
    finally:
        if not leaves_file:
            # While it is held: who waits for it is given no lock of a file that has gone, and
            # makes another.
            with suppress(OSError):
                path.unlink()
        lock.release()


def is_held(path: Path) -> bool:
    """Whether some process holds the lock of a file; it is only read, and needs no permission.

    A file that is not there, may not be read, or lies where there are no locks counts as free.

    Raises:
        StoreError: If what is there is no file.
    """
    try:
        with plain_files.opened(path) as file:
            return is_locked(file)
    except (FileNotFoundError, PermissionError):
        return False
    except OSError as error:
        raise refusal(path, error, "remove it") from error


def is_locked(file: IO[bytes]) -> bool:
    """Whether some process holds the lock of an open file; not where there are no locks.

    Raises:
        OSError: If the system does not say.
    """
    try:
        # Shared: those who only look are not in each other's way.
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        if not are_missing(error):
            raise
    return False


def check_support(file: IO[bytes], folder: Path) -> None:
    """Refuses a file that cannot be locked.

    Args:
        file: Open for writing, and unknown to other processes.
        folder: Where it lies.

    Raises:
        StoreError: If the file system has no locks.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise refusal(folder / "file", error, "") from error


def are_missing(error: OSError) -> bool:
    """Whether this is what a file system says that has no locks."""
    return error.errno in _NO_LOCKS


def refusal(path: Path, error: OSError, repair: str) -> StoreError:
    """What the user is told where something cannot be locked or claimed.

    Args:
        path: What.
        error: What the system says.
        repair: What to do where nothing better is known.
    """
    # Of these errors flock's have no file name.
    if are_missing(error) and error.filename is None:
        return StoreError(
            f"{path.parent} is on a file system without file locks ({error.strerror})",
            "put the store on another disk",
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        repair = "check its permissions, or use a store that you can write to"
    elif error.errno in (errno.ENOSPC, errno.EDQUOT):
        repair = "free space"
    return StoreError(f"{path} cannot be locked: {error.strerror}", repair)
