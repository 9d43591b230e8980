"""SLURM's commands: the script of a job by submitit, the rest by what all clusters have."""

import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from submitit import SlurmExecutor as Submitit

from ablate.errors import BadInput
from ablate.executors.comments import Comment, parse_comment

_LAST_LINES = 20
# A busy controller takes its time; one that is gone is tried again and again by SLURM's commands.
TIMEOUT_S = 60.0
_WORD = "ablate"
# What `sbatch` says where the controller does not answer, unlike where the job is refused.
_SILENCE = re.compile(
    r"unable to contact slurm controller|controller not responding|socket timed out"
    r"|connection (refused|timed out)|communications? (shutdown|connection) failure",
    re.IGNORECASE,
)

# What SLURM adds to a job's log when its command has ended.
_OF_SLURM = re.compile(r"(srun|slurmstepd): ")


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
        """Whether the cluster has ended or lost it, and not its own work."""
        own = (QueueState.PENDING, QueueState.RUNNING, QueueState.CANCELLED, QueueState.ENDED)
        return self not in own


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


@dataclass(frozen=True)
class Listed:
    """A job in the queue's list.

    Attributes:
        state: What matters of its state.
        word: Its state as SLURM says it.
        reason: Why it waits; empty: that is not known yet.
        comment: What it works on; None: it is not a job of ablate.
    """

    state: QueueState
    word: str
    reason: str
    comment: Comment | None


GONE = Listed(QueueState.GONE, "unknown to SLURM", "", None)
"""A job that the queue does not list any more."""


class _Submitter(Submitit):
    def script(self, line: str) -> str:
        """A job's script that holds one line of a shell, not a pickled function."""
        return self._make_submission_file_text(line, "")


class SlurmSilent(Exception):
    """The controller does not answer; whether it has heard is not known."""


def submit(
    line: Callable[[str], str],
    *,
    logs: Path,
    python: str | None,
    comment: Comment,
    parameters: Mapping[str, Any],
) -> str:
    """Submits a job.

    Args:
        line: What it does, given the interpreter.
        logs: Folder for what it prints.
        python: The interpreter on the nodes, as a shell takes it; None: that of this process.
        comment: For the queue.
        parameters: As submitit names them.

    Returns:
        Its id.

    Raises:
        BadInput: If the cluster refuses it.
        SlurmSilent: If it does not answer.
        OSError: If the folder cannot be written.
    """
    folder = logs / "slurm"
    folder.mkdir(parents=True, exist_ok=True)
    submitter = _Submitter(folder=folder)
    submitter.update_parameters(
        job_name=_WORD, comment=str(comment), stderr_to_stdout=True, **parameters
    )
    script = submitter.script(line(python or shlex.quote(sys.executable)))
    try:
        done = subprocess.run(
            ["sbatch", "--parsable"],
            input=script,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SlurmSilent from error
    except OSError as error:
        raise BadInput(
            f"SLURM's sbatch cannot be started: {error.strerror}",
            "run this where jobs are submitted, or choose another --executor",
        ) from error
    if done.returncode:
        if _SILENCE.search(done.stderr):
            raise SlurmSilent
        reason = (done.stderr.strip().splitlines() or ["without a reason"])[-1]
        raise BadInput(f"SLURM refuses the job: {reason}", "change [executor.slurm] in ablate.toml")
    # Of several clusters it adds the name of its own.
    return done.stdout.strip().partition(";")[0]


def queue(timeout_s: float = TIMEOUT_S) -> dict[str, Listed] | None:
    """The user's jobs by id, ended ones of the last minutes too; None: the cluster is silent."""
    words = ("squeue", "--me", "--noheader", "--states=all", "--format=%i|%T|%r|%k")
    answer = _call(*words, timeout_s=timeout_s)
    if answer is None:
        return None
    found: dict[str, Listed] = {}
    for text in answer.splitlines():
        job_id, word, reason, comment = (*(part.strip() for part in text.split("|", 3)), "", "")[:4]
        reason = "" if reason == "None" else reason
        found[job_id] = Listed(_state(word), word, reason, parse_comment(comment))
    return found


def active_jobs(timeout_s: float = TIMEOUT_S) -> dict[str, Listed]:
    """The jobs of ablate that wait or run, by id.

    Raises:
        BadInput: If there is no SLURM, or it does not answer.
    """
    listed = queue(timeout_s)
    if listed is None:
        raise BadInput(
            "SLURM does not answer: `squeue --me` fails",
            "run this where jobs are submitted, or choose another --executor",
        )
    return {job_id: job for job_id, job in listed.items() if job.state.is_active and job.comment}


def stop(job_id: str, number: signal.Signals) -> None:
    """Takes a job out of the queue; one that runs is sent a signal."""
    _call("scancel", "--state=PENDING", job_id)
    _call("scancel", f"--signal={number.name.removeprefix('SIG')}", job_id)


def log_of(logs: Path, job_id: str) -> str:
    """The last lines that a job has printed."""
    lines: list[str] = []
    for path in sorted((logs / "slurm").glob(f"{job_id}_*.out")):
        lines += path.read_text(errors="replace").splitlines()
    return "\n".join(lines[-_LAST_LINES:])


def last_word(logs: Path, job_id: str) -> str:
    """The last line that a job itself has printed; empty: none."""
    lines = log_of(logs, job_id).splitlines()
    return next((line for line in reversed(lines) if not _OF_SLURM.match(line)), "")


def _state(word: str) -> QueueState:
    if word in _PENDING:
        return QueueState.PENDING
    if word in _RUNNING:
        return QueueState.RUNNING
    if word in ("NODE_FAIL", "BOOT_FAIL"):
        return QueueState.NODE_FAIL
    known = (QueueState.CANCELLED, QueueState.PREEMPTED, QueueState.TIMEOUT)
    return next((state for state in known if state == word), QueueState.ENDED)


def _call(*words: str, timeout_s: float = TIMEOUT_S) -> str | None:
    """What a command prints; None if it fails."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=timeout_s, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
