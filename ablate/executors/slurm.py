"""Trains in jobs of SLURM, one for each cohort."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from ablate.errors import BadInput
from ablate.executors import slurm_commands as slurm
from ablate.executors import slurm_reasons
from ablate.executors.base import Choose, Job, JobState, LeftJob
from ablate.executors.comments import comment_of
from ablate.executors.ends import end_path
from ablate.executors.node import STOP_SIGNAL, command
from ablate.executors.slurm_commands import SlurmSilent
from ablate.executors.slurm_job import SlurmJob
from ablate.executors.slurm_settings import Settings, parameters
from ablate.plan import Cohort
from ablate.spec import Frozen

# How long a job that is being stopped is waited for between two looks.
_PAUSE_S = 0.2
# How long a look may take while jobs run.
_LOOK_S = 20.0
# How long a cluster that does not answer is waited for once its jobs are to be stopped.
_SILENCE_S = 30.0
# How long is waited for the scheduler's first word on a job that is left to it.
_FIRST_WORD_S = 5.0


class SlurmExecutor:
    """A job of SLURM for each cohort; ``python -m ablate.executors.node`` works in it.

    Jobs go on without this process. A later start of the same sweep takes over those that are in
    the queue: each has its runs' keys in its comment.

    Attributes:
        logs: Folder for what jobs print, and for how they have ended.
        python: The interpreter on the nodes, in words.

    Args:
        settings: What jobs ask of the cluster.
        work: The work's import path.
        devices: What a job computes on, once for each job that the work is divided into at least;
            the cluster decides how many run at a time.
        logs: See above; nodes have to see it.
    """

    settings_model: ClassVar[type[Frozen]] = Settings

    def __init__(
        self, settings: Settings, *, work: str, devices: Sequence[str], logs: Path
    ) -> None:
        """Looks for jobs of an earlier start.

        Raises:
            BadInput: If there is no SLURM, or it does not answer.
        """
        self.logs = logs.absolute()
        self.python = settings.python or "the same path"
        self._settings, self._work, self._device = settings, work, devices[0]
        self._jobs: list[SlurmJob] = []
        self._earlier = slurm.active_jobs()
        self._looked = time.monotonic()
        # Since when the cluster does not answer, by the clock that only grows and by that of users.
        self._silent_since: tuple[float, str] | None = None
        self._given_up = 0
        self._is_refused = False
        self._is_closing = False

    @classmethod
    def devices(cls, settings: Settings, named: Sequence[str], choose: Choose) -> Sequence[str]:
        """The nodes', which this machine need not have: those named, or one for each job."""
        return named or (settings.computes_on,) * settings.jobs

    @classmethod
    def jobs_go_on(cls, settings: Settings) -> bool:
        """They always do."""
        return True

    @classmethod
    def left_jobs(cls, settings: Settings, runs: Path, timeout_s: float) -> Sequence[LeftJob]:
        """The jobs of this user that wait or run for runs of one store.

        Raises:
            BadInput: If there is no SLURM, or it does not answer.
        """
        return [
            LeftJob(
                keys=job.comment.keys,
                state=JobState.QUEUED if job.state.is_pending else JobState.RUNNING,
                reason=job.reason if job.state.is_pending else "",
                cancel=partial(slurm.stop, job_id, STOP_SIGNAL),
            )
            for job_id, job in slurm.active_jobs(timeout_s).items()
            if job.comment is not None and job.comment.store == str(runs)
        ]

    @property
    def is_silent(self) -> bool:
        """Whether the cluster did not answer the last time."""
        return self._silent_since is not None

    @property
    def job_ids(self) -> set[str]:
        """The jobs that are known."""
        return {job.job_id for job in self._jobs}

    def submit(self, cohort: Cohort) -> Job:
        """Puts a cohort into the cluster's queue, unless a job of an earlier start works on it.

        Raises:
            BadInput: If the cluster refuses it, or does not answer.
        """
        job = SlurmJob(tuple(path.absolute() for path in cohort.folders), self)
        wanted = comment_of(job.folders)
        self._jobs.append(job)
        for job_id, listed in self._earlier.items():
            if listed.comment is not None and wanted.is_part_of(listed.comment):
                job.job_id, job.submissions, job.is_earlier = job_id, 1, True
                return job
        try:
            self.start(job)
        except BadInput:
            self._jobs.remove(job)
            self._is_refused = True
            raise
        if not job.job_id:
            self._is_refused = True
            raise BadInput(
                "SLURM does not answer: `sbatch` was not heard",
                "try again when `squeue` answers; what it has heard after all is taken over",
            )
        return job

    def start(self, job: SlurmJob) -> None:
        """Submits what is left of a cohort; where the cluster does not answer, it is tried again.

        Raises:
            BadInput: If the cluster refuses it.
        """
        settings = self._settings
        job.progress, job.is_earlier = JobState.QUEUED, False
        try:
            job.job_id = slurm.submit(
                lambda python: command(
                    python,
                    work=self._work,
                    device=self._device,
                    logs=self.logs,
                    folders=job.folders,
                ),
                logs=self.logs,
                python=settings.python,
                comment=comment_of(job.folders),
                parameters=parameters(settings),
            )
        except SlurmSilent:
            job.job_id = ""
            return
        end_path(self.logs, job.job_id).unlink(missing_ok=True)
        job.submissions += 1

    def wait(self, timeout_s: float) -> None:
        """Looks into the queue as often as the settings allow.

        Raises:
            BadInput: If a job can never start, could not begin to work, or is refused.
        """
        time.sleep(timeout_s)
        if time.monotonic() - self._looked >= self._settings.poll_s:
            self.look()

    def look(self) -> None:
        """Asks the queue, and takes notice of what has ended; while it is silent, nothing has.

        Raises:
            BadInput: As ``wait``, unless this is being closed.
        """
        self._looked = time.monotonic()
        queue = slurm.queue(_LOOK_S)
        open_jobs = [job for job in self._jobs if not job.progress.has_ended]
        if queue is None:
            self._stay_silent(open_jobs)
            return
        self._silent_since = None
        for job in open_jobs:
            job.update(queue)
        if not self._is_closing:
            for job in open_jobs:
                job.raise_problem()

    def notice(self) -> str | None:
        """That SLURM does not answer, or why jobs wait."""
        if self._silent_since is not None and self._given_up:
            jobs = "1 job is" if self._given_up == 1 else f"{self._given_up} jobs are"
            return f"SLURM does not answer: {jobs} left there; `ablate cancel` stops them later"
        if self._silent_since is not None:
            return f"SLURM does not answer since {self._silent_since[1]}; waiting"
        pending = {job.waits_for: job.job_id for job in self._jobs if job.waits_for}
        if not pending:
            return None
        count = sum(bool(job.waits_for) for job in self._jobs)
        reasons = ", ".join(_with_advice(*each) for each in sorted(pending.items()))
        return f"{count} {'job' if count == 1 else 'jobs'} pending: {reasons}"

    def detach(self) -> None:
        """Waits for the scheduler's first word on every job, and leaves them.

        Raises:
            BadInput: If one of them can never start, or could not begin to work.
        """
        deadline = time.monotonic() + _FIRST_WORD_S
        self.look()
        while time.monotonic() < deadline and any(
            job.progress is JobState.QUEUED
            and job.waits_for in ("", slurm_reasons.PARTITION_CONFIG)
            for job in self._jobs
        ):
            time.sleep(_PAUSE_S)
            self.look()
        self._jobs.clear()

    def close(self) -> None:
        """Cancels what has not ended, and waits until it has.

        After a submission that was refused, jobs of an earlier start are left as they were.
        """
        self._is_closing = True
        own = [job for job in self._jobs if not (self._is_refused and job.is_earlier)]
        for job in own:
            if not job.stops:
                job.cancel()
        while not all(job.progress.has_ended for job in own):
            time.sleep(_PAUSE_S)
            self.look()

    def _stay_silent(self, jobs: Sequence[SlurmJob]) -> None:
        """The cluster does not answer; what is to be stopped is given up after a while."""
        now = time.monotonic()
        if self._silent_since is None:
            self._silent_since = now, time.strftime("%H:%M:%S")
        is_patient = now - self._silent_since[0] <= _SILENCE_S
        for job in jobs:
            job.told = 0
            if job.stops and not is_patient:
                job.progress = JobState.CANCELLED
                self._given_up += 1


def _with_advice(reason: str, job_id: str) -> str:
    """Why jobs wait, and what the user has to do about that."""
    advice = slurm_reasons.advice(reason, job_id)
    return reason if advice is None else f"{reason} ({advice})"
