"""What a bundle holds: the names of its files, and what is written beside the store's own."""

import re
from typing import NamedTuple

from pydantic import Field

from ablate.runs import Parameters, State
from ablate.runs.formats import Document
from ablate.spec import Variant

METADATA = "ro-crate-metadata.json"
CONTENTS = "bundle.json"
# Format of a report → its file.
REPORTS = {"json": "report.json", "markdown": "report.md", "html": "report.html"}


class BundleContents(Document):
    """``bundle.json``: what a report needs besides the files of the store.

    Attributes:
        ablate: The version that wrote the bundle.
        packages: Versions of the packages that a report's numbers depend on.
        sweep: The name of the sweep's record.
        states: The states of all runs without a result; their checkpoints are not in the bundle.
        declared: The sweep's rows as they were declared when the bundle was written.
        parameters: Counts of parameters, which torch has made, by ``parameters_key``.
    """

    ablate: str
    packages: dict[str, str]
    sweep: str
    states: dict[str, State]
    declared: dict[str, Variant] = Field(default_factory=dict)
    parameters: dict[str, Parameters] = Field(default_factory=dict)


class Kind(NamedTuple):
    """A kind of file of a bundle.

    Attributes:
        pattern: What the whole path looks like.
        media_type: Its content, as the web calls it.
        description: What it is, in one sentence.
    """

    pattern: re.Pattern[str]
    media_type: str
    description: str


def _kind(pattern: str, media_type: str, description: str) -> Kind:
    return Kind(re.compile(pattern), media_type, description)


_JSON, _YAML = "application/json", "application/yaml"
_NAME = "[A-Za-z0-9][A-Za-z0-9._-]*"
_RUN = "runs/[0-9a-f]{16}"
# Nothing else is taken out of an archive: no path of these leads out of a folder.
KINDS = (
    _kind(re.escape(METADATA), _JSON, "What the files are, with their digests."),
    _kind(re.escape(CONTENTS), _JSON, "What the report needs besides the other files."),
    _kind(r"report\.json", _JSON, "The report as one value."),
    _kind(r"report\.md", "text/markdown", "The report to read."),
    _kind(r"report\.html", "text/html", "The report to browse, without images of the data."),
    _kind(rf"sweeps/{_NAME}\.json", _JSON, "The sweep as it was started, with all its runs."),
    _kind(rf"tunings/{_NAME}\.json", _JSON, "Every trial of the sweep's tuning."),
    _kind(r"data-checks/[0-9a-f]{16}\.json", _JSON, "What a check of the data found."),
    _kind(rf"reports/published/{_NAME}\.yaml", _YAML, "The values that the paper printed."),
    _kind(rf"variants/{_NAME}\.yaml", _YAML, "A model that a printed number may stand for."),
    _kind(rf"{_RUN}/spec\.json", _JSON, "What the run is, and where it comes from."),
    _kind(rf"{_RUN}/result\.json", _JSON, "The run's scores, and how they came about."),
    _kind(rf"{_RUN}/failure\.json", _JSON, "Why the run could not go on."),
    _kind(rf"{_RUN}/attempts/[0-9]{{1,20}}\.json", _JSON, "What an attempt at the run has cost."),
    _kind(rf"{_RUN}/events\.jsonl", "application/jsonl", "One line for each epoch of the run."),
    _kind(
        rf"{_RUN}/confusion\.parquet",
        "application/vnd.apache.parquet",
        "TP, FP, FN and TN of every validation image.",
    ),
    _kind(
        rf"{_RUN}/confusion-test\.parquet",
        "application/vnd.apache.parquet",
        "TP, FP, FN and TN of every test image.",
    ),
    _kind(
        rf"{_RUN}/confusion-test\.parquet",
        "application/vnd.apache.parquet",
        "TP, FP, FN and TN of every test image.",
    ),
    _kind(
        rf"{_RUN}/weights\.safetensors",
        "application/octet-stream",
        "The trained parameters of the selected epoch.",
    ),
)


def kind_of(name: str) -> Kind | None:
    """What kind of file a path of a bundle is; None: no bundle has such a file."""
    return next((kind for kind in KINDS if kind.pattern.fullmatch(name)), None)
