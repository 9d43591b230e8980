"""Where sockets lie: on a short path, and removed though their process was killed.

By default that of the fork server lies in a folder under TMPDIR whose path may be too long for a
socket, and which stays for ever after a kill.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import process, util
from pathlib import Path

from ablate.errors import BadInput

_PREFIX = "ablate-sockets-"
# Linux takes 107 bytes, others 103; the folder and the socket in it need some 40 of them.
_LONGEST_BYTES = 60
# The folder made in one of them is closed to others.
_SHORT_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108


def make_socket_folder() -> None:
    """Makes the folder in which multiprocessing puts its sockets, unless this process has one.

    It ends with this process. Those of processes that were killed are removed.

    Raises:
        BadInput: If there is no folder for temporary files.
    """
    # multiprocessing has no public name for it.
    config = getattr(process.current_process(), "_config", {})
    if config.get("tempdir") is None:
        folder = _make(_PREFIX, _LONGEST_BYTES)
        # As multiprocessing does with a folder of its own, after the server has ended.
        util.Finalize(None, shutil.rmtree, args=(folder, True), exitpriority=-100)
        config["tempdir"] = folder


@contextmanager
def short_folder(prefix: str, longest_bytes: int) -> Iterator[str]:
    """A folder for the sockets of others, removed in the end.

    Those of processes that were killed are removed at the beginning.

    Args:
        prefix: How its name begins, and those of the others of its kind.
        longest_bytes: How long the path of the folder that it lies in may be.

    Raises:
        BadInput: If there is no folder for temporary files.
    """
    folder = _make(prefix, longest_bytes)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make(prefix: str, longest_bytes: int) -> str:
    """Makes a folder of this process.

    Raises:
        BadInput: If there is no folder for temporary files.
    """
    for parent in _parents(longest_bytes):
        with suppress(OSError):
            _remove_dead(parent, prefix)
            return _make_in(parent, prefix)
    raise BadInput(
        "there is no folder for temporary files", "set TMPDIR to one that can be written to"
    )


def _parents(longest_bytes: int) -> Iterator[Path]:
    """Where it may lie, the place for temporary files first."""
    with suppress(FileNotFoundError):
        usual = tempfile.gettempdir()
        if len(os.fsencode(usual)) <= longest_bytes:
            yield Path(usual)
    yield from map(Path, _SHORT_FOLDERS)


def _make_in(parent: Path, prefix: str) -> str:
    """Makes a folder and holds its lock, by which others see that this process lives."""
    while True:
        folder = tempfile.mkdtemp(prefix=prefix, dir=parent)
        descriptor = os.open(folder, os.O_RDONLY)
        # Where there are no locks, nobody removes it.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Another process may have taken it for that of a dead one, before it was locked.
        if Path(folder).exists():
            return folder
        os.close(descriptor)


def _remove_dead(parent: Path, prefix: str) -> None:
    """Removes the folders that no process holds."""
    for folder in parent.glob(f"{prefix}*"):
        # Those of other users cannot be opened.
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(descriptor)
