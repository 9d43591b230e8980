"""Where the mirror lies."""

from dataclasses import dataclass
from pathlib import Path

from ablate.errors import StoreError
from ablate.runs import Store


def tracking_uri(store: Store, uri: str | None) -> str:
    """The tracking URI to use: the one given, or else that of the store's own database."""
    return uri or sqlite_uri(_own_database(store))


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
            StoreError: If it is an sqlite URI without a file.
        """
        uri = tracking_uri(store, uri)
        if not uri.startswith("sqlite"):
            return cls(uri=uri, database=None, own=False, artifacts=None)
        from sqlalchemy import make_url

        name = make_url(uri).database
        if name in (None, "", ":memory:"):
            raise StoreError(
                f"the tracking URI {uri} names no file", "write sqlite:////ABS/FILE.db"
            )
        database = Path(name).absolute()
        own = database == _own_database(store)
        return cls(uri=uri, database=database, own=own, artifacts=store.mlflow_path / "artifacts")

    @property
    def repair(self) -> str:
        """What to do when MLflow cannot be written to."""
        if self.own and self.database:
            return f"remove {self.database.parent} and run `ablate sync`: the runs are untouched"
        return "see to it and run `ablate sync`: the runs are untouched"


def _own_database(store: Store) -> Path:
    return store.mlflow_path / "mlflow.db"


def sqlite_uri(path: Path) -> str:
    """The tracking URI of an sqlite file."""
    # SQLAlchemy takes what follows a question mark for options and decodes percent signs.
    return "sqlite:///" + str(path).replace("%", "%25").replace("?", "%3F")
