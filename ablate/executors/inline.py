"""Trains in this very process: for debugging, and where processes cost too much."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ablate.errors import Interrupted
from ablate.executors.base import Choose, Job, JobState, Work, import_object, write_failures
from ablate.plan import Cohort
from ablate.spec import Frozen


class Settings(Frozen):
    """There is nothing to set."""


@dataclass
class _InlineJob:
    """A cohort and how far it is."""

    cohort: Cohort
    progress: JobState = JobState.QUEUED

    def state(self) -> JobState:
        """How far it is."""
        return self.progress

    def cancel(self) -> None:
        """Takes it out of the queue; work that is running only hears the process's signals."""
        if self.progress is JobState.QUEUED:
            self.progress = JobState.CANCELLED


class InlineExecutor:
    """Works on one cohort after the other, in this process, whenever it is waited for.

    Work that takes the process down takes everything down: the next start finds its runs
    interrupted.

    Args:
        settings: None so far.
        work: The work's import path.
        devices: The first is where all cohorts are trained.
        logs: Unused: what is printed goes where this process prints.
    """

    settings_model: ClassVar[type[Frozen]] = Settings

    def __init__(
        self, settings: Settings, *, work: str, devices: Sequence[str], logs: Path
    ) -> None:
        """Touches no device."""
        self._work = work
        self._device = devices[0]
        self._jobs: deque[_InlineJob] = deque()

    @classmethod
    def devices(cls, settings: Settings, named: Sequence[str], choose: Choose) -> Sequence[str]:
        """The first of this machine's."""
        return choose(named)[:1]

    def submit(self, cohort: Cohort) -> Job:
        """Puts a cohort into the queue."""
        job = _InlineJob(cohort)
        self._jobs.append(job)
        return job

    def wait(self, timeout_s: float) -> None:
        """Works on the next job, however long that takes."""
        while self._jobs:
            job = self._jobs.popleft()
            if job.state() is JobState.QUEUED:
                self._run(job)
                return

    def close(self) -> None:
        """Empties the queue."""
        for job in self._jobs:
            job.cancel()
        self._jobs.clear()

    def _run(self, job: _InlineJob) -> None:
        job.progress = JobState.RUNNING
        try:
            work: Work = import_object(self._work)
            work(job.cohort.folders, self._device)
        except Interrupted:
            # The signal reached this process, so that it means all jobs.
            job.progress = JobState.CANCELLED
            self.close()
        except Exception as error:
            job.progress = JobState.FAILED
            write_failures(job.cohort.folders, error)
        except BaseException:
            job.progress = JobState.CANCELLED
            raise
        else:
            job.progress = JobState.DONE
