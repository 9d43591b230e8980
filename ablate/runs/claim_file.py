"""``claim.lock`` of a run's folder: which process works on the run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ablate.runs import atomic, locks

# A display that checks whether a run is claimed holds the lock for microseconds.
_PATIENCE_S = 1.0


class ClaimFile:
    """The lock of one run; the operating system releases it with the process that holds it.

    Args:
        path: The file; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        """Touches nothing."""
        self.path = path

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Holds the claim for this process, and removes what a dead one has half written.

        Yields:
            Whether this process has the claim; False: another process works on this run.

        Raises:
            StoreError: If there is no file that can be locked.
        """
        with locks.held(self.path, _PATIENCE_S) as claimed:
            if claimed:
                self._remove_leftovers()
            yield claimed

    def is_held(self) -> bool:
        """Whether some process has the claim now; see ``locks.is_held``.

        Raises:
            StoreError: If what is there is no file.
        """
        return locks.is_held(self.path)

    def _remove_leftovers(self) -> None:
        run = self.path.parent
        for folder in (run, run / "attempts", run / "panels"):
            atomic.remove_leftovers(folder)
            # Only who has the claim writes these.
            for path in folder.glob("*.tmp"):
                path.unlink(missing_ok=True)
