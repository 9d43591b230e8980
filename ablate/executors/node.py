"""``python -m ablate.executors.node``: one job of a cluster, on the node that it was given.

What it works on and how far that is lies in the runs' folders; nothing else is handed to it.
"""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ablate.errors import ExitCode, Interrupted
from ablate.executors.base import JobState
from ablate.executors.ends import end_path, write_end
from ablate.executors.local import LocalExecutor, Settings
from ablate.executors.waiting import wait_for_all
from ablate.plan import Cohort

LIMIT_SIGNAL = signal.SIGUSR2
"""What SLURM is told to send when a job's time is nearly up; it preempts with SIGTERM."""
STOP_SIGNAL = signal.SIGINT
"""What ablate sends to a job that is not to go on."""


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

    words = ["--work", work, "--device", device, "--logs", str(logs), *map(str, folders)]
    # -P: nothing of the working folder is imported.
    return f"{python} -P -m {__name__} {shlex.join(words)}"


def main(words: Sequence[str] | None = None) -> int:
    """Works on the runs, and says in a file how that has ended.

    A job that the cluster stops, near the end of its time or for another one, saves its state and
    goes back into the queue.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {__name__}")
    parser.add_argument("--work", required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("folders", type=Path, nargs="+")
    job = parser.parse_args(words)
    job_id = os.environ["SLURM_JOB_ID"]
    # What an earlier attempt of this job has left.
    end_path(job.logs, job_id).unlink(missing_ok=True)
    executor = LocalExecutor(Settings(), work=job.work, devices=[job.device], logs=job.logs)
    try:
        (state,) = wait_for_all(executor, [Cohort(tuple(job.folders))])
    except Interrupted as error:
        if error.signum not in (None, STOP_SIGNAL) and _requeue(job_id):
            return ExitCode.INTERRUPTED
        state = JobState.CANCELLED
    finally:
        executor.close()
    write_end(job.logs, job_id, state)
    return ExitCode.INTERRUPTED if state is JobState.CANCELLED else ExitCode.DONE


def _requeue(job_id: str) -> bool:
    """Puts this job back into the queue; False where it is not to go on."""
    # A job that a user has cancelled is COMPLETING by now.
    asked = ["squeue", "--noheader", "--format=%T", f"--jobs={job_id}"]
    state = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    requeued = ["scontrol", "requeue", job_id]
    return state == "RUNNING" and subprocess.run(requeued, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
