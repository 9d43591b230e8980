"""SLURM's commands: submission by submitit, the rest by the commands that all clusters have."""

import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from submitit import SlurmExecutor as Submitit
from submitit.core.utils import FailedSubmissionError

from ablate.errors import BadInput
from ablate.executors.comments import Comment, parse_comment

_LAST_LINES = 20
# A busy controller takes its time.
_TIMEOUT_S = 60.0
_WORD = "ablate"


class QueueState(StrEnum):
    """What SLURM says of a job, as far as it matters (``squeue``, "job state codes")."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    CANCELLED = "CANCELLED"
    PREEMPTED = "PREEMPTED"
    NODE_FAIL = "NODE_FAIL"
    TIMEOUT = "TIMEOUT"
    ENDED = "ENDED"
    GONE = "GONE"

    @property
    def is_pending(self) -> bool:
        """Whether it waits."""
        return self is QueueState.PENDING

    @property
    def is_active(self) -> bool:
        """Whether it waits or runs."""
        return self in (QueueState.PENDING, QueueState.RUNNING)

    @property
    def is_of_the_cluster(self) -> bool:
        """Whether the cluster has ended it, and not its own work."""
        return self in (QueueState.PREEMPTED, QueueState.NODE_FAIL, QueueState.TIMEOUT)


_PENDING = ("PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD")
_RUNNING = (
    "RUNNING",
    "CONFIGURING",
    "COMPLETING",
    "SIGNALING",
    "STAGE_OUT",
    "STOPPED",
    "SUSPENDED",
)


class _Submitter(Submitit):
    def submit_line(self, line: str) -> str:
        """Submits a script that holds one line of a shell, not a pickled function; the job's id."""
        return str(self._submit_command(line).job_id)


def submit(
    line: Callable[[str], str],
    *,
    logs: Path,
    python: str | None,
    comment: str,
    parameters: Mapping[str, Any],
) -> str:
    """Submits a job.

    Args:
        line: What it does, given the interpreter.
        logs: Folder for its script and for what it prints.
        python: The interpreter on the nodes, as a shell takes it; None: that of this process.
        comment: For the queue.
        parameters: As submitit names them.

    Returns:
        Its id.

    Raises:
        BadInput: If the cluster refuses it.
    """
    try:
        (logs / "slurm").mkdir(parents=True, exist_ok=True)
        submitter = _Submitter(folder=logs / "slurm")
        submitter.update_parameters(
            job_name=_WORD, comment=comment, stderr_to_stdout=True, **parameters
        )
        return submitter.submit_line(line(python or shlex.quote(sys.executable)))
    except (FailedSubmissionError, RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else repr(error)
        raise BadInput(
            f"SLURM refuses the job: {reason}", "change [executor.slurm] in ablate.toml"
        ) from error


def states() -> dict[str, QueueState] | None:
    """The user's jobs by id, ended ones of the last minutes too; None: the cluster is silent."""
    answer = _call("squeue", "--me", "--noheader", "--states=all", "--format=%i|%T")
    if answer is None:
        return None
    pairs = (line.partition("|") for line in answer.splitlines())
    return {job_id.strip(): _state(word.strip()) for job_id, _, word in pairs}


def active_jobs() -> dict[str, Comment]:
    """The jobs of ablate that wait or run, by id.

    Raises:
        BadInput: If there is no SLURM, or it does not answer.
    """
    answer = _call("squeue", "--me", "--noheader", "--format=%i|%k")
    if answer is None:
        raise BadInput(
            "SLURM does not answer: `squeue --me` fails",
            "run this where jobs are submitted, or choose another --executor",
        )
    pairs = (line.partition("|") for line in answer.splitlines())
    found = {job_id.strip(): parse_comment(text.strip()) for job_id, _, text in pairs}
    return {job_id: comment for job_id, comment in found.items() if comment is not None}


def cancel_if_pending(job_id: str) -> None:
    """Takes a job out of the queue unless it runs."""
    _call("scancel", "--state=PENDING", job_id)


def send(number: signal.Signals, job_id: str) -> None:
    """Sends a signal to what runs in a job."""
    _call("scancel", f"--signal={number.name.removeprefix('SIG')}", job_id)


def log_of(logs: Path, job_id: str) -> str:
    """The last lines that a job has printed."""
    lines: list[str] = []
    for path in sorted((logs / "slurm").glob(f"{job_id}_*.out")):
        lines += path.read_text(errors="replace").splitlines()
    return "\n".join(lines[-_LAST_LINES:])


def _state(word: str) -> QueueState:
    if word in _PENDING:
        return QueueState.PENDING
    if word in _RUNNING:
        return QueueState.RUNNING
    if word in ("NODE_FAIL", "BOOT_FAIL"):
        return QueueState.NODE_FAIL
    known = (QueueState.CANCELLED, QueueState.PREEMPTED, QueueState.TIMEOUT)
    return next((state for state in known if state == word), QueueState.ENDED)


def _call(*words: str) -> str | None:
    """What a command prints; None if it fails."""
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
