"""A folder that one process works on at a time, and who that is."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ablate.runs import atomic, set_aside
from ablate.runs.claims import Claim
from ablate.runs.staging import Writer

# Of ablates that knew one host only.
_OLD_CLAIM = "claim.lock"
_FOLDERS = ("attempts", "evaluations", "panels")


class ClaimedFolder:
    """What a run's folder is to the processes that may work on it.

    Args:
        path: The folder; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        """Touches nothing."""
        self.path = path
        self._claim = Claim(path / "claim")
        # Through it goes all that is written once the run is there.
        self._writer = Writer(path)

    @contextmanager
    def claim(self) -> Iterator[bool]:
        """Holds the run for this process, and removes what a dead one has half written.

        What this object writes meanwhile changes nothing once another process has taken over: it
        raises ``TakenOver``.

        Yields:
            Whether this process has the claim; False: another process works on this run.

        Raises:
            StoreError: If it can be neither had nor given up.
        """
        with self._claim.held() as stage:
            if stage is None:
                yield False
                return
            self._writer.stage = stage
            try:
                self._remove_temporary_files()
                yield True
            finally:
                self._writer.stage = None

    def is_claimed(self) -> bool:
        """Whether some process works on this run now; see ``Claim.is_held``."""
        return self._claim.is_held()

    def is_with_another(self) -> bool:
        """Whether some process works on this run now, other than by a claim of this object's."""
        return self._writer.stage is None and self.is_claimed()

    def is_claim_undecided(self) -> bool:
        """Whether it is not known yet if who has claimed the run lives, on another host."""
        return self._claim.is_undecided()

    def _remove_temporary_files(self) -> None:
        for folder in (self.path, *(self.path / name for name in _FOLDERS)):
            atomic.remove_leftovers(folder)
            # Those of older ablates, as is the lock.
            for path in folder.glob("*.tmp"):
                self._writer.remove(path)
        self._writer.remove(self.path / _OLD_CLAIM)

    def _own_files(self) -> set[Path]:
        """What lies in the folder and is not of the run."""
        publish_lock = self.path / atomic.PUBLISH_LOCK
        earlier = set_aside.folders(self.path)
        return {self._claim.path, *self._claim.prepared(), publish_lock, *earlier}
