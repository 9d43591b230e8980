import multiprocessing
import sqlite3
import sys
import time
from contextlib import closing

import pytest

from ablate.errors import StoreError
from ablate.runs import Store
from ablate.tracking import database, environment
from ablate.tracking.address import Address

REVISION = "SELECT version_num FROM alembic_version"


def revision(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(REVISION).fetchone()


def ensure(root, start):
    """Runs in a process of its own."""
    environment.prepare_client(level="CRITICAL")
    address = Address.of(Store(root), None)
    start.wait()
    sys.exit(0 if database.ensure(address) else 7)


def test_after_a_kill_two_processes_that_begin_at_once_make_one_database(tmp_path, migrated):
    address = Address.of(Store(tmp_path), None)
    temporary = address.database.with_name(".mlflow.db.new")
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(1)
    process = context.Process(target=ensure, args=(tmp_path, start))
    process.start()
    while not (temporary.exists() and temporary.stat().st_size):
        assert process.is_alive()
        time.sleep(0.002)
    process.kill()
    process.join()
    assert not address.database.exists()

    start = context.Barrier(2)
    both = [context.Process(target=ensure, args=(tmp_path, start)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert sorted(process.exitcode for process in both) == [0, 7]
    assert revision(address.database) == revision(migrated)
    names = {path.name for path in address.database.parent.iterdir()}
    assert names == {"mlflow.db", "database.lock"}


def test_a_database_that_is_there_is_left_alone(tmp_path, with_database):
    store = Store(tmp_path)
    with_database(store)
    address = Address.of(store, None)
    before = address.database.stat().st_mtime_ns
    assert not database.ensure(address)
    assert address.database.stat().st_mtime_ns == before


def test_an_empty_file_counts_for_nothing(tmp_path, monkeypatch):
    """A reader that looks while there is no database leaves one."""
    address = Address.of(Store(tmp_path), None)
    address.database.parent.mkdir()
    address.database.touch()
    built = []
    monkeypatch.setattr(database, "_build", lambda path, _: built.append(path))
    assert database.ensure(address)
    assert built == [address.database]


def test_anything_else_in_its_place_is_refused(tmp_path):
    address = Address.of(Store(tmp_path), None)
    address.database.parent.mkdir()
    address.database.write_bytes(b"not a database " * 100)
    with pytest.raises(StoreError, match="is not a usable MLflow database"):
        database.ensure(address)


def test_a_server_needs_no_database(tmp_path):
    assert not database.ensure(Address.of(Store(tmp_path), "https://mlflow.example"))
    assert list(tmp_path.iterdir()) == []
