"""``python -m ablate.executors.node``: one job of a cluster, on the node that it was given.

What it works on and how far that is lies in the runs' folders; nothing else is handed to it.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from ablate.errors import STOP_SIGNALS, BadInput, ExitCode, Interrupted
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


def arguments(*, work: str, device: str, logs: Path, folders: Sequence[Path]) -> list[str]:
    """What this module is started with.

    Args:
        work: The work's import path.
        device: Where the node computes.
        logs: Folder for what workers print, and for how jobs have ended.
        folders: The runs.
    """
    words = ["--expects", versions.here(), "--work", work, "--device", device]
    return [*words, "--logs", str(logs), *map(str, folders)]


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

    words = arguments(work=work, device=device, logs=logs, folders=folders)
    # -P: nothing of the working folder is imported.
    return f"{python} -P -m {__name__} {shlex.join(words)}"


def main(words: Sequence[str] | None = None) -> int:
    """Works on the runs, and says in a file how that has ended.

    A job that the cluster stops, near the end of its time or for another one, saves its state; by
    SLURM it is put back into the queue, by Ray it is left to who has submitted it. What is wrong
    with the node is the job's problem, and no run's.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {__name__}")
    parser.add_argument("--expects", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("--ray", metavar="ID", help="a job of Ray, which ends with its input")
    parser.add_argument("--threads", type=int, help="of the processor; by default all")
    parser.add_argument("folders", type=Path, nargs="+")
    job = parser.parse_args(words)
    engine, job_id = ("ray", job.ray) if job.ray else ("slurm", os.environ["SLURM_JOB_ID"])
    if job.ray:
        # Ray starts its processes with SIGINT blocked.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        threading.Thread(target=_stop_with_input, daemon=True).start()
    try:
        if problem := node_problem(job.expects, job.folders):
            _say(problem)
            write_end(job.logs, job_id, JobState.FAILED, problem, engine=engine)
            return ExitCode.BAD_INPUT
        # In place of what an earlier attempt of this job has left.
        write_end(job.logs, job_id, JobState.RUNNING, engine=engine)
        return _work(job, job_id, engine)
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


def _work(job: argparse.Namespace, job_id: str, engine: str) -> int:
    """Gives the runs to the local executor, and waits."""
    settings = Settings(threads_per_worker=job.threads)
    executor = LocalExecutor(settings, work=job.work, devices=[job.device], logs=job.logs)
    try:
        (state,) = wait_for_all(executor, [Cohort(tuple(job.folders))])
    except Interrupted as error:
        of_slurm = job_id if engine == "slurm" else None
        if error.signum in (None, STOP_SIGNAL) or (of_slurm and _is_cancelled(of_slurm)):
            state = JobState.CANCELLED
        elif of_slurm and _requeue(of_slurm):
            return ExitCode.INTERRUPTED
        else:
            # The driver that waits for it submits it again.
            state = JobState.QUEUED
    finally:
        executor.close()
    write_end(job.logs, job_id, state, engine=engine)
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


def _stop_with_input() -> None:
    """Requests a stop of this process once the process of Ray is gone that has its input."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
