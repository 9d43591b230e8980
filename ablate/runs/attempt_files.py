"""``attempts/`` of a run's folder: one small file for each attempt."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from ablate.errors import StoreError
from ablate.runs import documents
from ablate.runs.attempts import Attempt, Ending
from ablate.runs.staging import Writer

_REPAIR = "remove the file: the cost of this attempt is then not recorded"

# Files are named by milliseconds: what begins so much later has another name.
_LEAST_S = 0.001


class AttemptFiles:
    """The attempts at one run on disk.

    Args:
        path: The folder; it need not exist yet.
        writer: Of the run's folder.
    """

    def __init__(self, path: Path, writer: Writer) -> None:
        """Touches nothing."""
        self.path = path
        self._writer = writer

    def write(self, attempt: Attempt, *, force: bool) -> None:
        """Puts the attempt into its file, whole or not at all.

        Args:
            attempt: What it has cost by now.
            force: Whether to wait until it is on the disk: without it the file survives a kill,
                but perhaps not a loss of power.
        """
        # Milliseconds: names sort by time, and those of two machines can lie side by side.
        path = self.path / f"{round(attempt.started * 1000)}.json"
        content = attempt.model_dump_json()
        if force:
            self._writer.replace(path, content.encode())
        else:
            self._writer.replace_lightly(path, content.encode())

    def begin(self, attempt: Attempt, last_ending: Ending) -> Attempt:
        """Writes that an attempt begins, after the last one, and how that has ended.

        Args:
            attempt: The new one.
            last_ending: How the last one has ended, unless its file says it.

        Returns:
            The new one as it is written.
        """
        # One that cannot be read stays as it is: the report of the cost names it.
        with suppress(StoreError):
            last = self.last()
            if last is not None:
                attempt = attempt.not_before(max(last.started, last.seen) + _LEAST_S)
                if last.ending is None:
                    ended = last.model_copy(update={"ending": last_ending})
                    self.write(ended, force=False)
        self.write(attempt, force=False)
        return attempt

    def read(self, last_ending: Callable[[], Ending]) -> list[Attempt]:
        """All attempts, oldest first; empty where none is recorded.

        Args:
            last_ending: How the last one has ended, asked if its file does not say it.

        Raises:
            StoreError: If one cannot be read.
        """
        found = [documents.read(Attempt, path, _REPAIR) for path in self.paths()]
        if found and found[-1].ending is None:
            found[-1] = found[-1].model_copy(update={"ending": last_ending()})
        return found

    def add(self, attempts: Sequence[Attempt], last_ending: Callable[[], Ending]) -> None:
        """Adds attempts that were made in another store, each with how it has ended.

        Args:
            attempts: What was made there.
            last_ending: As for ``read``.

        Raises:
            StoreError: If one of these files cannot be read.
        """
        own = self.read(last_ending)
        known = {each.started for each in own}
        new = [each for each in attempts if each.started not in known]
        # The last one may no longer be the last, whose ending the run's other files tell.
        for attempt in (*own[-1:], *new) if new else ():
            self.write(attempt, force=True)

    def last(self) -> Attempt | None:
        """The latest attempt; None where none is recorded.

        Raises:
            StoreError: If it cannot be read.
        """
        files = self.paths()
        return documents.read(Attempt, files[-1], _REPAIR) if files else None

    def paths(self) -> list[Path]:
        """The files, oldest first; empty where there is none."""
        try:
            return sorted(path for path in self.path.iterdir() if path.suffix == ".json")
        except (FileNotFoundError, NotADirectoryError):
            return []
