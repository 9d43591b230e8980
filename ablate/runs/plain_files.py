"""Reading a store's files without trusting that they are files."""

import errno
import os
import stat
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
    # Without O_NONBLOCK, opening a FIFO waits for a writer.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags)
    except OSError:
        if path.is_symlink():
            raise OSError(errno.EINVAL, "it is a link, not a file", str(path)) from None
        raise
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, f"it is {_kind(status.st_mode)}, not a file", str(path))
        if status.st_size > most_bytes:
            raise OSError(
                errno.EFBIG,
                f"it has {status.st_size:,} bytes, more than the {most_bytes:,} allowed",
                str(path),
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a FIFO" if stat.S_ISFIFO(mode) else "a device or socket"
