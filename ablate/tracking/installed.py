"""Whether MLflow is installed: it is an extra, which a machine that only trains can do without."""

import importlib.util

from ablate.errors import StoreError

INSTALL = "pip install 'ablate[ui]'"
"""The command that installs it."""


def is_installed() -> bool:
    """Whether runs can be mirrored here; imports nothing."""
    spec = importlib.util.find_spec("mlflow")
    # A folder of this name, as a store has one, is a package without an origin.
    return spec is not None and spec.origin is not None


def check_installed() -> None:
    """Refuses what needs MLflow where it is not installed.

    Raises:
        StoreError: If it is not.
    """
    if not is_installed():
        raise StoreError("MLflow is not installed", INSTALL)
