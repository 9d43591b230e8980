"""The view of MLflow's runs page that shows a sweep's runs as a table. Imports no mlflow.

By itself that page folds nested runs away and shows no metric. Views that its users save are tags
of the experiment; this one is created with it. The form of the tag is not documented: a version of
MLflow that does not know it ignores the tag.
"""

import json

_ID = "runs"
_COLUMNS = (
    "params.`columns.midlays`",
    "params.`columns.residual`",
    "params.`columns.placement`",
    "params.`columns.sites`",
    "params.`columns.encoder_weights`",
    "metrics.`final/precision`",
    "metrics.`final/recall`",
    "metrics.`final/f1`",
    "metrics.`final/overall_accuracy`",
    "metrics.`final/miou`",
    "metrics.`final/positive_iou`",
    "metrics.`parameters/trainable`",
)
_STATE = {
    # Every run but the sweeps' own, which have no key.
    "searchFilter": "tags.`ablate.key` LIKE '%'",
    "orderByKey": "metrics.`final/miou`",
    "orderByAsc": False,
    "selectedColumns": _COLUMNS,
}

VIEW_TAGS = {
    f"mlflow.sharedViewState.{_ID}": json.dumps(
        {"name": "Runs by MIoU", "createdAt": 0, "updatedAt": 0, "state": json.dumps(_STATE)}
    )
}

# The store's own database numbers experiments itself: 0 is MLflow's default, 1 is ablate's.
RUNS_VIEW = f"#/experiments/1/runs?viewStateShareKey={_ID}&workflowType=machine_learning"
