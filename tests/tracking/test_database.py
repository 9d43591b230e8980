import multiprocessing
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

from ablate.errors import StoreError
from ablate.runs import Store
from ablate.tracking import check, database, environment, serve_ui, sync
from ablate.tracking.address import Address

REVISION = "SELECT version_num FROM alembic_version"


def revision(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(REVISION).fetchone()


def ensure(root, start):
    """Runs in a process of its own."""
    address = Address.of(Store(root), None)
    environment.prepare_client(address, level="CRITICAL")
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


@pytest.mark.parametrize("is_older", [True, False])
def test_tables_of_another_mlflow_are_one_line_with_their_repair(tmp_path, with_database, is_older):
    store = Store(tmp_path)
    with_database(store)
    own = Address.of(store, None)
    found = database._revisions()[1] if is_older else "ffffffffffff"
    with closing(sqlite3.connect(own.database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [found])
    other = tmp_path / "other.db"
    shutil.copy(own.database, other)
    theirs = Address.of(store, f"sqlite:///{other}")
    removal = f"remove {own.database.parent} and run `ablate sync`"
    for address, repair in ((own, removal), (theirs, None)):
        for use in (sync, check):
            with pytest.raises(StoreError) as caught:
                use(store, *([[]] if use is sync else []), address.uri)
            said = str(caught.value)
            assert f"made by an MLflow {'older' if is_older else 'newer'} than" in said
            assert "\n" not in said
            assert (removal in said) is (repair is not None)
            assert (f"mlflow db upgrade {address.uri}" in said) is is_older
    with pytest.raises(StoreError, match="made by an MLflow"):
        serve_ui(store, 5999)


def test_an_upgraded_database_is_used_again(tmp_path, with_database):
    """Tables of an older MLflow, made by stepping back, and then what the message advises."""
    store = Store(tmp_path)
    with_database(store)
    address = Address.of(store, None)
    _step_back(address.uri)
    with pytest.raises(StoreError, match=r"`mlflow db upgrade sqlite:.*` keeps it"):
        sync(store, [], None)
    upgrade = [sys.executable, "-m", "mlflow", "db", "upgrade", address.uri]
    subprocess.run(upgrade, check=True, capture_output=True)
    assert sync(store, [], None) == 0


def _step_back(uri):
    """Takes the newest change of the tables back."""
    import alembic.command
    from mlflow.store.db.utils import _get_alembic_config

    alembic.command.downgrade(_get_alembic_config(uri), "-1")


def test_a_server_needs_no_database(tmp_path):
    assert not database.ensure(Address.of(Store(tmp_path), "https://mlflow.example"))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def quick_tables(monkeypatch):
    """MLflow's tables in no time."""

    def make(uri, artifacts):
        with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as connection:
            connection.execute("CREATE TABLE alembic_version (version_num TEXT)")

    monkeypatch.setattr("mlflow.store.tracking.sqlalchemy_store.SqlAlchemyStore", make)


@pytest.mark.usefixtures("quick_tables")
@pytest.mark.parametrize(("umask", "mode"), [(0o002, 0o664), (0o022, 0o644), (0o077, 0o600)])
def test_the_database_has_the_rights_that_the_umask_leaves(tmp_path, umask, mode):
    address = Address.of(Store(tmp_path), None)
    before = os.umask(umask)
    try:
        assert database.ensure(address)
    finally:
        os.umask(before)
    assert address.database.stat().st_mode & 0o777 == mode


def test_a_database_that_cannot_be_made_leaves_nothing_behind(tmp_path, monkeypatch):
    def fill(uri, artifacts):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("mlflow.store.tracking.sqlalchemy_store.SqlAlchemyStore", fill)
    address = Address.of(Store(tmp_path), None)
    with pytest.raises(sqlite3.OperationalError):
        database.ensure(address)
    assert [path.name for path in address.database.parent.iterdir()] == ["database.lock"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (sqlite3.SQLITE_READONLY, "mlflow.db cannot be written; change its permissions"),
        (sqlite3.SQLITE_FULL, "the disk is full: .*mlflow.db cannot be written; free space and"),
    ],
)
def test_a_mirror_that_is_whole_is_not_to_be_removed(tmp_path, code, said):
    address = Address.of(Store(tmp_path), None)
    cause = sqlite3.OperationalError("…")
    cause.sqlite_errorcode = code
    error = RuntimeError("(raised as a result of Query-invoked autoflush …)")
    error.__cause__ = cause
    assert re.search(said, str(database.refusal("unusable", error, address)))
