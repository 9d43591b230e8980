"""How the jobs of a cluster have ended, in files that they leave themselves.

What a scheduler says of a job is gone after some minutes, and says nothing of its work.
"""

from dataclasses import dataclass
from pathlib import Path

from ablate.errors import StoreError
from ablate.executors.base import JobState
from ablate.runs import atomic, documents
from ablate.runs.formats import Document


class _End(Document):
    state: JobState
    problem: str | None = None


@dataclass(frozen=True)
class JobEnd:
    """What a job says of itself.

    Attributes:
        state: How it has ended; ``RUNNING``: it has begun, and not ended yet, or it has died.
        problem: Why it could not begin to work: the node's fault, and none of its runs'.
    """

    state: JobState
    problem: str | None = None


def end_path(logs: Path, job_id: str, engine: str = "slurm") -> Path:
    """Where a job of an engine says how it has ended."""
    return logs / f"{engine}-{job_id}.json"


def write_end(
    logs: Path,
    job_id: str,
    state: JobState,
    problem: str | None = None,
    *,
    engine: str = "slurm",
) -> None:
    """Says how far a job is, or how it has ended.

    Raises:
        OSError: If it cannot be written.
    """
    end = _End(state=state, problem=problem)
    atomic.replace(end_path(logs, job_id, engine), end.model_dump_json().encode())


def read_end(logs: Path, job_id: str, engine: str = "slurm") -> JobEnd | None:
    """What a job says of itself; None: nothing (yet)."""
    try:
        end = documents.read(_End, end_path(logs, job_id, engine), "remove it")
    except (FileNotFoundError, StoreError):
        return None
    return JobEnd(end.state, end.problem)
