"""Writing files so that a kill leaves the old content or the new, never a half."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ablate.runs import plain_files

# Some network file systems cannot force a folder to the disk.
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP)


@contextmanager
def _temporary(path: Path, content: bytes) -> Iterator[Path]:
    """Writes ``content`` to a new file beside ``path`` and forces it to the disk.

    Yields:
        The new file; it is removed at the end if it is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not tempfile: its files are closed to the group, and a store may be shared. The name is
    # independent of the target's, which may be as long as the file system allows.
    temporary = path.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Forces the names in a folder to the disk: a rename alone may be lost with the power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def replace(path: Path, content: bytes) -> None:
    """Puts ``content`` in place of whatever file ``path`` is."""
    with _temporary(path, content) as temporary:
        temporary.replace(path)
        sync_folder(path.parent)


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Puts a file of any size in place of whatever file ``path`` is, unless writing it fails.

    Yields:
        The file, open for writing.
    """
    with _temporary(path, b"") as temporary:
        with temporary.open("r+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)


def publish(path: Path, content: bytes) -> bool:
    """Creates ``path`` with ``content``, once and for all.

    Returns:
        False where the file existed already; it is left as it was.
    """
    with _temporary(path, content) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        sync_folder(path.parent)
    return True


def replace_lightly(path: Path, content: bytes) -> None:
    """Puts ``content`` in place of a file that only this process writes.

    It survives a kill of the process, but perhaps not a loss of power.
    """
    temporary = path.with_suffix(".tmp")
    # Whatever lies there, such as a link, is not written to.
    temporary.unlink(missing_ok=True)
    with temporary.open("xb") as file:
        file.write(content)
    temporary.replace(path)


def append_line(path: Path, line: str) -> None:
    """Appends one line and forces it to the disk.

    Raises:
        OSError: If something that is no file lies at ``path``.
    """
    with plain_files.appended(path) as file:
        file.write(f"{line}\n".encode())
        file.flush()
        os.fsync(file.fileno())
