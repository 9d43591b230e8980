"""Trains in jobs of SLURM, one for each cohort."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from ablate.executors import slurm_commands as slurm
from ablate.executors.base import Choose, Job, JobState, fail_first_unfinished
from ablate.executors.comments import comment_of
from ablate.executors.ends import end_path, read_end
from ablate.executors.node import LIMIT_SIGNAL, STOP_SIGNAL, command
from ablate.executors.slurm_commands import QueueState
from ablate.plan import Cohort
from ablate.spec import Frozen

# How long a job that is being stopped is waited for between two looks.
_PAUSE_S = 0.2
# How often the work of a job is submitted again that the cluster has ended: a preempted one whose
# partition cancels, a node that was lost.
_MOST_SUBMISSIONS = 10


class Settings(Frozen):
    """Settings of the SLURM executor; what is None is left to the cluster.

    Attributes:
        partition: Where jobs run.
        account: Who is charged.
        qos: Quality of service.
        constraint: Features that nodes must have.
        gres: Generic resources, such as ``gpu:1``.
        time_min: Limit of a job, in minutes. A job that needs longer saves its state before, goes
            back into the queue, and continues.
        warning_s: How long before that limit it saves its state, in seconds.
        mem_gb: Memory, in GB.
        cpus_per_task: Processors.
        jobs: Into how many jobs at least runs are grouped that could be trained in one.
        device: What a job computes on, unless the user names devices; None: ``cuda:0`` if ``gres``
            or an option names GPUs, else ``cpu``.
        python: The interpreter on the nodes, as a shell takes it; None: that of this process.
        setup: Lines of the job's script before the work, such as ``module load cuda``.
        options: Further options of ``sbatch``, without dashes.
        poll_s: How often the queue is asked, in seconds.
    """

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    gres: str | None = None
    time_min: int = Field(default=60, ge=1)
    warning_s: int = Field(default=120, ge=1)
    mem_gb: float | None = Field(default=None, gt=0)
    cpus_per_task: int | None = Field(default=None, ge=1)
    jobs: int = Field(default=4, ge=1)
    device: str | None = None
    python: str | None = None
    setup: tuple[str, ...] = ()
    options: Mapping[str, str | int | bool] = Field(default_factory=dict)
    poll_s: float = Field(default=5.0, gt=0)

    @property
    def computes_on(self) -> str:
        """The device of a job."""
        has_gpu = "gpu" in (self.gres or "") or any("gpu" in name for name in self.options)
        return self.device or ("cuda:0" if has_gpu else "cpu")


@dataclass(eq=False)
class _SlurmJob:
    """A cohort, and the job of the cluster that works on it now.

    Attributes:
        folders: The runs that are left.
        executor: Submits it again where that is needed.
        job_id: Of its latest job.
        submissions: How often it was submitted.
        stops: How often a stop was requested.
        has_failed: Whether a job has died of one of its runs.
    """

    folders: tuple[Path, ...]
    executor: "SlurmExecutor"
    job_id: str = ""
    progress: JobState = JobState.QUEUED
    submissions: int = 0
    stops: int = 0
    has_failed: bool = False

    def state(self) -> JobState:
        """How far it is."""
        return self.progress

    def cancel(self) -> None:
        """Takes it out of the queue or requests a stop; a second time ends its workers at once."""
        if self.progress.has_ended:
            return
        self.stops += 1
        if self.stops == 1:
            slurm.cancel_if_pending(self.job_id)
            self.executor.look()
        if not self.progress.has_ended:
            slurm.send(STOP_SIGNAL, self.job_id)

    def update(self, state: QueueState) -> None:
        """Takes notice of what the cluster and the job's own file say.

        Args:
            state: Of its job in the queue.
        """
        end = read_end(self.executor.logs, self.job_id)
        if end in (JobState.DONE, JobState.FAILED):
            failed = self.has_failed or end is JobState.FAILED
            self.progress = JobState.FAILED if failed else JobState.DONE
        elif state.is_active:
            self.progress = JobState.QUEUED if state.is_pending else JobState.RUNNING
        elif self.stops or end is JobState.CANCELLED or state is QueueState.CANCELLED:
            self.progress = JobState.CANCELLED
        else:
            self._go_on(state)

    def _go_on(self, state: QueueState) -> None:
        """The job has ended without a word: what is left of its work is submitted again."""
        if not state.is_of_the_cluster or self.submissions >= _MOST_SUBMISSIONS:
            self.has_failed = True
            self.folders = fail_first_unfinished(
                self.folders,
                f"job {self.job_id} of SLURM ended as {state}",
                slurm.log_of(self.executor.logs, self.job_id),
            )
        if self.folders:
            self.executor.start(self)
        else:
            self.progress = JobState.FAILED


class SlurmExecutor:
    """A job of SLURM for each cohort; ``python -m ablate.executors.node`` works in it.

    Jobs go on without this process. A later start of the same sweep takes over those that are in
    the queue: each has its runs' keys in its comment.

    Args:
        settings: What jobs ask of the cluster.
        work: The work's import path.
        devices: What a job computes on, once for each job that the work is divided into at least;
            the cluster decides how many run at a time.
        logs: Folder for what jobs print, and for how they have ended; nodes have to see it.
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
        self._settings, self._work, self._device = settings, work, devices[0]
        self._jobs: list[_SlurmJob] = []
        self._earlier = slurm.active_jobs()
        self._looked = time.monotonic()

    @classmethod
    def devices(cls, settings: Settings, named: Sequence[str], choose: Choose) -> Sequence[str]:
        """The nodes', which this machine need not have: those named, or one for each job."""
        return named or (settings.computes_on,) * settings.jobs

    def submit(self, cohort: Cohort) -> Job:
        """Puts a cohort into the cluster's queue, unless a job of an earlier start works on it.

        Raises:
            BadInput: If the cluster refuses it.
        """
        job = _SlurmJob(tuple(path.absolute() for path in cohort.folders), self)
        wanted = comment_of(job.folders)
        for job_id, comment in self._earlier.items():
            if wanted.is_part_of(comment):
                job.job_id, job.submissions = job_id, 1
                break
        else:
            self.start(job)
        self._jobs.append(job)
        return job

    def start(self, job: _SlurmJob) -> None:
        """Submits what is left of a cohort.

        Raises:
            BadInput: If the cluster refuses it.
        """
        settings = self._settings
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
            comment=str(comment_of(job.folders)),
            parameters=_parameters(settings),
        )
        end_path(self.logs, job.job_id).unlink(missing_ok=True)
        job.submissions += 1
        job.progress = JobState.QUEUED

    def wait(self, timeout_s: float) -> None:
        """Looks into the queue as often as the settings allow."""
        time.sleep(timeout_s)
        if time.monotonic() - self._looked >= self._settings.poll_s:
            self.look()

    def look(self) -> None:
        """Asks the queue, and takes notice of what has ended; while it is silent, nothing has."""
        self._looked = time.monotonic()
        states = slurm.states()
        if states is not None:
            for job in self._jobs:
                if not job.progress.has_ended:
                    job.update(states.get(job.job_id, QueueState.GONE))

    def close(self) -> None:
        """Cancels what has not ended, and waits until it has."""
        for job in self._jobs:
            if not job.stops:
                job.cancel()
        while not all(job.progress.has_ended for job in self._jobs):
            time.sleep(_PAUSE_S)
            self.look()


def _parameters(settings: Settings) -> dict[str, object]:
    """As submitit names them."""
    named = settings.model_dump(
        include={"partition", "account", "qos", "constraint", "gres", "cpus_per_task"},
        exclude_none=True,
    )
    memory = {} if settings.mem_gb is None else {"mem": f"{round(settings.mem_gb * 1000)}M"}
    return named | {
        "time": settings.time_min,
        "setup": list(settings.setup),
        "additional_parameters": {
            "requeue": True,
            "signal": f"{LIMIT_SIGNAL.name.removeprefix('SIG')}@{settings.warning_s}",
            **memory,
            **settings.options,
        },
    }
