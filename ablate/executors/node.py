"""``python -m ablate.executors.node``: one job of a cluster, on the node that it was given.

What it works on and how far that is lies in the runs' folders; nothing else is handed to it.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from ablate.errors import STOP_SIGNALS, ExitCode, Interrupted
from ablate.executors.base import JobState
from ablate.executors.ends import end_path, write_end
from ablate.executors.local import LocalExecutor, Settings
from ablate.executors.waiting import wait_for_all
from ablate.plan import Cohort

LIMIT_SIGNAL = signal.SIGUSR2
"""What SLURM is told to send when a job's time is nearly up; it preempts with SIGTERM."""
STOP_SIGNAL = signal.SIGINT
"""What ablate sends to a job that is not to go on."""


def arguments(*, work: str, device: str, logs: Path, folders: Sequence[Path]) -> list[str]:
    """What this module is started with.

    Args:
        work: The work's import path.
        device: Where the node computes.
        logs: Folder for what workers print, and for how jobs have ended.
        folders: The runs.
    """
    return ["--work", work, "--device", device, "--logs", str(logs), *map(str, folders)]


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
    SLURM it is put back into the queue, and by Ray it is started again by who has submitted it.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {__name__}")
    parser.add_argument("--work", required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("--ray", metavar="ID", help="a job of Ray that ends with its input")
    parser.add_argument("--threads", type=int, help="of the processor; all that there are")
    parser.add_argument("folders", type=Path, nargs="+")
    job = parser.parse_args(words)
    engine, job_id = ("ray", job.ray) if job.ray else ("slurm", os.environ["SLURM_JOB_ID"])
    if job.ray:
        # Ray starts its processes with SIGINT blocked.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        threading.Thread(target=_stop_with_input, daemon=True).start()
    # What an earlier attempt of this job has left.
    end_path(job.logs, job_id, engine).unlink(missing_ok=True)
    settings = Settings(threads_per_worker=job.threads)
    executor = LocalExecutor(settings, work=job.work, devices=[job.device], logs=job.logs)
    try:
        (state,) = wait_for_all(executor, [Cohort(tuple(job.folders))])
    except Interrupted as error:
        by_cluster = error.signum not in (None, STOP_SIGNAL)
        if by_cluster and (job.ray or _requeue(job_id)):
            return ExitCode.INTERRUPTED
        state = JobState.CANCELLED
    finally:
        executor.close()
    write_end(job.logs, job_id, state, engine)
    return ExitCode.INTERRUPTED if state is JobState.CANCELLED else ExitCode.DONE


def _requeue(job_id: str) -> bool:
    """Puts this job of SLURM back into the queue; False where it is not to go on."""
    # A job that a user has cancelled is COMPLETING by now.
    asked = ["squeue", "--noheader", "--format=%T", f"--jobs={job_id}"]
    state = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    requeued = ["scontrol", "requeue", job_id]
    return state == "RUNNING" and subprocess.run(requeued, check=False).returncode == 0


def _stop_with_input() -> None:
    """Requests a stop of this process once the process of Ray is gone that has its input."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
