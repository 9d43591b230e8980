"""Claims: which process works on something, also where several hosts share a file system.

A claim is a folder with one folder in it, the stage of who holds it::

    claim/                   there, and not empty: somebody has claimed it
      ID/                    drawn anew for each claim; what the holder writes is staged here
        holder.json          who it is; locked by the holder as long as it lives
        beat                 grows every few seconds, from the first few on

It is made elsewhere and renamed to its place, which fails while another is there. To its own host
the lock of ``holder.json`` says at once whether the holder lives; no other host trusts it, and
watches whether ``beat`` grows. Who takes over removes the stage, whose name is used once: that ends
one claim and no later one, and without it the holder can change nothing (see ``staging``).
"""

import errno
import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from ablate.errors import StoreError
from ablate.runs import documents, heartbeat, hosts, locks, plain_files
from ablate.runs.formats import Document

_HOLDER, _BEAT = "holder.json", "beat"
_NOT_EMPTY = (errno.ENOTEMPTY, errno.EEXIST)
_REPAIR = "remove it"
# A process that lives may write into its stage while that is removed, and NFS keeps a file that is
# open on the same host under another name.
_REMOVALS = 100
_PAUSE_S = 0.01


class Holder(Document):
    """``holder.json``: the process that has claimed something.

    Attributes:
        host: See ``hosts.this_host``.
        hostname: The host's name, for people.
        pid: Of the process, there.
    """

    host: str
    hostname: str
    pid: int


class Claim:
    """The right of one process to work on something, until it releases it or is taken for dead.

    Args:
        path: The claim's folder; it need not exist yet, the one that it lies in must.
    """

    def __init__(self, path: Path) -> None:
        """Touches nothing."""
        self.path = path

    @contextmanager
    def held(self) -> Iterator[Path | None]:
        """Holds the claim for this process, in place of one whose process has died.

        Yields:
            The stage; None: another process has the claim.

        Raises:
            StoreError: If it can be neither had nor given up, such as on a disk that is full.
        """
        with ExitStack() as ending:
            stage = self._take(ending)
            if stage is not None:
                ending.enter_context(heartbeat.beating(stage / _BEAT))
            yield stage

    def is_held(self) -> bool:
        """Whether some process has the claim now; nothing is written.

        One of another host counts as alive until this process has watched it for
        ``heartbeat.SILENCE_S``. A claim that may not be read counts as none.

        Raises:
            StoreError: If what is there is no claim.
        """
        return any(map(_lives, self._stages()))

    def is_undecided(self) -> bool:
        """Whether its holder is on another host and has given no sign of life yet.

        A claim that is not undecided can be had now, or its holder is known to live.

        Raises:
            StoreError: If what is there is no claim.
        """
        return any(map(_is_undecided, self._stages()))

    def prepared(self) -> list[Path]:
        """What was to become a claim, of processes that live or have died."""
        return list(self.path.parent.glob(f".{self.path.name}-*"))

    def remove_leftovers(self) -> None:
        """Removes what processes that have died leave of a claim that nobody needs any more.

        One that is about to be had is not had then.

        Raises:
            StoreError: If what is there is no claim.
        """
        self._is_free()
        for prepared in self.prepared():
            shutil.rmtree(prepared, ignore_errors=True)

    def _take(self, ending: ExitStack) -> Path | None:
        if not self._is_free():
            return None
        own = secrets.token_hex(8)
        prepared = self.path.with_name(f".{self.path.name}-{own}")
        try:
            ending.callback(self._release, own, prepared)
            ending.callback(_prepare(prepared / own).close)
            while not _renamed(prepared, self.path):
                if not self._is_free():
                    return None
        except FileNotFoundError as error:
            # A merge that has the claim puts another folder in this one's place: for a moment there
            # is none. Or who removes what the dead have prepared has come between.
            time.sleep(_PAUSE_S)
            if not self.path.parent.is_dir():
                raise locks.refusal(self.path, error, _REPAIR) from error
            return None
        except OSError as error:
            raise locks.refusal(self.path, error, _REPAIR) from error
        return self.path / own

    def _release(self, own: str, prepared: Path) -> None:
        _emptied(self.path / own)
        with suppress(OSError):
            # Of another by now, or gone.
            self.path.rmdir()
        _emptied(prepared)

    def _is_free(self) -> bool:
        """Removes stages whose processes have died, and the empty folder."""
        for stage in self._stages():
            if _lives(stage) or not _emptied(stage):
                return False
            heartbeat.forget(stage / _BEAT)
        with suppress(OSError):
            self.path.rmdir()
        return True

    def _stages(self) -> list[Path]:
        return _folders_in(self.path)


