"""Whether the mirror's place answers, and what it is."""

import sqlite3
import urllib.error
import urllib.request
from contextlib import closing
from http.client import HTTPException
from urllib.parse import urlsplit

from ablate.errors import StoreError
from ablate.runs import Store
from ablate.tracking import database, environment
from ablate.tracking.address import Address

_LIMIT_S = 5
# The name that each database's drivers have for it.
_CONNECT_LIMITS = {
    "postgresql": {"connect_timeout": _LIMIT_S},
    "mysql": {"connect_timeout": _LIMIT_S},
    "mssql": {"timeout": _LIMIT_S},
}
# Without the sweeps' own runs, which have no key.
_RUNS = (
    "SELECT count(*) FROM runs JOIN tags USING (run_uuid) "
    "WHERE lifecycle_stage = 'active' AND key = 'ablate.key'"
)


def check(store: Store, uri: str | None) -> str:
    """See ``ablate.tracking.check``."""
    address = Address.of(store, uri)
    if address.database is not None:
        return _check_sqlite(address)
    if address.is_server:
        return _check_server(address)
    if address.uri.startswith("databricks") or address.uri.startswith("uc"):
        return f"{address.shown} (not contacted)"
    return _check_database(address)


def _check_sqlite(address: Address) -> str:
    path = address.database
    if path is None or not database.is_there(path):
        return f"{path} (made by the first run)"
    database.check(path, address)
    try:
        # Read-only: what is only checked is not written to.
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            (runs,) = connection.execute(_RUNS).fetchone()
    except sqlite3.Error as error:
        problem = f"{path} is not an MLflow database: {error}"
        raise database.refusal(problem, error, address) from error
    return f"{path} (runs: {runs})"


def _check_server(address: Address) -> str:
    parts = urlsplit(address.uri)
    # Without the user, whom urllib would take for part of the host.
    url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/") + "/version"
    environment.bypass_proxy()
    try:
        # Its scheme is http or https.
        with urllib.request.urlopen(url, timeout=_LIMIT_S) as answer:  # noqa: S310
            version = answer.read(80).decode(errors="replace").strip()
    except urllib.error.HTTPError as error:
        # It is there, and wants a login that MLflow's client may have.
        if error.code in (401, 403):
            return f"{address.shown} (asks for a login)"
        raise StoreError(
            f"MLflow at {address.shown}: {url} answers {error.code}", address.repair
        ) from error
    except (OSError, HTTPException) as error:
        cause = getattr(error, "reason", error)
        raise StoreError(f"MLflow at {address.shown}: {cause}", address.repair) from error
    return f"{address.shown} (MLflow {version})"


def _check_database(address: Address) -> str:
    from sqlalchemy import create_engine, make_url, text
    from sqlalchemy.exc import SQLAlchemyError

    url = make_url(address.uri)
    limits = _CONNECT_LIMITS[url.get_backend_name()]
    try:
        with create_engine(url, connect_args=limits).connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        raise StoreError(f"MLflow at {address.shown}: {cause}", address.repair) from error
    return address.shown
