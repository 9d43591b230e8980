"""``attempts/`` of a run's folder: one small file for each attempt."""

from pathlib import Path

from ablate.runs import atomic, documents
from ablate.runs.attempts import Attempt

_REPAIR = "remove the file: the cost of this attempt is then not recorded"


class AttemptFiles:
    """The attempts at one run on disk.

    Args:
        path: The folder; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        """Touches nothing."""
        self.path = path

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
            atomic.replace(path, content.encode())
            return
        atomic.make_folder(self.path)
        atomic.replace_lightly(path, content.encode())

    def read(self) -> list[Attempt]:
        """All attempts, oldest first; empty where none is recorded.

        Raises:
            StoreError: If one cannot be read.
        """
        return [documents.read(Attempt, path, _REPAIR) for path in self.paths()]

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
