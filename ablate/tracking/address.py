"""Where the mirror lies."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ablate.errors import StoreError
from ablate.runs import Store

_SERVERS = ("http", "https")
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_DATABRICKS = ("databricks", "databricks-uc", "uc")
_EXAMPLES = "write http://HOST:PORT, sqlite:////ABS/FILE.db or postgresql://USER@HOST/NAME"


def tracking_uri(store: Store, uri: str | None) -> str:
    """The tracking URI to use: the one given, or else that of the store's own database."""
    return uri or sqlite_uri(_own_database(store))


def is_file(store: Store, uri: str | None) -> bool:
    """Whether the runs are mirrored into a file, which answers without a network."""
    return tracking_uri(store, uri).startswith("sqlite")


@dataclass(frozen=True)
class Address:
    """A place that the store can be mirrored to.

    Attributes:
        uri: MLflow's tracking URI.
        database: The sqlite file behind it; None for a server or another database.
        own: Whether it is the store's own database, which holds nothing else.
        artifacts: Folder for artifacts; None where MLflow's server decides.
    """

    uri: str
    database: Path | None
    own: bool
    artifacts: Path | None

    @classmethod
    def of(cls, store: Store, uri: str | None) -> "Address":
        """The address that ``uri`` means for this store.

        Raises:
            StoreError: If MLflow cannot use such a URI; see ``check_uri``.
        """
        if uri:
            check_uri(uri)
        uri = tracking_uri(store, uri)
        if not uri.startswith("sqlite"):
            return cls(uri=uri, database=None, own=False, artifacts=None)
        database = Path(_file_of(uri)).absolute()
        own = database == _own_database(store)
        return cls(uri=uri, database=database, own=own, artifacts=store.mlflow_path / "artifacts")

    @property
    def repair(self) -> str:
        """What to do when MLflow cannot be written to."""
        if self.own and self.database:
            return f"remove {self.database.parent} and run `ablate sync`: the runs are untouched"
        return "check it and run `ablate sync`: the runs are untouched"


def _own_database(store: Store) -> Path:
    return store.mlflow_path / "mlflow.db"


def sqlite_uri(path: Path) -> str:
    """The tracking URI of an sqlite file."""
    # SQLAlchemy takes what follows a question mark for options and decodes percent signs.
    return "sqlite:///" + str(path).replace("%", "%25").replace("?", "%3F")


def check_uri(uri: str) -> None:
    """Refuses a tracking URI that can never work; connects to nothing.

    Raises:
        StoreError: If its scheme is unknown to MLflow, it names no host or no file, or the
            database's driver is not installed.
    """
    try:
        parts = urlsplit(uri)
        # The port is parsed only here.
        is_complete = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError as error:
        raise StoreError(f"the tracking URI {uri} is not a URI ({error})", _EXAMPLES) from error
    scheme = parts.scheme.partition("+")[0]
    if scheme in _SERVERS:
        if not is_complete:
            raise StoreError(f"the tracking URI {uri} names no host", _EXAMPLES)
    elif scheme in _DATABASES:
        _check_driver(uri)
        if scheme == "sqlite" and _file_of(uri) in ("", ":memory:"):
            raise StoreError(f"the tracking URI {uri} names no file", _EXAMPLES)
    elif scheme not in _DATABRICKS and uri not in _DATABRICKS:
        raise StoreError(f"MLflow cannot use the tracking URI {uri}", _EXAMPLES)


def _check_driver(uri: str) -> None:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        make_url(uri).get_dialect().import_dbapi()
    # NoSuchModuleError, of a dialect that SQLAlchemy does not have, is an ArgumentError.
    except (ArgumentError, ValueError) as error:
        raise StoreError(f"the tracking URI {uri} is not a URI ({error})", _EXAMPLES) from error
    except ImportError as error:
        raise StoreError(
            f"the database of the tracking URI {uri} has no driver here ({error})",
            "install it into ablate's environment",
        ) from error


def _file_of(uri: str) -> str:
    """The file of an sqlite URI; empty where it names none."""
    from sqlalchemy import make_url

    return make_url(uri).database or ""
