"""Creating MLflow's sqlite database so that neither a race nor a kill can leave half of one.

MLflow itself creates and migrates tables in place: a kill in between leaves a database that it
refuses, and two processes that begin at once break each other's migrations.
"""

import importlib.metadata
import importlib.util
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

from alembic.script import ScriptDirectory

from ablate.errors import StoreError
from ablate.runs import atomic, locks
from ablate.tracking.address import Address, sqlite_uri

# Making one takes seconds; a slow shared disk may take a minute.
_PATIENCE_S = 120.0
_BUSY_S = 20.0


def ensure(address: Address) -> bool:
    """Creates the database of an sqlite address unless it is there; does nothing for others.

    Returns:
        Whether it was created now.

    Raises:
        StoreError: If what is there is not an MLflow database, or if another process has been
            making one for too long.
    """
    path = address.database
    if path is None:
        return False
    if is_there(path):
        check(path, address)
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name("database.lock")
    with locks.held(lock, _PATIENCE_S) as alone:
        if not alone:
            raise StoreError(
                f"another process has held {lock} for {_PATIENCE_S:.0f} s", "end it and try again"
            )
        if is_there(path):
            return False
        _build(path, address)
    return True


def is_there(path: Path) -> bool:
    """Whether there is a database: sqlite leaves an empty file where a reader finds none."""
    return path.exists() and path.stat().st_size > 0


def _build(path: Path, address: Address) -> None:
    """Creates and migrates all tables in a temporary file, then renames it into place."""
    temporary = path.with_name(f".{path.name}.new")
    # Journals too: sqlite would play that of a database that is gone into the new one.
    _remove(path.parent, f"{temporary.name}*")
    _remove(path.parent, f"{path.name}-*")
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    # With the rights that the umask leaves: sqlite's own would close it to a group that shares it.
    temporary.touch()
    try:
        SqlAlchemyStore(  # type: ignore[no-untyped-call]
            sqlite_uri(temporary), str(address.artifacts)
        )
        atomic.sync_file(temporary)
        atomic.rename(temporary, path)
    finally:
        _remove(path.parent, f"{temporary.name}*")


def _remove(folder: Path, pattern: str) -> None:
    for path in folder.glob(pattern):
        path.unlink(missing_ok=True)


def check(path: Path, address: Address) -> None:
    """Refuses what is not a database of this MLflow's, which would itself try it for minutes.

    Raises:
        StoreError: If it is not, or if a link lies in place of the store's own.
    """
    if address.own and path.is_symlink():
        problem = f"{path} is a link, which may lead out of the store"
        raise StoreError(problem, address.repair)
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY_S)) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        problem = f"{path} is not a usable MLflow database: {error}"
        raise refusal(problem, error, address) from error
    _check_version(str(row[0]) if row else "", path, address)


def _check_version(revision: str, path: Path, address: Address) -> None:
    newest, *older = _revisions()
    if revision == newest:
        return
    version = importlib.metadata.version("mlflow")
    if revision in older:
        problem = f"{path} was made by an MLflow older than {version}"
        upgrade = f"`mlflow db upgrade {address.uri}` keeps it"
    else:
        problem = f"{path} was made by an MLflow newer than {version} (revision {revision!r})"
        upgrade = "install that MLflow"
    raise StoreError(problem, f"{upgrade}, or {address.repair}" if address.own else upgrade)


@cache
def _revisions() -> list[str]:
    """The versions of the tables that the installed MLflow knows, the newest first."""
    spec = importlib.util.find_spec("mlflow")
    (folder,) = spec.submodule_search_locations or [] if spec else []
    scripts = ScriptDirectory(str(Path(folder) / "store" / "db_migrations"))
    return [script.revision for script in scripts.walk_revisions()]


def refusal(problem: str, error: BaseException, address: Address) -> StoreError:
    """The error of a mirror that cannot be used; only one that is damaged is to be removed.

    Args:
        problem: What is wrong.
        error: What was raised, which may have been raised from sqlite's own error.
        address: Where the mirror lies.
    """
    where = address.database or address.shown
    match _sqlite_code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreError(
                f"another program has locked {where}",
                "end it, or wait until it has ended, and run `ablate sync`: the runs are untouched",
            )
        case sqlite3.SQLITE_READONLY:
            return StoreError(f"{where} cannot be written", "change its permissions")
        case sqlite3.SQLITE_FULL:
            return StoreError(
                f"the disk is full: {where} cannot be written", "free space and run `ablate sync`"
            )
    return StoreError(problem, address.repair)


def _sqlite_code(error: BaseException) -> int | None:
    """Sqlite's own code, of this exception or of one that it was raised from or handles."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, sqlite3.OperationalError):
            # The extended codes have the plain one in their last byte.
            code = getattr(cause, "sqlite_errorcode", None)
            return None if code is None else code & 0xFF
        cause = cause.__cause__ or cause.__context__
    return None


def cause_of(error: BaseException) -> str:
    """One line: where a database has raised it, the database's own words, else the first."""
    cause: BaseException | None = error
    while cause is not None:
        if (original := getattr(cause, "orig", None)) is not None:
            error = original
            break
        cause = cause.__cause__ or cause.__context__
    return str(error).strip().partition("\n")[0] or type(error).__name__
