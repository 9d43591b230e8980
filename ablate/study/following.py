"""``follow_run``: what the workers of a run print, until the run has ended."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ablate.errors import StoreError
from ablate.runs import RunFolder, State, Store
from ablate.runs.attempts import is_log_name
from ablate.study.log_tail import LogTail

_POLL_S = 0.5
_WAITING = (State.NEW, State.INTERRUPTED)


def follow_run(store: Path, folder: RunFolder, tail: LogTail | None) -> Iterator[str]:
    """Lines of a run's worker as they come, across attempts; ends when the run has ended.

    A run that was interrupted, or not begun, has not ended: its next attempt is waited for.

    Args:
        store: The store.
        folder: The run.
        tail: The log of its last attempt, as far as it was read; None: there is none.
    """
    logs = Store(store).logs_path
    has_said_waiting = has_said_missing = False
    while True:
        # First the state: what was printed before the end is read after it was seen.
        state = folder.state()
        path = _log_of(folder, logs)
        if path is not None and (tail is None or tail.path != path):
            yield from _all_of(tail)
            yield f"the next attempt prints to {path}:"
            tail, has_said_missing = LogTail(path), False
        if tail is not None:
            try:
                while lines := tail.read():
                    yield from lines
            except OSError as error:
                if not has_said_missing:
                    yield f"{tail.path} cannot be read: {error.strerror}"
                has_said_missing = True
        if state not in (State.RUNNING, *_WAITING):
            yield from _all_of(tail)
            return
        if state in _WAITING and not has_said_waiting:
            yield "no process trains it now; its next attempt is waited for (Ctrl-C ends this)"
        has_said_waiting = state in _WAITING
        time.sleep(_POLL_S)


def _all_of(tail: LogTail | None) -> Iterator[str]:
    """What is left of a log that nobody writes any more."""
    if tail is not None:
        with suppress(OSError):
            while lines := tail.read():
                yield from lines
        yield from tail.rest()


def _log_of(folder: RunFolder, logs: Path) -> Path | None:
    """The log of a run's last attempt; None: it has none, or that cannot be told."""
    # What cannot be read now is being replaced, or was named when the command began.
    with suppress(StoreError, OSError):
        attempts = folder.attempts()
        if attempts and (name := attempts[-1].log) and is_log_name(name):
            return logs / name
    return None
