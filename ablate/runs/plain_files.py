"""Reading a store's files without trusting that they are files."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

# A result has a few kilobytes, a sweep's record of 10,000 runs some tens of megabytes.
MOST_BYTES = 1 << 30


def read_bytes(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """The content of a regular file.

    A store may come from others: a link in place of a file could lead to any file of this
    machine, and reading a FIFO or a terminal would never end.

    Args:
        path: The file.
        most_bytes: A larger file is refused before it is read.

    Raises:
        FileNotFoundError: If there is nothing of this name.
        OSError: If it cannot be read, is no regular file, or is too large; ``strerror`` says why.
    """
    with opened(path) as file:
        size_bytes = os.fstat(file.fileno()).st_size
        if size_bytes > most_bytes:
            raise OSError(
                errno.EFBIG,
                f"it has {size_bytes:,} bytes, more than the {most_bytes:,} allowed",
                str(path),
            )
        return file.read()


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """A regular file of any size, open for reading; see ``read_bytes``.

    Raises:
        FileNotFoundError: If there is nothing of this name.
        OSError: If it cannot be read, or is no regular file; ``strerror`` says why.
    """
    # Without O_NONBLOCK, opening a FIFO waits for a writer.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags)
    except OSError:
        if path.is_symlink():
            raise OSError(errno.EINVAL, "it is a link, not a file", str(path)) from None
        raise
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, f"it is {_kind(mode)}, not a file", str(path))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a FIFO" if stat.S_ISFIFO(mode) else "a device or socket"
