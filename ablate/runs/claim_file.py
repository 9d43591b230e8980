"""``claim.lock`` of a run's folder: which process works on the run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ablate.errors import StoreError

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
        """Holds the claim for this process.

        Yields:
            Whether this process has the claim; False: another process works on this run.

        Raises:
            StoreError: If there is no file that can be locked.
        """
        lock = FileLock(self.path)
        if not self._acquire(lock, _PATIENCE_S):
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def is_held(self) -> bool:
        """Whether some process has the claim now.

        Raises:
            StoreError: If there is no file that can be locked.
        """
        if not os.path.lexists(self.path):
            return False
        lock = FileLock(self.path)
        if not self._acquire(lock, 0):
            return True
        lock.release()
        return False

    def _acquire(self, lock: FileLock, timeout_s: float) -> bool:
        try:
            lock.acquire(timeout=timeout_s)
        except Timeout:
            return False
        except OSError as error:
            raise StoreError(
                f"{self.path} cannot be locked: {error.strerror}", "remove it"
            ) from error
        return True
