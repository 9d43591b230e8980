"""Making a folder whole or not at all, and removing what dead processes have left of theirs."""

import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ablate.runs import atomic, hosts, locks

# Of the process with this id, the host and a random number.
_PARTIAL = re.compile(r"\.\d+-([0-9a-f]{8})-[0-9a-f]{8}\.partial")
# What NFS says of a lock of a folder: only what is open for writing is locked there.
_NFS = errno.EBADF


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder that becomes ``target`` at the end, unless filling it fails.

    It lies beside ``target`` until then, locked. What processes of this host that have died have
    left there is removed first.

    Args:
        target: What there is not yet.

    Yields:
        Where to write the files; each is to be forced to the disk by its writer.

    Raises:
        OSError: If it cannot be made or renamed.
    """
    remove_leftovers(target.absolute().parent)
    name = f".{os.getpid()}-{hosts.tag()}-{secrets.token_hex(4)}.partial"
    partial = target.with_name(name)
    descriptor = _make_locked(partial)
    try:
        yield partial
        atomic.sync_folder(partial)
        atomic.rename(partial, target)
    finally:
        os.close(descriptor)
        shutil.rmtree(partial, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Removes the unfinished folders in this one whose processes have died.

    Who fills one holds its lock, which counts on its own host only; where there are no locks, none
    is removed.
    """
    with suppress(OSError):
        for path in folder.iterdir():
            match = _PARTIAL.fullmatch(path.name)
            if match and match[1] == hosts.tag():
                with suppress(OSError):
                    _remove_if_dead(path)


def _make_locked(path: Path) -> int:
    """Makes a folder that others know to be in use; gives the descriptor that holds the lock."""
    while True:
        path.mkdir()
        # Another process may take it for left behind, and remove it, before it is locked.
        with suppress(FileNotFoundError):
            descriptor = _open(path)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError as error:
                if not locks.are_missing(error) and error.errno != _NFS:
                    os.close(descriptor)
                    raise
            if path.is_dir():
                return descriptor
            os.close(descriptor)


def _remove_if_dead(path: Path) -> None:
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
