"""What ends a sweep before all its runs have ended, besides signals."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from ablate.errors import Interrupted, StoreError
from ablate.plan import PlannedRun
from ablate.runs import Failure, RunFolder
from ablate.study.watching import REST_PER_LOOK


class FirstFailure(Exception):
    """A run has failed, and the sweep is not to go on after that; never leaves this room."""


class StopCheck:
    """Whether the runs that are trained now are to be stopped; it may be asked from any thread.

    Attributes:
        has_failed: Whether a failure is the reason, as of the last answer.

    Args:
        runs: All runs that are to be done in the end.
        is_cancelled: Whether another process has asked for it (``ablate cancel``).
        keep_going: Whether the others go on after one has failed.
        ignores_divergence: Whether a run that diverges counts as an outcome, as of a trial.
    """

    def __init__(
        self,
        runs: Sequence[PlannedRun],
        is_cancelled: Callable[[], bool],
        *,
        keep_going: bool,
        ignores_divergence: bool = False,
    ) -> None:
        """Remembers what has failed before, which is no reason to stop."""
        self._is_cancelled = is_cancelled
        self._ignores_divergence = ignores_divergence
        self._watched = [] if keep_going else [(run.folder, _failure(run.folder)) for run in runs]
        self._rests_until = 0.0
        self.has_failed = False

    def __call__(self) -> bool:
        """Whether to stop.

        Where a look at all folders takes long, a failure is seen a little later.
        """
        if not self.has_failed and time.monotonic() >= self._rests_until:
            self._look()
        return self.has_failed or self._is_cancelled()

    def raise_if_stopped(self) -> None:
        """To be called where nothing runs.

        Raises:
            Interrupted: If another process has asked for it.
            FirstFailure: If a run has failed, and the others are not to go on.
        """
        if not self.has_failed:
            self._look()
        if not self():
            return
        if self._is_cancelled():
            raise Interrupted("stopped by `ablate cancel`; the state of every run is saved")
        raise FirstFailure

    def _look(self) -> None:
        begun = time.monotonic()
        self.has_failed = any(map(self._failed_anew, self._watched))
        now = time.monotonic()
        # On a network's file system thousands of folders take seconds.
        self._rests_until = now + REST_PER_LOOK * (now - begun)

    def _failed_anew(self, watched: tuple[RunFolder, Failure | None]) -> bool:
        folder, before = watched
        # Nearly always all.
        if not folder.has_failure():
            return False
        failure = _failure(folder)
        if failure is None or failure == before:
            return False
        return not (self._ignores_divergence and failure.kind == "diverged")


def _failure(folder: RunFolder) -> Failure | None:
    """What is written now; None also where it cannot be read, which the report says."""
    with suppress(StoreError, OSError):
        return folder.failure()
    return None
