"""The files of a run that has ended, copied to MLflow."""

import json

import pandas as pd
from mlflow import MlflowClient

from ablate.runs import Failure, Result, RunFolder

_TABLE = "per-image.json"

# MLflow shows what this tag names as a table that can be sorted and compared between runs.
TABLE_TAG = {"mlflow.loggedArtifacts": json.dumps([{"path": _TABLE, "type": "table"}])}


def upload(client: MlflowClient, run_id: str, folder: RunFolder, ending: Result | Failure) -> None:
    """Copies a run's files; called again, it replaces them.

    Checkpoints are not copied: they serve only to resume.
    """
    client.log_text(run_id, folder.spec_file().model_dump_json(indent=2), "spec.json")
    name = "result.json" if isinstance(ending, Result) else "failure.json"
    client.log_text(run_id, ending.model_dump_json(indent=2) + "\n", name)
    if isinstance(ending, Failure):
        return
    # Links are not followed: they could lead to any file of this machine.
    if folder.weights_problem() is None:
        client.log_artifact(run_id, str(folder.weights_path))
    if folder.confusion_path.is_file() and not folder.confusion_path.is_symlink():
        client.log_artifact(run_id, str(folder.confusion_path))
        # Not log_table: what it finds already there it would append to.
        table = pd.read_parquet(folder.confusion_path)
        client.log_text(run_id, table.to_json(orient="split", index=False), _TABLE)
    if folder.test_confusion_path.exists():
        client.log_artifact(run_id, str(folder.test_confusion_path))
    for panel in sorted(folder.panels_path.glob("*.png")):
        if not panel.is_symlink():
            client.log_artifact(run_id, str(panel), folder.panels_path.name)
