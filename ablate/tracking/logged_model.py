"""The trained model of a run as one of MLflow's logged models, which its metrics belong to.

Nothing of the model itself is logged, no code and no pickle: the weights are an artifact of the
run. The logged model says which run made it, on which data its scores were found, and lets MLflow's
Models page sort and compare them.
"""

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_IS_EXTERNAL

from ablate.tracking.mapping import ModelCard

# What a server answers that is older than logged models (MLflow 3.0).
_UNKNOWN_TO_SERVER = "ENDPOINT_NOT_FOUND"


def ensure_model(
    client: MlflowClient, experiment_id: str, run_id: str, card: ModelCard, *, is_new: bool
) -> str | None:
    """The id of the run's logged model, which is created unless it is there.

    Args:
        client: The connection to MLflow.
        experiment_id: Where the run is.
        run_id: The run.
        card: What the model shows.
        is_new: Whether the run was created just now, and so has no model.

    Returns:
        None where MLflow's server is too old to know logged models.

    Raises:
        mlflow.exceptions.MlflowException: If MLflow cannot be written to.
    """
    try:
        found = [] if is_new else _models_of(client, experiment_id, run_id)
        model = (
            found[0]
            if found
            else client.create_logged_model(
                experiment_id,
                name=card.name,
                source_run_id=run_id,
                tags=card.tags | {MLFLOW_MODEL_IS_EXTERNAL: "true"},
                params=card.params,
                model_type="segmentation",
            )
        )
        if model.status is not LoggedModelStatus.READY:
            # MLflow refuses an output that it has, which an earlier process was killed after.
            if not (found and _is_output(client, run_id, model.model_id)):
                client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
            client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    except MlflowException as error:
        if error.error_code == _UNKNOWN_TO_SERVER:
            return None
        raise
    return str(model.model_id)


def delete_models(client: MlflowClient, experiment_id: str, run_id: str) -> None:
    """Deletes the logged models of a run that is itself deleted.

    Raises:
        mlflow.exceptions.MlflowException: If MLflow cannot be written to.
    """
    for model in _models_of(client, experiment_id, run_id):
        client.delete_logged_model(model.model_id)


def _is_output(client: MlflowClient, run_id: str, model_id: str) -> bool:
    outputs = client.get_run(run_id).outputs
    return outputs is not None and any(each.model_id == model_id for each in outputs.model_outputs)


def _models_of(client: MlflowClient, experiment_id: str, run_id: str) -> list[LoggedModel]:
    found = client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'")
    return list(found)
