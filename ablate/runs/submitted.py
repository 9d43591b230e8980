"""``drivers/RECORD.EXECUTOR.jobs`` of a store: a sweep has given jobs to a cluster.

Its driver may be gone, and the jobs may be there still: whoever wants to know asks the cluster.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ablate.errors import StoreError
from ablate.runs import atomic, documents
from ablate.runs.formats import Document

_SUFFIX = ".jobs"


class Submitted(Document):
    """What is to be known to find the jobs of a sweep again.

    Attributes:
        record: The ``id`` of the sweep's record.
        sweep: The sweep's name.
        executor: The name of the executor that they were given to.
        settings: Its settings.
        time: When; Unix seconds.
    """

    record: str
    sweep: str
    executor: str
    settings: Mapping[str, Any]
    time: float


def note(folder: Path, submitted: Submitted) -> None:
    """Notes that a sweep gives jobs to a cluster, in place of an earlier note.

    Args:
        folder: The store's ``drivers``.
        submitted: The note.
    """
    atomic.make_folder(folder)
    atomic.replace(_path(folder, submitted), submitted.model_dump_json().encode())


def forget(folder: Path, submitted: Submitted) -> None:
    """None of its jobs is in the cluster any more."""
    with suppress(OSError):
        _path(folder, submitted).unlink(missing_ok=True)


def is_noted(folder: Path, submitted: Submitted) -> bool:
    """Whether jobs of this sweep may be in the cluster since an earlier start."""
    return _path(folder, submitted).exists()


def noted(folder: Path) -> list[Submitted]:
    """All notes of a store, the first first; one that cannot be read is passed over."""
    found = []
    for path in folder.glob(f"*{_SUFFIX}"):
        with suppress(StoreError, FileNotFoundError):
            found.append(documents.read(Submitted, path, "remove it"))
    return sorted(found, key=lambda each: each.time)


def _path(folder: Path, submitted: Submitted) -> Path:
    return folder / f"{submitted.record}.{submitted.executor}{_SUFFIX}"
