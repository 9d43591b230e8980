"""Writing files so that a kill leaves the old content or the new, never a half.

What is written reaches the disk before its name does, and the name before the caller goes on.
"""

import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ablate.runs import hosts, locks, plain_files

# Some network file systems cannot force a folder to the disk.
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP)
# What file systems say that have no hard links: exFAT, FAT, many of FUSE (Google Drive, gcsfuse).
_NO_LINKS = (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK)
# Of the process with this id, the host and a random number; older ones are of no host.
_TEMPORARY = re.compile(r"\.\d+-(?:([0-9a-f]{8})-)?[0-9a-f]{8}\.tmp")
PUBLISH_LOCK = ".publish.lock"
"""Beside what is published where there are no hard links."""


@contextmanager
def writing(
    path: Path, stage: Path | None = None, *, force_name: bool = True
) -> Iterator[BinaryIO]:
    """Puts a file of any size in place of whatever file ``path`` is, unless writing it fails.

    Args:
        path: The file.
        stage: A folder that only this process writes to, where the temporary file is to lie (see
            ``staging``); None: beside ``path``.
        force_name: Whether to wait until the name is on the disk, and not only the content.

    Yields:
        The file, open for writing.

    Raises:
        OSError: If it cannot be written; ``filename`` says which.
    """
    with _temporary(path, stage) as (temporary, file):
        yield file
        _force_to_disk(file)
        plain_files.unless_stale(lambda: temporary.replace(path))
        if force_name:
            sync_folder(path.parent)


def replace(
    path: Path, content: bytes, stage: Path | None = None, *, force_name: bool = True
) -> None:
    """Puts ``content`` in place of whatever file ``path`` is; see ``writing``."""
    with writing(path, stage, force_name=force_name) as file:
        file.write(content)


def publish(path: Path, content: bytes, stage: Path | None = None) -> bool:
    """Creates ``path`` with ``content``, once and for all.

    A hard link fails if its name is taken. Where there are none, the file is renamed under a lock
    that all take who publish in this folder: it is released with the process, so that a kill at
    any moment leaves all of the file or nothing of it.

    Args:
        path: The file.
        content: What it is to hold.
        stage: As for ``writing``.

    Returns:
        False where the file existed already; it is left as it was.

    Raises:
        OSError: If it cannot be written; ``filename`` says which.
        StoreError: If there are neither hard links nor locks.
    """
    with _temporary(path, stage) as (temporary, file):
        file.write(content)
        _force_to_disk(file)
        try:
            plain_files.unless_stale(lambda: os.link(temporary, path))
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return _rename_unless_there(temporary, path)
        sync_folder(path.parent)
    return True


def has_links(folder: Path) -> bool:
    """Whether files of a folder can have a second name.

    Raises:
        OSError: If nothing can be written there.
    """
    with _temporary(folder / "first") as (first, _), _temporary(folder / "second") as (second, _):
        second.unlink()
        try:
            os.link(first, second)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return False
    return True


def rename(source: Path, target: Path) -> None:
    """Renames a file or folder within a file system, and forces the names to the disk."""
    source.replace(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def add_name(source: Path, target: Path) -> None:
    """Gives a file a second name, and what is in a folder; a copy where there are no hard links."""
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True, copy_function=_link)
    else:
        _link(source, target)
    sync_folder(target.parent)


def _link(source: os.PathLike[str] | str, target: os.PathLike[str] | str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copyfile(source, target, follow_symlinks=False)


def make_folder(path: Path) -> None:
    """Makes a folder and those that it is to lie in, and forces their names to the disk."""
    if path.is_dir():
        return
    make_folder(path.parent)
    try:
        path.mkdir(exist_ok=True)
    except FileExistsError:
        why = os.strerror(errno.ENOTDIR)
        raise NotADirectoryError(errno.ENOTDIR, why, str(path)) from None
    sync_folder(path.parent)


def require_folder(path: Path) -> None:
    """Refuses to write into a folder that was there and is gone: it would be made anew, half.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    if not path.is_dir():
        raise FileNotFoundError(errno.ENOENT, "the folder is gone", str(path))


def sync_file(path: Path) -> None:
    """Forces the content of a file to the disk that was written without it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Forces the names in a folder to the disk: a rename alone may be lost with the power."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:
        # Files may be made in a folder that may not be listed.
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Removes temporary files of processes that have died while they wrote into this folder.

    Who writes one holds its lock, which counts on its own host only; where there are no locks, none
    is removed.
    """
    with suppress(OSError):
        for path in folder.iterdir():
            match = _TEMPORARY.fullmatch(path.name)
            if match and match[1] in (None, hosts.tag()):
                with suppress(OSError):
                    _remove_if_dead(path)


def replace_lightly(path: Path, content: bytes, stage: Path | None = None) -> None:
    """Puts ``content`` in place of a file that only this process writes.

    It survives a kill of the process, but perhaps not a loss of power.

    Args:
        path: The file.
        content: What it is to hold.
        stage: As for ``writing``.
    """
    temporary = (stage or path.parent) / f"{path.stem}.tmp"
    # Whatever lies there, such as a link, is not written to.
    temporary.unlink(missing_ok=True)
    try:
        with _named(path, temporary), temporary.open("xb") as file:
            file.write(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def append_line(path: Path, line: str) -> None:
    """Appends one line and forces it to the disk; nothing of it stays where that fails.

    Raises:
        OSError: If something that is no file lies at ``path``, or it cannot be written.
    """
    is_new = not path.exists()
    with _named(path), plain_files.appended(path) as file:
        descriptor = file.fileno()
        size, left = os.fstat(descriptor).st_size, memoryview(f"{line}\n".encode())
        try:
            # Past the file's buffer, whose content would be written again as it is closed.
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    if is_new:
        sync_folder(path.parent)


@contextmanager
def _temporary(path: Path, stage: Path | None = None) -> Iterator[tuple[Path, BinaryIO]]:
    """A new file beside ``path``, locked, in place of those that dead processes have left there.

    In a stage it is this process's own, without a lock.

    Yields:
        Its path and the file, open for writing; it is removed at the end if it is still there.
    """
    if stage is None:
        make_folder(path.parent)
        remove_leftovers(path.parent)
    # Not tempfile: its files are closed to the group, and a store may be shared. The name is
    # independent of the target's, which may be as long as the file system allows.
    name = f".{os.getpid()}-{hosts.tag()}-{secrets.token_hex(4)}.tmp"
    temporary = (stage or path.parent) / name
    try:
        with (
            _named(path, temporary),
            _open_locked(temporary) if stage is None else temporary.open("xb") as file,
        ):
            yield temporary, file
    finally:
        temporary.unlink(missing_ok=True)


def _open_locked(path: Path) -> BinaryIO:
    """Makes a file that others know to be in use."""
    while True:
        file = path.open("xb")
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            if not locks.are_missing(error):
                file.close()
                raise
        # Another process may have taken it for left behind before it was locked.
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()


def _remove_if_dead(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    finally:
        os.close(descriptor)


def _rename_unless_there(temporary: Path, path: Path) -> bool:
    with locks.held(path.with_name(PUBLISH_LOCK)):
        if os.path.lexists(path):
            return False
        rename(temporary, path)
    return True


def _force_to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


@contextmanager
def _named(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Names the file in errors of writing: the system says nothing, or the temporary name."""
    try:
        yield
    except OSError as error:
        if error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise
