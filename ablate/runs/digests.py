"""SHA-256 of files, computed once for each state of a file."""

import hashlib
import os
import time
from pathlib import Path

from ablate.errors import BadInput
from ablate.runs.remembered import recall, remember

# A file changed so lately may change again without a new time stamp or size.
_SETTLED_AFTER_NS = 2_000_000_000


class FileDigests:
    """Remembers digests by absolute path, size, inode, and times of modification and of change.

    The time of modification alone is not enough: archives and copies restore it. The time of
    change (``st_ctime_ns``) cannot be set, and a file that is put in place of another has another
    inode.

    Args:
        path: The JSON file that remembers; one that cannot be understood counts as empty.
            None: nothing is remembered.
    """

    def __init__(self, path: Path | None) -> None:
        """Reads what is remembered."""
        self._path = path
        self._known = {} if path is None else _read(path)
        self._changed = False

    def of(self, file: Path) -> str:
        """SHA-256 (64 hex digits) of the content.

        Raises:
            BadInput: If the file cannot be read.
        """
        try:
            # Before the file is read: what changes in the meantime is not settled.
            settled_before_ns = time.time_ns() - _SETTLED_AFTER_NS
            status = file.stat()
            name, stamp = str(file.absolute()), _stamp(status)
            known = self._known.get(name)
            # An entry of an older version has another length.
            if isinstance(known, list) and known[:-1] == stamp:
                return str(known[-1])
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
        except OSError as error:
            raise BadInput(
                f"{file} cannot be read ({error.strerror})", "check the file and its permissions"
            ) from error
        if max(status.st_mtime_ns, status.st_ctime_ns) < settled_before_ns:
            self._known[name] = [*stamp, digest]
            self._changed = True
        return digest

    def knows(self, file: Path) -> bool:
        """Whether the digest of a file is remembered, for the state that the file is in."""
        known = self._known.get(str(file.absolute()))
        try:
            return isinstance(known, list) and known[:-1] == _stamp(file.stat())
        except OSError:
            return False

    def files(self) -> list[Path]:
        """The files whose digests are remembered, whatever has become of them."""
        return [Path(name) for name in self._known]

    def below(self, folder: Path) -> dict[Path, str]:
        """The remembered digests of a folder's files, for the state that each file is in."""
        files = [file for file in self.files() if folder in file.parents and self.knows(file)]
        return {file: self.of(file) for file in files}

    def save(self) -> None:
        """Writes what was learnt since the last time."""
        if self._path is not None and self._changed:
            remember(self._path, self._known)
            self._changed = False


def _stamp(status: os.stat_result) -> list[int]:
    """What changes with a file's content."""
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _read(path: Path) -> dict[str, object]:
    """The remembered digests; empty where the file is missing or broken."""
    known = recall(path)
    return known if isinstance(known, dict) else {}
