"""The files of a run that has ended, copied to MLflow."""

import json
import os

import pandas as pd
from mlflow import MlflowClient

from ablate.errors import StoreError
from ablate.runs import Failure, Result, RunFolder, checked_files
from ablate.runs.cells import CELLS

_TABLE = "per-image.json"

# MLflow shows what this tag names as a table that can be sorted and compared between runs.
TABLE_TAG = {"mlflow.loggedArtifacts": json.dumps([{"path": _TABLE, "type": "table"}])}


def upload(
    client: MlflowClient, run_id: str, folder: RunFolder, ending: Result | Failure
) -> list[str]:
    """Copies a run's files; called again, it replaces them.

    Checkpoints are not copied: they serve only to resume. Nor is what differs from its digest, or
    is no file: a link could lead to any file of this machine.

    Returns:
        One line for each file that was not copied for that reason.

    Raises:
        StoreError: If the counts of pixels cannot be read.
    """
    client.log_text(run_id, folder.spec_file().model_dump_json(indent=2), "spec.json")
    name = "result.json" if isinstance(ending, Result) else "failure.json"
    client.log_text(run_id, ending.model_dump_json(indent=2) + "\n", name)
    if isinstance(ending, Failure):
        return []
    problems = []
    # Missing ones may have been removed on purpose.
    if os.path.lexists(folder.weights_path):
        if problem := checked_files.weights_problem(folder, ending):
            problems.append(problem)
        else:
            client.log_artifact(run_id, str(folder.weights_path))
    # Their digests are a part of the run's state.
    confusions = folder.confusions()
    client.log_artifact(run_id, str(folder.confusion_path))
    # Not log_table: what it finds already there it would append to.
    table = pd.DataFrame(confusions.counts, columns=list(CELLS))
    for name, column in confusions.of_masks.items():
        table[name] = column
    table.insert(0, "image", confusions.names)
    client.log_text(run_id, table.to_json(orient="split", index=False), _TABLE)
    if ending.test is not None:
        folder.test_confusions()
        client.log_artifact(run_id, str(folder.test_confusion_path))
    unusable: list[StoreError] = []
    for panel, _ in checked_files.panels(folder, unusable):
        client.log_artifact(run_id, str(panel), folder.panels_path.name)
    return problems + [str(error) for error in unusable]
