"""MLflow's switches. They must be set before mlflow is imported."""

import os
from collections.abc import MutableMapping

# Nothing is sent to the outside (client and server alike have telemetry) or to the terminal.
# https://mlflow.org/docs/latest/community/usage-tracking/
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}

_CLIENT = {
    # No connection outlives a transaction: a database that was removed meanwhile is missed and
    # made again, where a pooled connection would go on writing into a file without a name.
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",
    # MLflow's own patience with a server that is gone is many minutes for each request.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}

_SERVER = {
    # Jobs and the gateway serve language models: more processes, calls to the outside, no use.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_ENABLE_AI_GATEWAY": "false",
    # What the server's own libraries deprecate is nothing that its user could fix.
    "PYTHONWARNINGS": "ignore",
    # The server's processes never import what lies in the folder that they are started in.
    "PYTHONSAFEPATH": "1",
}

# They tie what is logged to another run or model, or do not go with NullPool.
_FOREIGN = (
    "MLFLOW_RUN_ID",
    "MLFLOW_EXPERIMENT_ID",
    "MLFLOW_EXPERIMENT_NAME",
    "MLFLOW_ACTIVE_MODEL_ID",
    "_MLFLOW_ACTIVE_MODEL_ID",
    "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE",
    "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW",
)


def prepare_client(level: str) -> None:
    """Sets this process up as a client of MLflow; what the user has set stays.

    Args:
        level: From which level on MLflow logs.
    """
    _prepare(os.environ, _QUIET | _CLIENT | {"MLFLOW_LOGGING_LEVEL": level})


def server_environment() -> dict[str, str]:
    """The environment for MLflow's server; what the user has set stays."""
    environment = dict(os.environ)
    _prepare(environment, _QUIET | _SERVER | {"MLFLOW_LOGGING_LEVEL": "WARNING"})
    return environment


def _prepare(environment: MutableMapping[str, str], switches: dict[str, str]) -> None:
    for name in _FOREIGN:
        environment.pop(name, None)
    for name, value in switches.items():
        environment.setdefault(name, value)
