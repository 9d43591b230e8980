"""The files of a run that has ended, copied to MLflow."""

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from mlflow import MlflowClient
from mlflow.entities import RunInfo

from ablate.errors import StoreError
from ablate.runs import Failure, Result, RunFolder, checked_files
from ablate.runs.cells import CELLS
from ablate.runs.confusions import Confusions
from ablate.tracking.address import Address

_TABLE = "per-image.json"

# MLflow shows what this tag names as a table that can be sorted and compared between runs.
TABLE_TAG = {"mlflow.loggedArtifacts": json.dumps([{"path": _TABLE, "type": "table"}])}


class Files(Protocol):
    """Where the files of one run go; MLflow's repositories of artifacts are this."""

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """Copies a file, into a folder of this name."""


def files_of(client: MlflowClient, run: RunInfo, address: Address) -> Files:
    """Where the files of a run go."""
    if not address.own:
        return _OfServer(client, run.run_id)
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    # The client would ask the database for the whole run, to learn what its creation has told.
    repository: Files = get_artifact_repository(run.artifact_uri, tracking_uri=address.uri)
    return repository


class _OfServer:
    """The client finds out how to reach them."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self._client = client
        self._run_id = run_id

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """See ``Files``."""
        self._client.log_artifact(self._run_id, local_file, artifact_path)


def upload(files: Files, folder: RunFolder, ending: Result | Failure) -> list[str]:
    """Copies a run's files; called again, it replaces them.

    Checkpoints are not copied: they serve only to resume. Nor is what differs from its digest, or
    is no file: a link could lead to any file of this machine.

    Returns:
        One line for each file that was not copied for that reason.

    Raises:
        StoreError: If the counts of pixels cannot be read.
    """
    name = "result.json" if isinstance(ending, Result) else "failure.json"
    with TemporaryDirectory() as made:
        texts = {
            "spec.json": folder.spec_file().model_dump_json(indent=2),
            name: ending.model_dump_json(indent=2) + "\n",
        }
        if isinstance(ending, Result):
            # Its digest is a part of the run's state.
            texts[_TABLE] = _table(folder.confusions())
        for text, content in texts.items():
            path = Path(made, text)
            path.write_text(content, encoding="utf-8")
            files.log_artifact(str(path))
    if isinstance(ending, Failure):
        return []
    problems = []
    # Missing ones may have been removed on purpose.
    if os.path.lexists(folder.weights_path):
        if problem := checked_files.weights_problem(folder, ending):
            problems.append(problem)
        else:
            files.log_artifact(str(folder.weights_path))
    files.log_artifact(str(folder.confusion_path))
    if ending.test is not None:
        folder.test_confusions()
        files.log_artifact(str(folder.test_confusion_path))
    unusable: list[StoreError] = []
    for panel, _ in checked_files.panels(folder, unusable):
        files.log_artifact(str(panel), folder.panels_path.name)
    return problems + [str(error) for error in unusable]


def _table(confusions: Confusions) -> str:
    """The pixels of every image, as MLflow keeps tables."""
    # Not the client's log_table: what it finds already there it would append to.
    columns = [list(confusions.names), *confusions.counts.T.tolist()]
    columns += [column.tolist() for column in confusions.of_masks.values()]
    names = ["image", *CELLS, *confusions.of_masks]
    return json.dumps({"columns": names, "data": list(zip(*columns, strict=True))})
