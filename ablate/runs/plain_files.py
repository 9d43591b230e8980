"""Reading a store's files without trusting that they are files."""

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import TypeVar

from ablate.errors import StoreClosed
from ablate.runs.names import shown

# A result has a few kilobytes, a sweep's record of 10,000 runs some tens of megabytes.
MOST_BYTES = 1 << 30

# How long is waited before each further try.
_PAUSES_S = (0.0, 0.05, 0.2, 0.5)

_Found = TypeVar("_Found")
# A read of so much is not cut short but by the file's end.
_SMALL_BYTES = 1 << 20

NOT_A_FILE = (errno.EINVAL, errno.EFBIG)
"""What is raised where a name leads to no file that could have been written by ablate."""

# At the top of a store. Below it, links in place of a run's folders and files are met where those
# are opened.
_FOLDERS = frozenset(
    ("runs", "sweeps", "tunings", "sources", "data-checks", "drivers", "cache", "mlflow", "logs")
)
# Folders in these hold files that other libraries open.
_FOLLOWED = ("cache", "mlflow")


def check_no_links(store: Path) -> None:
    """Refuses a store with links in place of its folders: what is written there would leave it.

    The store itself may be a link: whoever names it means what it leads to.

    Raises:
        StoreClosed: If there is one.
    """
    found = [path for path in _links(store) if path.name in _FOLDERS]
    for name in () if found else _FOLLOWED:
        found += [path for path in _links(store / name) if path.is_dir()]
    if found:
        raise StoreClosed(
            f"{shown(min(found))} is a link, which may lead out of the store",
            "put what it leads to in its place, or mount it there; the store itself may be a link",
        )


def _links(folder: Path) -> list[Path]:
    # What is no folder is refused elsewhere.
    with suppress(OSError), os.scandir(folder) as entries:
        return [Path(entry.path) for entry in entries if entry.is_symlink()]
    return []


def unless_stale(call: Callable[[], _Found]) -> _Found:
    """Calls again where a network file system says that what a name led to is gone (ESTALE).

    The client had remembered a file that another host has replaced since; it looks the name up
    anew once it knows.

    Args:
        call: Opens, reads or renames something.

    Raises:
        OSError: If it still says so after the last try, or for any other reason at once.
    """
    for pause_s in _PAUSES_S:
        try:
            return call()
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
        time.sleep(pause_s)
    return call()


def read_bytes(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """The content of a regular file.

    Args:
        path: The file.
        most_bytes: A larger file is refused before it is read.

    Raises:
        FileNotFoundError: If there is nothing of this name.
        OSError: If it cannot be read, is no regular file, or is too large; ``strerror`` says why.
    """
    return unless_stale(lambda: _content(path, most_bytes))


def _content(path: Path, most_bytes: int) -> bytes:
    with _descriptor(path, os.O_RDONLY) as descriptor:
        size = os.fstat(descriptor).st_size
        if size > most_bytes:
            why = f"it has {size:,} bytes, more than the {most_bytes:,} allowed"
            raise OSError(errno.EFBIG, why, str(path))
        if size < _SMALL_BYTES:
            # A buffered file takes longer than the reading. One byte more shows the end.
            content = os.read(descriptor, size + 1)
            if len(content) == size:
                return content
            os.lseek(descriptor, 0, os.SEEK_SET)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """A regular file of any size, to be read.

    Raises:
        FileNotFoundError: If there is nothing of this name.
        OSError: If it cannot be opened, or is no regular file; ``strerror`` says why.
    """
    with (
        _descriptor(path, os.O_RDONLY) as descriptor,
        os.fdopen(descriptor, "rb", closefd=False) as file,
    ):
        yield file


@contextmanager
def appended(path: Path) -> Iterator[BufferedWriter]:
    """A regular file, created if need be, to whose end is written.

    Raises:
        OSError: If it cannot be opened, or is no regular file; ``strerror`` says why.
    """
    with (
        _descriptor(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT) as descriptor,
        os.fdopen(descriptor, "wb", closefd=False) as file,
    ):
        yield file


@contextmanager
def _descriptor(path: Path, flags: int) -> Iterator[int]:
    """A regular file.

    A store may come from others: a link in place of a file could lead to any file of this
    machine, and a FIFO or a terminal would never end.
    """
    # Without O_NONBLOCK, opening a FIFO waits for its other end.
    safe = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
    try:
        descriptor = unless_stale(lambda: os.open(path, flags | safe, 0o666))
    except OSError as error:
        if path.is_symlink():
            raise OSError(errno.EINVAL, "it is a link, not a file", str(path)) from None
        # What the system says of a FIFO without a reader that is opened for writing.
        if error.errno == errno.ENXIO:
            raise OSError(errno.EINVAL, "it is a FIFO, not a file", str(path)) from None
        raise
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, f"it is {_kind(mode)}, not a file", str(path))
        yield descriptor
    finally:
        os.close(descriptor)


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a FIFO" if stat.S_ISFIFO(mode) else "a device or socket"
