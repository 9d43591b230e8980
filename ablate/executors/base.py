"""The border between planning and training: what every executor promises."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from ablate.plan import Cohort

# Trains the runs of these folders on that device; raises Interrupted where a stop was asked for.
# It must be importable by name, since workers may live in other processes.
Work = Callable[[Sequence[Path], str], None]


class Executor(Protocol):
    """Takes cohorts to devices.

    Every executor keeps these promises (``tests/executors/conformance.py``):

    - each run is worked on by one worker, and all of them have ended when ``run`` returns;
    - what came of a run is in its folder, nowhere else;
    - a worker that dies without a word leaves a failure in the folder of the run that it was
      working on, and the others go on;
    - on SIGINT or SIGTERM workers are asked to stop, and ``run`` raises once they have.
    """

    def run(self, cohorts: Sequence[Cohort], work: Work) -> None:
        """Works on all cohorts.

        Raises:
            Interrupted: If a stop was asked for; the state is saved.
        """
        ...
