"""SHA-256 of files, computed once for each state of a file."""

import hashlib
import json
import time
from pathlib import Path

from ablate.errors import BadInput
from ablate.runs import atomic

# A file changed so lately may change again without a new time stamp or size.
_SETTLED_AFTER_NS = 2_000_000_000


class FileDigests:
    """Remembers digests by absolute path, size and time of change.

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
            status = file.stat()
            stamp = [status.st_size, status.st_mtime_ns]
            name = str(file.absolute())
            known = self._known.get(name)
            if isinstance(known, list) and len(known) == 3 and known[:2] == stamp:
                return str(known[2])
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
        except OSError as error:
            raise BadInput(
                f"{file} cannot be read ({error.strerror})", "check the file and its permissions"
            ) from error
        if time.time_ns() - status.st_mtime_ns > _SETTLED_AFTER_NS:
            self._known[name] = [*stamp, digest]
            self._changed = True
        return digest

    def save(self) -> None:
        """Writes what was learnt since the last time."""
        if self._path is not None and self._changed:
            atomic.replace(self._path, json.dumps(self._known).encode())
            self._changed = False


def _read(path: Path) -> dict[str, object]:
    """The remembered digests; empty where the file is missing or broken."""
    try:
        known = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
