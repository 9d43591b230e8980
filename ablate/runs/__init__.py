"""The store: folders and files that outlive every process. Imports no torch."""

from ablate.runs.digests import FileDigests
from ablate.runs.folder import RunFolder
from ablate.runs.formats import (
    Event,
    Failure,
    Machine,
    Parameters,
    Progress,
    Provenance,
    RecordedRun,
    Result,
    SpecFile,
    State,
    SweepRecord,
)
from ablate.runs.store import DEFAULT_STORE, Store

__all__ = [
    "DEFAULT_STORE",
    "Event",
    "Failure",
    "FileDigests",
    "Machine",
    "Parameters",
    "Progress",
    "Provenance",
    "RecordedRun",
    "Result",
    "RunFolder",
    "SpecFile",
    "State",
    "Store",
    "SweepRecord",
]
