import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_store import FakeStore, fake_store

from ablate.runs import Store
from ablate.tracking import database, environment
from ablate.tracking.address import Address


@pytest.fixture(scope="session", autouse=True)
def mlflow_imported():
    """Imports MLflow once, without what it makes SQLAlchemy 2.1 say."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="The ``noload`` loader strategy", category=DeprecationWarning
        )
        environment.prepare_client(Address.of(Store(Path()), None), level="CRITICAL")
        import mlflow.store.tracking.sqlalchemy_store  # noqa: F401


@pytest.fixture(autouse=True)
def environment_restored():
    """Mirroring sets MLflow's switches in the environment of its process."""
    before = dict(os.environ)
    # The tests' own clients, too, hold no database open.
    os.environ["MLFLOW_SQLALCHEMYSTORE_POOLCLASS"] = "NullPool"
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory, mlflow_imported) -> Path:
    """A fresh database with all tables; making one takes seconds."""
    store = Store(tmp_path_factory.mktemp("migrated"))
    address = Address.of(store, None)
    assert database.ensure(address)
    return address.database


@pytest.fixture
def with_database(migrated) -> Callable[[Store], None]:
    """Gives a store its database in no time."""

    def give(store: Store) -> None:
        store.mlflow_path.mkdir(parents=True, exist_ok=True)
        shutil.copy(migrated, store.mlflow_path / "mlflow.db")

    return give


@pytest.fixture
def swept(tmp_path, with_database) -> FakeStore:
    """One run done, one begun."""
    fake = fake_store(tmp_path)
    fake.finish(0)
    fake.begin(1)
    with_database(fake.store)
    return fake
