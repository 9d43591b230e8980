"""What a run's folder holds while the run is trained."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from ablate.errors import StoreError, TakenOver
from ablate.runs import documents
from ablate.runs.checkpoint_files import CheckpointFiles
from ablate.runs.claimed_folder import ClaimedFolder
from ablate.runs.event_file import EventFile
from ablate.runs.formats import Event, Failure, Progress, Result
from ablate.runs.sealing import REPAIR

_File = TypeVar("_File", Failure, Progress)


class TrainingFolder(ClaimedFolder):
    """Epochs, progress and checkpoints of a run, and why it could not go on.

    Args:
        path: The run's folder; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        """Touches nothing."""
        super().__init__(path)
        self._progress_path = path / "progress.json"
        self._failure_path = path / "failure.json"
        self._events = EventFile(path / "events.jsonl", self._writer)
        self._checkpoints = CheckpointFiles(path, self._writer)

    # Events and progress ------------------------------------------------------------------

    def append_event(self, event: Event) -> None:
        """Adds the end of an epoch."""
        self._events.append(event)

    def events(self, result: Result | None = None) -> list[Event]:
        """The end of every epoch, in order; see ``EventFile.read``."""
        return self._events.read(result)

    def events_sha256(self) -> str:
        """Of the events so far: what a checkpoint says that it goes with."""
        return self._events.sha256()

    def cut_events(self, last_epoch: int, sha256: str | None = None) -> None:
        """Removes what came after ``last_epoch``, which is trained again: ``EventFile.cut``."""
        self._events.cut(last_epoch, sha256)

    def write_progress(self, progress: Progress) -> None:
        """Writes how far the run is; not forced to the disk, since only displays read it."""
        with suppress(IsADirectoryError):
            self._writer.replace_lightly(self._progress_path, progress.model_dump_json().encode())

    def progress(self) -> Progress | None:
        """How far the run is; None where no worker has written it, or it cannot be read."""
        # Only displays ask, and the next one is written within a second.
        with suppress(StoreError):
            return _read(Progress, self._progress_path)
        return None

    # Checkpoints --------------------------------------------------------------------------

    def save_checkpoint(self, step: int, content: bytes) -> None:
        """Writes the state after ``step`` and its SHA-256; keeps the last two."""
        self._checkpoints.save(step, content)

    def load_checkpoints(self) -> Iterator[bytes]:
        """The checkpoints whose SHA-256 is right, the newest first."""
        return self._checkpoints.load()

    def start_over(self) -> None:
        """Removes checkpoints and events: nothing of what was trained can be used."""
        self._checkpoints.drop()
        self._writer.remove(self._events.path)

    # Why it could not go on --------------------------------------------------------------

    def write_failure(self, failure: Failure) -> None:
        """Writes why the run could not go on, if anything can be written.

        If not, who waits for the run finds it without result or failure: see ``disk.py``.
        """
        content = (failure.model_dump_json(indent=2) + "\n").encode()
        # Who has taken over says itself how it ends.
        with suppress(OSError, TakenOver):
            self._writer.replace(self._failure_path, content)

    def failure(self) -> Failure | None:
        """Why the run could not go on; None if it can.

        Raises:
            StoreError: If it cannot be read.
        """
        return _read(Failure, self._failure_path)

    def has_failure(self) -> bool:
        """Whether something is written about why the run could not go on."""
        return os.path.lexists(self._failure_path)

    def clear_failure(self) -> None:
        """Removes the failure: a new attempt begins."""
        self._writer.remove(self._failure_path)


def _read(model: type[_File], path: Path) -> _File | None:
    """The file's content; None where there is no file (any more)."""
    content = documents.content_if_there(path, REPAIR)
    return None if content is None else documents.from_content(model, content, str(path), REPAIR)
