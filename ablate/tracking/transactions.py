"""What is logged together, as one transaction of the store's own database.

MLflow makes a transaction of each of its operations, 17 for a run, each on a connection of its own:
opening them is a third of the mirror's computation, and each waits for the disk.
"""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from mlflow import MlflowClient

from ablate.tracking.address import Address

# MLflow's sessions with a database are imported where there is one: a server has its own.
if TYPE_CHECKING:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from sqlalchemy.orm import Session

# As MLflow sets them; inside of a transaction the first would have no effect. The last is ours:
# sqlite writes before the commit when its cache is full, and then nobody can read until it.
_PRAGMAS = (
    "foreign_keys = ON",
    "busy_timeout = 20000",
    "case_sensitive_like = true",
    "cache_spill = OFF",
)
# Others wait so long if they write.
_LONGEST_S = 0.5


class Transaction(Protocol):
    """What is logged while it is open."""

    def commit_if_due(self) -> None:
        """Commits what was logged so far, unless it was begun only just now; goes on with another.

        To be called where what was logged is whole.
        """


@contextmanager
def transaction(client: MlflowClient, address: Address) -> Iterator[Transaction]:
    """While this is open, what the client writes to the store's own database is one transaction.

    It begins with the client's first operation, on a connection that ends with it: one that was
    kept could outlive the database. Other processes read meanwhile, and wait if they write.

    With an exception, and with a kill, MLflow has nothing of what was not committed. Of any other
    address, each operation is a transaction of its own, as always.

    The sessions are no public part of MLflow: where a later version has others, each operation is a
    transaction of its own.

    Args:
        client: No other thread uses it.
        address: Where MLflow is.
    """
    store: Any = getattr(client._tracking_client, "store", None)
    if not (address.own and hasattr(store, "ManagedSessionMaker") and _session_maker()):
        yield _Apart()
        return
    joined = _Joined(store)
    apart = store.ManagedSessionMaker
    store.ManagedSessionMaker = joined.session
    # Whatever is made in an experiment asks for it first.
    store.get_experiment = cache(store.get_experiment)
    try:
        yield joined
        joined.commit()
    finally:
        del store.get_experiment
        store.ManagedSessionMaker = apart
        joined.close()


class _Apart:
    """Each operation is committed by itself."""

    def commit_if_due(self) -> None:
        """Nothing is left to be committed."""


class _Joined:
    """Sessions of MLflow's that are parts of one transaction; each is a savepoint of it.

    https://docs.sqlalchemy.org/en/20/orm/session_transaction.html, "Joining a Session into an
    External Transaction".
    """

    def __init__(self, store: "SqlAlchemyStore") -> None:
        """Begins nothing yet.

        Args:
            store: MLflow's.
        """
        self._store = store
        self._connection: Any = None
        self._sessions: Any = None
        self._begun_s = 0.0

    def session(self, read_only: bool = True) -> "AbstractContextManager[Session]":
        """In place of the store's ``ManagedSessionMaker``."""
        if self._connection is None:
            self._begin()
        session: AbstractContextManager[Session] = self._sessions(read_only=read_only)
        return session

    def commit_if_due(self) -> None:
        """See ``Transaction``."""
        if self._connection is not None and time.monotonic() - self._begun_s > _LONGEST_S:
            self.commit()
            self.close()

    def commit(self) -> None:
        """Commits, if anything was begun."""
        if self._connection is not None:
            self._connection.commit()

    def close(self) -> None:
        """Drops what is not committed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _begin(self) -> None:
        from sqlalchemy.orm import sessionmaker

        connection = self._connection = self._store.engine.connect()
        driver: Any = connection.connection.dbapi_connection
        # Else sqlite3 begins transactions by itself, but none for a savepoint.
        driver.isolation_level = None
        for pragma in _PRAGMAS:
            connection.exec_driver_sql(f"PRAGMA {pragma}")
        # A transaction that begins with reading is refused where another process writes meanwhile.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        # MLflow would give each session the switches that this connection has: it is not told
        # that the database is sqlite. What a session has read stays: it ends with its operation.
        sessions = sessionmaker(
            bind=connection, join_transaction_mode="create_savepoint", expire_on_commit=False
        )
        self._sessions = _session_maker()(sessions, db_type="")
        self._begun_s = time.monotonic()


def _session_maker() -> Any:
    """MLflow's maker of sessions; None: this version has no such function."""
    from mlflow.store.db import utils

    return getattr(utils, "_get_managed_session_maker", None)