def _prepare(stage: Path) -> IO[bytes]:
    """Makes a stage with a locked description of this process in it."""
    stage.parent.mkdir()
    stage.mkdir()
    holder = Holder(host=hosts.this_host(), hostname=socket.gethostname(), pid=os.getpid())
    file = (stage / _HOLDER).open("xb", buffering=0)
    try:
        locks.check_support(file, stage)
        file.write(holder.model_dump_json().encode())
    except BaseException:
        file.close()
        raise
    return file


def _renamed(prepared: Path, path: Path) -> bool:
    """Whether the claim is had now; False: another one is there."""
    try:
        prepared.rename(path)
    except OSError as error:
        if error.errno in _NOT_EMPTY:
            return False
        raise
    return True


def _folders_in(path: Path) -> list[Path]:
    """The folders in a claim's folder; none where there is no such folder.

    Raises:
        StoreError: If something else is there, or in it.
    """
    documents.check_folders(path)
    try:
        with os.scandir(path) as entries:
            found = [(path / each.name, each.is_dir(follow_symlinks=False)) for each in entries]
    except (FileNotFoundError, PermissionError):
        return []
    except OSError as error:
        raise locks.refusal(path, error, _REPAIR) from error
    for each, is_folder in found:
        if not is_folder:
            raise StoreError(f"{each} is not a folder", _REPAIR)
    return [each for each, _ in found]


def _lives(stage: Path) -> bool:
    """Whether the process that has made a stage lives, as far as this one can tell."""
    is_locked = _is_locked(stage)
    return not heartbeat.is_silent(stage / _BEAT) if is_locked is None else is_locked


def _is_undecided(stage: Path) -> bool:
    return _is_locked(stage) is None and heartbeat.is_undecided(stage / _BEAT)


def _is_locked(stage: Path) -> bool | None:
    """Whether the holder of a stage lives; None: it is on another host, or not known.

    A stage without a holder is being removed.

    Raises:
        StoreError: If what is there is no file.
    """
    path = stage / _HOLDER
    try:
        with plain_files.opened(path) as file:
            content = file.read(documents.MOST_BYTES)
            if not _is_of_this_host(content, path):
                return None
            return locks.is_locked(file)
    except (FileNotFoundError, PermissionError):
        return False
    except OSError as error:
        raise locks.refusal(path, error, _REPAIR) from error


def _is_of_this_host(content: bytes, path: Path) -> bool:
    """A holder that cannot be read, as after a loss of power, is of no known host."""
    with suppress(StoreError):
        holder = documents.from_content(Holder, content, str(path), _REPAIR)
        return holder.host == hosts.this_host()
    return False


def _emptied(stage: Path) -> bool:
    """Removes a folder; False where that fails, such as while its process goes on writing."""
    for _ in range(_REMOVALS):
        try:
            for entry in stage.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry, ignore_errors=True)
                else:
                    entry.unlink(missing_ok=True)
            stage.rmdir()
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno not in (*_NOT_EMPTY, errno.ESTALE):
                return False
            time.sleep(_PAUSE_S)
        else:
            return True
    return False
