"""MLflow's switches. They must be set before mlflow is imported."""

import os
from collections.abc import MutableMapping

from ablate.errors import StoreError
from ablate.tracking.address import Address

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

# What reaches the user's server, database or artifacts is kept: logins, certificates, endpoints,
# patience. Everything else is meant for an MLflow of the user's own: it would tie what is logged to
# another run, give the user interface another address, or fill the mirror's log.
_KEPT = (
    *("MLFLOW_TRACKING_", "MLFLOW_HTTP_", "MLFLOW_ALLOW_HTTP_REDIRECTS", "MLFLOW_UC_"),
    *("MLFLOW_MYSQL_SSL_", "MLFLOW_KERBEROS_", "MLFLOW_PYARROW_", "MLFLOW_BOTO_", "MLFLOW_S3_"),
    *("MLFLOW_GCS_", "MLFLOW_ARTIFACT_", "MLFLOW_MULTIPART_", "MLFLOW_ENABLE_MULTIPART_"),
    *("MLFLOW_ENABLE_PROXY_MULTIPART_", "MLFLOW_WORKSPACE"),
)
# A proxy of the whole machine's knows nothing of what listens on this machine alone.
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Addresses are given, and the store's own server has no workspaces.
_REPLACED = ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_DIR")
_NOT_FOR_THE_SERVER = "MLFLOW_WORKSPACE"


def prepare_client(address: Address, level: str) -> None:
    """Sets this process up as a client of MLflow.

    Of the user's own switches those stay that say how to reach a server; none where the mirror is
    the store's own database.

    Args:
        address: Where the mirror lies.
        level: From which level on MLflow logs.

    Raises:
        StoreError: If MLflow cannot read the value of a switch that stays.
    """
    switches = _QUIET | _CLIENT | {"MLFLOW_LOGGING_LEVEL": level}
    _prepare(os.environ, switches, kept=() if address.own else _KEPT)
    bypass_proxy()
    if address.login is not None:
        names = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
        os.environ.update(zip(names, address.login, strict=True))
    _check_switches()


def bypass_proxy() -> None:
    """Lets this process reach servers on this machine without the user's proxy."""
    # Libraries read one of the two names first, and not all of them the same.
    given = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = [host for host in (each.strip() for each in given.split(",")) if host]
    hosts += [host for host in _LOOPBACK if host not in hosts]
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "*" if "*" in hosts else ",".join(hosts)


def _check_switches() -> None:
    import mlflow.environment_variables as switches

    for name in sorted(os.environ):
        switch = getattr(switches, name, None) if name.startswith("MLFLOW_") else None
        try:
            if switch is not None:
                switch.get()
        except ValueError as error:
            reason = str(error).partition("\n")[0]
            raise StoreError(
                f"MLflow cannot read {name}: {reason}", "correct or unset it"
            ) from error


def server_environment() -> dict[str, str]:
    """The environment for MLflow's server, whatever the user has set for another one."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_NOT_FOR_THE_SERVER)
    }
    _prepare(environment, _QUIET | _SERVER | {"MLFLOW_LOGGING_LEVEL": "WARNING"}, _KEPT)
    return environment


def _prepare(
    environment: MutableMapping[str, str], switches: dict[str, str], kept: tuple[str, ...]
) -> None:
    for name in [name for name in environment if name.startswith(("MLFLOW_", "_MLFLOW_"))]:
        if name in _REPLACED or not name.startswith(kept):
            del environment[name]
    for name, value in switches.items():
        if not name.startswith(kept) or name not in environment:
            environment[name] = value
