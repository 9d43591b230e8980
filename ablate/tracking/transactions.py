"""What is logged together, as one transaction of the store's own database.

MLflow makes a transaction of each of its operations, 17 for a run, each on a connection of its own:
opening them is a third of the mirror's computation, and each waits for the disk.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from mlflow import MlflowClient

from ablate.errors import StoreError
from ablate.tracking.address import Address

# MLflow's sessions with a database are imported where there is one: a server has its own.
if TYPE_CHECKING:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from sqlalchemy.orm import Session

# As MLflow sets them; inside of a transaction the first would have no effect.
_PRAGMAS = ("foreign_keys = ON", "busy_timeout = 20000", "case_sensitive_like = true")


@contextmanager
def one_transaction(client: MlflowClient, address: Address) -> Iterator[None]:
    """While this is open, what the client writes to the store's own database is one transaction.

    It begins with the client's first operation, on a connection that ends with it: one that was
    kept could outlive the database. Other processes read meanwhile, and wait if they write.

    An error of a file (``OSError``, ``StoreError``) keeps what was logged before it; with any other
    exception, and with a kill, MLflow has nothing of it. Of any other address, each operation is a
    transaction of its own, as always.

    Args:
        client: No other thread uses it.
        address: Where MLflow is.
    """
    if not address.own:
        yield
        return
    store = client._tracking_client.store
    with ExitStack() as opened:
        joined = _Joined(store, opened)
        apart = store.ManagedSessionMaker
        store.ManagedSessionMaker = joined.session
        try:
            yield
        except (OSError, StoreError):
            joined.commit()
            raise
        finally:
            store.ManagedSessionMaker = apart
        joined.commit()


class _Joined:
    """Sessions of MLflow's that are parts of one transaction; each is a savepoint of it.

    https://docs.sqlalchemy.org/en/20/orm/session_transaction.html, "Joining a Session into an
    External Transaction".
    """

    def __init__(self, store: "SqlAlchemyStore", opened: ExitStack) -> None:
        """Begins nothing yet.

        Args:
            store: MLflow's.
            opened: Closes the connection, which drops what is not committed.
        """
        self._store = store
        self._opened = opened
        self._connection: Any = None
        self._sessions: Any = None

    def session(self, read_only: bool = True) -> "AbstractContextManager[Session]":
        """In place of the store's ``ManagedSessionMaker``."""
        if self._connection is None:
            self._begin()
        session: AbstractContextManager[Session] = self._sessions(read_only=read_only)
        return session

    def commit(self) -> None:
        """Commits, if anything was begun."""
        if self._connection is not None:
            self._connection.commit()

    def _begin(self) -> None:
        from mlflow.store.db import utils
        from sqlalchemy.orm import sessionmaker

        connection = self._opened.enter_context(self._store.engine.connect())
        driver: Any = connection.connection.dbapi_connection
        # Else sqlite3 begins transactions by itself, but none for a savepoint.
        driver.isolation_level = None
        for pragma in _PRAGMAS:
            connection.exec_driver_sql(f"PRAGMA {pragma}")
        # A transaction that begins with reading is refused where another process writes meanwhile.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        self._sessions = utils._get_managed_session_maker(  # type: ignore[no-untyped-call]
            sessionmaker(bind=connection, join_transaction_mode="create_savepoint"),
            self._store.db_type,
        )
        self._connection = connection
