"""Signs of life between hosts: a file that grows while its process lives.

No clocks are compared, and no times of files: who looks measures on its own monotonic clock for how
long the file has not grown. A lock of the file says more, and says it at once, but only to
processes of the same host.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ablate.runs import plain_files

BEAT_S = 5.0
"""How often a living process lets its files grow."""
SILENCE_S = 60.0
"""After how long without growth a process of another host counts as dead."""

# What one look adds to the silence at most: who looks may have been stopped itself meanwhile.
_MOST_PER_LOOK = 2


class _Beats:
    """The one thread of a process that lets files grow, from the first one on.

    Nobody wakes it: that would cost each claim more than all that it writes.
    """

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._paths: set[Path] = set()
        self._thread: threading.Thread | None = None

    def add(self, path: Path) -> None:
        with self._changing:
            self._paths.add(path)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="ablate-heartbeat", daemon=True
                )
                self._thread.start()

    def remove(self, path: Path) -> None:
        # The thread is not waited for: a file system that hangs would keep it.
        with self._changing:
            self._paths.discard(path)

    def _run(self) -> None:
        while True:
            time.sleep(BEAT_S)
            with self._changing:
                paths = list(self._paths)
            for path in paths:
                # Another process may have taken over, and the folder be gone.
                with suppress(OSError), plain_files.appended(path) as file:
                    file.write(b".")


_beats = _Beats()
# The copy of a process has none of its threads, and holds nothing.
os.register_at_fork(after_in_child=_beats.__init__)  # type: ignore[misc]


@contextmanager
def beating(path: Path) -> Iterator[None]:
    """Lets a file grow while this is open; it is made at the first beat, in a folder that exists.

    A thread does it: a step of a large model takes a minute, and torch leaves Python to others
    meanwhile.
    """
    _beats.add(path)
    try:
        yield
    finally:
        _beats.remove(path)


@dataclass
class _Seen:
    """What this process has seen of a file.

    Attributes:
        size: In bytes; −1 where there is none.
        looked: When it last looked; monotonic seconds.
        silent_s: For how long it has not grown.
        has_grown: Whether it ever has.
    """

    size: int
    looked: float
    silent_s: float = 0.0
    has_grown: bool = False


_seen: dict[Path, _Seen] = {}
_looking = threading.Lock()


def is_silent(path: Path) -> bool:
    """Looks at a file, and says whether it has not grown for ``SILENCE_S``."""
    return _look(path).silent_s >= SILENCE_S


def is_undecided(path: Path) -> bool:
    """Whether a file has neither grown since this process first looked at it, nor been silent."""
    seen = _look(path)
    return not seen.has_grown and seen.silent_s < SILENCE_S


def forget(path: Path) -> None:
    """Drops what is known of a file that is gone."""
    with _looking:
        _seen.pop(path, None)


def _look(path: Path) -> _Seen:
    size, now = _size(path), time.monotonic()
    with _looking:
        seen = _seen.setdefault(path, _Seen(size, now))
        if size > seen.size:
            seen.silent_s, seen.has_grown = 0.0, True
        else:
            # Several looks are needed: of two processes that slept at once, none has heard a beat.
            seen.silent_s += min(max(0.0, now - seen.looked), _MOST_PER_LOOK * BEAT_S)
        seen.size, seen.looked = max(size, seen.size), now
        return _Seen(seen.size, now, seen.silent_s, seen.has_grown)


def _size(path: Path) -> int:
    """Bytes of a file, asked of an open one: that is when network file systems ask the server."""
    try:
        with plain_files.opened(path) as file:
            return os.fstat(file.fileno()).st_size
    except OSError:
        # What is not there, or cannot be read, does not grow.
        return -1
