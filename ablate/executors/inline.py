"""Trains in this very process: for debugging, and where processes cost too much."""

from collections.abc import Sequence

from ablate.executors.base import Work
from ablate.plan import Cohort


class InlineExecutor:
    """Works on one cohort after the other, in this process.

    A worker that takes the process down takes everything down: the next start finds its run
    interrupted.

    Args:
        device: Where all cohorts are trained.
    """

    def __init__(self, device: str) -> None:
        """Touches no device."""
        self._device = device

    def run(self, cohorts: Sequence[Cohort], work: Work) -> None:
        """Works on all cohorts.

        Raises:
            Interrupted: If a stop was asked for; the state is saved.
        """
        for cohort in cohorts:
            work(cohort.folders, self._device)
