"""Where the mirror lies."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ablate.errors import StoreError
from ablate.runs import Store
from ablate.tracking.installed import INSTALL, is_installed

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
        login: User and password of a server whose URI has both; ``uri`` is without them, and so is
            whatever MLflow says of it.
    """

    uri: str
    database: Path | None
    own: bool
    artifacts: Path | None
    login: tuple[str, str] | None = field(default=None, repr=False)

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
            uri, login = _without_login(uri)
            return cls(uri=uri, database=None, own=False, artifacts=None, login=login)
        database = Path(_file_of(uri)).absolute()
        own = database == _own_database(store)
        return cls(uri=uri, database=database, own=own, artifacts=store.mlflow_path / "artifacts")

    @property
    def repair(self) -> str:
        """What to do when MLflow cannot be written to."""
        if self.own and self.database:
            return f"remove {self.database.parent} and run `ablate sync`: the runs are untouched"
        return "check it and run `ablate sync`: the runs are untouched"

    @property
    def is_server(self) -> bool:
        """Whether it is reached by HTTP."""
        return self.uri.partition(":")[0] in _SERVERS

    @property
    def shown(self) -> str:
        """The URI as it may be printed; see ``shown_uri``."""
        return shown_uri(self.uri)


def _own_database(store: Store) -> Path:
    return store.mlflow_path / "mlflow.db"


def sqlite_uri(path: Path) -> str:
    """The tracking URI of an sqlite file."""
    # SQLAlchemy takes what follows a question mark for options and decodes percent signs.
    return "sqlite:///" + str(path).replace("%", "%25").replace("?", "%3F")


def _without_login(uri: str) -> tuple[str, tuple[str, str] | None]:
    """The address of a server, and the user and the password that stood in it."""
    parts = urlsplit(uri)
    if parts.scheme not in _SERVERS or not parts.username or not parts.password:
        return uri, None
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return bare, (unquote(parts.username), unquote(parts.password))


def check_uri(uri: str) -> None:
    """Refuses a tracking URI that can never work; connects to nothing.

    Raises:
        StoreError: If MLflow is not installed, its scheme is unknown to MLflow, it names no host or
            no file, or the database's driver is not installed. Passwords are not in the message.
    """
    named = f"the tracking URI {shown_uri(uri)}"
    if uri != uri.strip() or not uri.isprintable():
        named = f"the tracking URI {shown_uri(uri)!r}"
        raise StoreError(f"{named} has spaces around it or unprintable characters", _EXAMPLES)
    if not is_installed():
        raise StoreError(
            f"{named} is for MLflow, which is not installed",
            f"{INSTALL}, or train with --no-track and mirror the runs later (`ablate sync`)",
        )
    # As it is written: MLflow and SQLAlchemy take no capital letters.
    scheme = uri.partition(":")[0].partition("+")[0]
    if scheme in _SERVERS:
        _check_server(uri, named)
    elif scheme in _DATABASES:
        _check_driver(uri, named)
        if scheme == "sqlite":
            _check_file(uri, named)
    elif scheme not in _DATABRICKS:
        raise StoreError(f"MLflow cannot use {named}", _EXAMPLES)


def shown_uri(uri: str) -> str:
    """A tracking URI as it may be printed: without user, password and options."""
    scheme, colon, rest = uri.partition(":")
    if scheme.startswith("sqlite"):
        return uri
    if "@" in rest:
        rest = f"{'//' if rest.startswith('//') else ''}***@{rest.rpartition('@')[2]}"
    # Options of a database's address may hold a password, too.
    return scheme + colon + rest.partition("?")[0]


def _check_server(uri: str, named: str) -> None:
    try:
        parts = urlsplit(uri)
        # The port is parsed, and the host encoded, only here.
        is_complete = bool(parts.hostname) and (parts.port is None or parts.port > 0)
        (parts.hostname or "").encode("idna")
    except ValueError as error:
        raise StoreError(f"{named} is not a URI ({_reason(error, uri)})", _EXAMPLES) from error
    if not is_complete:
        raise StoreError(f"{named} names no host", _EXAMPLES)
    if " " in uri or parts.query or parts.fragment:
        # MLflow appends the path of each request to it.
        raise StoreError(f"{named} has a space, ? or # in it", _EXAMPLES)


def _check_driver(uri: str, named: str) -> None:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        make_url(uri).get_dialect().import_dbapi()
    # NoSuchModuleError, of a dialect that SQLAlchemy does not have, is an ArgumentError.
    except (ArgumentError, ValueError) as error:
        raise StoreError(f"{named} is not a URI ({_reason(error, uri)})", _EXAMPLES) from error
    except ImportError as error:
        raise StoreError(
            f"the database of {named} has no driver here ({error})",
            "install it into ablate's environment",
        ) from error


def _reason(error: Exception, uri: str) -> str:
    """The first line of what a parser says; where there is a password, it may repeat that."""
    return "it cannot be parsed" if "@" in uri else str(error).partition("\n")[0]


def _check_file(uri: str, named: str) -> None:
    from sqlalchemy import make_url

    file = _file_of(uri)
    if file in ("", ":memory:") or file.startswith("file:") or file.endswith("/"):
        raise StoreError(f"{named} names no file", _EXAMPLES)
    if make_url(uri).host:
        raise StoreError(f"{named} has too few slashes", _EXAMPLES)
    path = Path(file).absolute()
    try:
        # The nearest folder that is there: those below it are made.
        parent = next(folder for folder in path.parents if folder.exists())
        is_possible = parent.is_dir() and not path.is_dir()
    except OSError as error:
        raise StoreError(f"{named} names no file ({error.strerror})", _EXAMPLES) from error
    if not is_possible:
        raise StoreError(f"{named} names no file: another file or a folder is there", _EXAMPLES)


def _file_of(uri: str) -> str:
    """The file of an sqlite URI; empty where it names none."""
    from sqlalchemy import make_url

    return make_url(uri).database or ""
