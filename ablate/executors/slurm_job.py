"""A cohort, and the job of SLURM that works on it now."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ablate.errors import BadInput
from ablate.executors import slurm_commands as slurm
from ablate.executors import slurm_reasons
from ablate.executors.base import JobState, fail_first_unfinished
from ablate.executors.comments import comment_of
from ablate.executors.ends import read_end
from ablate.executors.node import STOP_SIGNAL
from ablate.executors.slurm_commands import Listed, QueueState
from ablate.runs import disk

# How often the work of a job is submitted again that the cluster has ended: a preempted one whose
# partition cancels, a node that was lost.
_MOST_SUBMISSIONS = 10


class Cluster(Protocol):
    """The executor, as far as a job needs it."""

    logs: Path
    python: str

    @property
    def is_silent(self) -> bool:
        """Whether the cluster did not answer the last time."""
        ...

    @property
    def job_ids(self) -> Set[str]:
        """The jobs that are known."""
        ...

    def start(self, job: "SlurmJob") -> None:
        """Submits what is left of a cohort."""
        ...

    def look(self) -> None:
        """Asks the queue, and takes notice of what has ended."""
        ...


@dataclass(eq=False)
class SlurmJob:
    """A cohort, and the job of the cluster that works on it now.

    Attributes:
        folders: The runs that are left.
        executor: Submits it again where that is needed.
        job_id: Of its latest job; empty: the cluster did not answer when it was submitted.
        is_earlier: Whether an earlier start has submitted that.
        submissions: How often it was submitted.
        stops: How often a stop was requested.
        told: How many of these the cluster was told.
        waits_for: Why it waits, in SLURM's words; empty: it does not, or that is not known.
        has_failed: Whether a job has died of one of its runs.
        problem: Why its job could not begin to work, which is none of its runs' failure.
    """

    folders: tuple[Path, ...]
    executor: Cluster
    job_id: str = ""
    is_earlier: bool = False
    progress: JobState = JobState.QUEUED
    submissions: int = 0
    stops: int = 0
    told: int = 0
    waits_for: str = ""
    has_failed: bool = False
    problem: BadInput | None = None

    def state(self) -> JobState:
        """How far it is."""
        return self.progress

    def cancel(self) -> None:
        """Takes it out of the queue or requests a stop; a second time ends its workers at once."""
        if self.progress.has_ended:
            return
        self.stops += 1
        if not self.executor.is_silent:
            self._pass_on()
            if self.stops == 1:
                self.executor.look()

    def _pass_on(self) -> None:
        """Tells the cluster to stop it; a cluster that is silent is told when it answers again."""
        self.told = self.stops
        if self.job_id:
            slurm.stop(self.job_id, STOP_SIGNAL)

    def update(self, queue: Mapping[str, Listed]) -> None:
        """Takes notice of what the cluster and the job's own file say.

        Raises:
            BadInput: If the cluster refuses its work when that is submitted again, or nothing can
                be written to the store.
        """
        self.waits_for = ""
        if not self.job_id:
            self._find(queue)
            return
        listed, end = queue.get(self.job_id, slurm.GONE), read_end(self.executor.logs, self.job_id)
        state = None if end is None else end.state
        if end is not None and end.problem is not None:
            self._end_before_its_work(end.problem)
        elif state in (JobState.DONE, JobState.FAILED):
            failed = self.has_failed or state is JobState.FAILED
            self.progress = JobState.FAILED if failed else JobState.DONE
        elif listed.state.is_active:
            self.progress = JobState.QUEUED if listed.state.is_pending else JobState.RUNNING
            self.waits_for = listed.reason if listed.state.is_pending else ""
            if self.told < self.stops:
                self._pass_on()
        elif self._was_stopped(listed, state):
            self.progress = JobState.CANCELLED
        elif self._is_to_go_on(listed, state):
            self.executor.start(self)
        elif state is None:
            # A full disk is the reason that its own file is missing.
            disk.check_writable(self.executor.logs)
            said = slurm.last_word(self.executor.logs, self.job_id)
            self._end_before_its_work(said or f"it ended as {listed.word} and has printed nothing")
        else:
            self._fail_one(listed)

    def raise_problem(self) -> None:
        """Ends the sweep for what would be so for every job.

        Raises:
            BadInput: If its job could not begin to work, or would never start.
        """
        if self.problem is not None:
            raise self.problem
        if slurm_reasons.never_starts(self.waits_for):
            raise BadInput(
                f"job {self.job_id} of SLURM would never start: {self.waits_for}",
                slurm_reasons.repair(self.waits_for),
            )

    def _was_stopped(self, listed: Listed, state: JobState | None) -> bool:
        """Whether it has ended because a user cancelled it."""
        by_hand = listed.state is QueueState.CANCELLED
        return self.stops > 0 or by_hand or state is JobState.CANCELLED

    def _is_to_go_on(self, listed: Listed, state: JobState | None) -> bool:
        """Whether it has ended because the cluster has ended it, and may be submitted again."""
        is_of_the_cluster = listed.state.is_of_the_cluster or state is JobState.QUEUED
        return is_of_the_cluster and self.submissions < _MOST_SUBMISSIONS

    def _find(self, queue: Mapping[str, Listed]) -> None:
        """The cluster answers again: whether it has heard the submission is seen by the comment."""
        wanted, known = comment_of(self.folders), self.executor.job_ids
        for job_id, listed in queue.items():
            if listed.comment == wanted and listed.state.is_active and job_id not in known:
                self.job_id = job_id
                return
        if self.stops:
            self.progress = JobState.CANCELLED
        else:
            self.executor.start(self)

    def _end_before_its_work(self, reason: str) -> None:
        """Its job has ended without having touched a run: so would every other."""
        self.progress = JobState.FAILED
        self.problem = BadInput(
            f"job {self.job_id} of SLURM could not begin to work: {reason}",
            f"its node needs the same ablate and Python, under {self.executor.python}, and has to "
            f"see {self.folders[0].parent.parent}",
        )

    def _fail_one(self, listed: Listed) -> None:
        """The job has died of a run; what is left of its work is submitted again.

        Raises:
            StoreError: If nothing can be written to the store, which is why it has died.
        """
        disk.check_writable(self.executor.logs)
        self.has_failed = True
        self.folders = fail_first_unfinished(
            self.folders,
            f"job {self.job_id} of SLURM ended as {listed.word}",
            slurm.log_of(self.executor.logs, self.job_id),
        )
        if self.folders:
            self.executor.start(self)
        else:
            self.progress = JobState.FAILED
