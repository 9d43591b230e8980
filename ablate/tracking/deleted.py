"""Artifacts of runs that a user has deleted in MLflow."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from ablate.errors import StoreError
from ablate.runs import Store, shown
from ablate.tracking.address import Address

_RUN_ID = re.compile("[0-9a-f]{32}")
_BUSY_S = 5.0


def deleted_artifacts(store: Store) -> list[Path]:
    """The folders of artifacts of runs that are deleted in the store's own database.

    MLflow keeps both until `mlflow gc`. What the database does not know is passed over: another
    database, given with ``--tracking-uri``, has its artifacts here as well.

    Raises:
        StoreError: If the database cannot be read.
    """
    address = Address.of(store, None)
    path, artifacts = address.database, address.artifacts
    if (
        path is None
        or not path.is_file()
        or artifacts is None
        or artifacts.is_symlink()
        or path.is_symlink()
    ):
        return []
    try:
        # Only to read: sqlite would make what is not there.
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", _BUSY_S, uri=True)) as database:
            asked = "SELECT run_uuid FROM runs WHERE lifecycle_stage = 'deleted'"
            found = [str(row[0]) for row in database.execute(asked)]
    except sqlite3.Error as error:
        raise StoreError(
            f"{path} cannot be read: {shown(str(error))}", "what MLflow has deleted is kept"
        ) from error
    folders = [artifacts / name for name in sorted(filter(_RUN_ID.fullmatch, found))]
    return [folder for folder in folders if folder.is_dir() and not folder.is_symlink()]
