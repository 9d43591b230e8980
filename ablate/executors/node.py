"""``python -m ablate.executors.node``: one job of a cluster, on the node that it was given.

What it works on and how far that is lies in the runs' folders; nothing else is handed to it.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ablate.errors import BadInput, ExitCode, Interrupted
from ablate.executors import versions
from ablate.executors.base import JobState
from ablate.executors.ends import write_end
from ablate.executors.local import LocalExecutor, Settings
from ablate.executors.waiting import wait_for_all
from ablate.plan import Cohort
from ablate.runs import disk

LIMIT_SIGNAL = signal.SIGUSR2
"""What SLURM is told to send when a job's time is nearly up; it preempts with SIGTERM."""
STOP_SIGNAL = signal.SIGINT
"""What ablate sends to a job that is not to go on."""
# SLURM warns a job two minutes before its end by default.
_PATIENCE_S = 30.0


def command(python: str, *, work: str, device: str, logs: Path, folders: Sequence[Path]) -> str:
    """The line for a shell that starts this module.

    Args:
        python: The interpreter, as a shell takes it.
        work: The work's import path.
        device: Where the node computes.
        logs: Folder for what workers print, and for how jobs have ended.
        folders: The runs.
    """
    import shlex

    words = ["--expects", versions.here(), "--work", work, "--device", device]
    words += ["--logs", str(logs), *map(str, folders)]
    # -P: nothing of the working folder is imported.
    return f"{python} -P -m {__name__} {shlex.join(words)}"


def main(words: Sequence[str] | None = None) -> int:
    """Works on the runs, and says in a file how that has ended.

    A job that the cluster stops, near the end of its time or for another one, saves its state and
    goes back into the queue. What is wrong with the node is the job's problem, and no run's.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {__name__}")
    parser.add_argument("--expects", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("folders", type=Path, nargs="+")
    job = parser.parse_args(words)
    job_id = os.environ["SLURM_JOB_ID"]
    try:
        if problem := node_problem(job.expects, job.folders):
            _say(problem)
            write_end(job.logs, job_id, JobState.FAILED, problem)
            return ExitCode.BAD_INPUT
        # In place of what an earlier attempt of this job has left.
        write_end(job.logs, job_id, JobState.RUNNING)
        return _work(job, job_id)
    except OSError as error:
        _say("; ".join(disk.in_words(error)))
        return ExitCode.RUN_FAILED
    except BadInput as error:
        _say(str(error))
        return ExitCode.BAD_INPUT


def _say(line: str) -> None:
    """Leaves a line in what the job prints."""
    sys.stderr.write(f"{line}\n")


def node_problem(expected: str, folders: Sequence[Path]) -> str | None:
    """Why this node cannot work on these runs, in one line; None: it can.

    Args:
        expected: ``versions.here()`` of the command that has planned them.
        folders: The runs' folders.
    """
    if (difference := versions.difference(expected)) is not None:
        return difference
    # The folders were there when the job was submitted.
    if not any(path.is_dir() for path in folders):
        return f"node {socket.gethostname()} does not see {folders[0]}"
    return None


def _work(job: argparse.Namespace, job_id: str) -> int:
    """Gives the runs to the local executor, and waits."""
    executor = LocalExecutor(Settings(), work=job.work, devices=[job.device], logs=job.logs)
    try:
        (state,) = wait_for_all(executor, [Cohort(tuple(job.folders))])
    except Interrupted as error:
        if error.signum in (None, STOP_SIGNAL) or _is_cancelled(job_id):
            state = JobState.CANCELLED
        elif _requeue(job_id):
            return ExitCode.INTERRUPTED
        else:
            # Whoever waits for it submits it again.
            state = JobState.QUEUED
    finally:
        executor.close()
    write_end(job.logs, job_id, state)
    is_over = state in (JobState.DONE, JobState.FAILED)
    return ExitCode.DONE if is_over else ExitCode.INTERRUPTED


def _is_cancelled(job_id: str) -> bool:
    """Whether a user has cancelled this job: it is COMPLETING by then."""
    state = _call("squeue", "--noheader", "--format=%T", f"--jobs={job_id}")
    return state is not None and state.strip() != "RUNNING"


def _requeue(job_id: str) -> bool:
    """Puts this job back into the queue; False if SLURM does not do it, or does not answer."""
    return _call("scontrol", "requeue", job_id) is not None


def _call(*words: str) -> str | None:
    """What a command of SLURM's prints; None if it fails, or takes too long."""
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, timeout=_PATIENCE_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main())
