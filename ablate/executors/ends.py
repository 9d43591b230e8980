"""How the jobs of a cluster have ended, in files that they leave themselves.

What a scheduler says of a job is gone after some minutes, and says nothing of its work.
"""

from pathlib import Path

from ablate.errors import StoreError
from ablate.executors.base import JobState
from ablate.runs import atomic, documents
from ablate.runs.formats import Document


class _End(Document):
    state: JobState


def end_path(logs: Path, job_id: str, engine: str = "slurm") -> Path:
    """Where a job of an engine says how it has ended."""
    return logs / f"{engine}-{job_id}.json"


def write_end(logs: Path, job_id: str, state: JobState, engine: str = "slurm") -> None:
    """Says how a job has ended."""
    atomic.replace(end_path(logs, job_id, engine), _End(state=state).model_dump_json().encode())


def read_end(logs: Path, job_id: str, engine: str = "slurm") -> JobState | None:
    """How a job has ended; None while it has not, or if it has died."""
    try:
        return documents.read(_End, end_path(logs, job_id, engine), "remove it").state
    except (FileNotFoundError, StoreError):
        return None
