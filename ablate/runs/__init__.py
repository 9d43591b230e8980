"""The store: folders and files that outlive every process. Imports no torch."""

from ablate.runs.attempts import Attempt, Ending, PeakMemory
from ablate.runs.confusions import Confusions
from ablate.runs.data_check import (
    ClippedValues,
    DataCheck,
    Finding,
    FindingKind,
    GroupCounts,
    PositiveShares,
    ScaleRanges,
    Severity,
    SizeRange,
    scale_line,
)
from ablate.runs.digests import FileDigests
from ablate.runs.evaluations import EvaluatedData, Evaluation, Evaluations, evaluation_key
from ablate.runs.finished import FinishedRun
from ablate.runs.folder import RunFolder
from ablate.runs.formats import (
    Event,
    Failure,
    Machine,
    MatchedRow,
    MicroBatch,
    NumberedSplit,
    Parameters,
    PartScores,
    Progress,
    Provenance,
    RecordedRun,
    Result,
    SpecFile,
    State,
    SweepRecord,
)
from ablate.runs.names import panel_names, shown, unwritable
from ablate.runs.store import DEFAULT_STORE, Store
from ablate.runs.tuning import (
    SamplerRecord,
    Setting,
    Trial,
    TunedRow,
    TuningRecord,
    joined_tunings,
)

__all__ = [
    "DEFAULT_STORE",
    "Attempt",
    "ClippedValues",
    "Confusions",
    "DataCheck",
    "Ending",
    "EvaluatedData",
    "Evaluation",
    "Evaluations",
    "Event",
    "Failure",
    "FileDigests",
    "Finding",
    "FindingKind",
    "FinishedRun",
    "GroupCounts",
    "Machine",
    "MatchedRow",
    "MicroBatch",
    "NumberedSplit",
    "Parameters",
    "PartScores",
    "PeakMemory",
    "PositiveShares",
    "Progress",
    "Provenance",
    "RecordedRun",
    "Result",
    "RunFolder",
    "SamplerRecord",
    "ScaleRanges",
    "Setting",
    "Severity",
    "SizeRange",
    "SpecFile",
    "State",
    "Store",
    "SweepRecord",
    "Trial",
    "TunedRow",
    "TuningRecord",
    "evaluation_key",
    "joined_tunings",
    "panel_names",
    "scale_line",
    "shown",
    "unwritable",
]
