"""What is logged of one run, as one transaction."""

import sqlite3
from contextlib import closing, suppress

import pytest
from fake_store import fake_store
from mlflow import MlflowClient
from reading import client_of, nested

from ablate.errors import StoreError
from ablate.tracking import mlflow_run, sync
from ablate.tracking.address import Address
from ablate.tracking.transactions import one_transaction


@pytest.fixture
def swept(tmp_path, with_database):
    """Two runs done."""
    fake = fake_store(tmp_path)
    fake.finish(0)
    fake.finish(1)
    with_database(fake.store)
    return fake


class Killed(BaseException):
    """Stands for an end at this place."""


def tags_after(swept, error: BaseException) -> dict[str, str]:
    """A run's tags after a transaction that sets one and raises, and another tag after it."""
    sync(swept.store, [swept.record])
    client = client_of(swept.store)
    run_id = next(iter(nested(swept.store).values())).info.run_id
    with suppress(type(error)), one_transaction(client, Address.of(swept.store, None)):
        client.set_tag(run_id, "newest", "yes")
        # What was written is read within the transaction.
        assert client.get_run(run_id).data.tags["newest"] == "yes"
        raise error
    client.set_tag(run_id, "after", "yes")
    return client.get_run(run_id).data.tags


def test_a_run_takes_two_transactions(swept):
    from sqlalchemy import Engine, event

    commits = []

    def count(connection):
        commits.append(connection)

    event.listen(Engine, "commit", count)
    try:
        sync(swept.store, [swept.record])
    finally:
        event.remove(Engine, "commit", count)
    assert {run.info.status for run in nested(swept.store).values()} == {"FINISHED"}
    # The rest is the experiment's and the sweep's own; apart, those of each run would be 17.
    assert len(commits) <= 2 * 2 + 12


@pytest.mark.parametrize("error", [Killed(), RuntimeError("of the database")])
def test_of_a_transaction_that_does_not_end_mlflow_has_nothing(swept, error):
    tags = tags_after(swept, error)
    assert "newest" not in tags
    assert tags["after"] == "yes"


@pytest.mark.parametrize("error", [StoreError("a file is damaged", ""), OSError("a file is gone")])
def test_an_error_of_a_file_keeps_what_was_logged(swept, error):
    tags = tags_after(swept, error)
    assert (tags["newest"], tags["after"]) == ("yes", "yes")


def test_a_kill_between_two_requests_leaves_a_run_that_is_logged_whole_later(swept, monkeypatch):
    def killed(*_):
        raise Killed

    monkeypatch.setattr(mlflow_run, "set_status", killed)
    with pytest.raises(Killed):
        sync(swept.store, [swept.record])
    assert not any(run.data.metrics for run in nested(swept.store).values())
    monkeypatch.undo()
    sync(swept.store, [swept.record])
    runs = nested(swept.store).values()
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert all("final/miou" in run.data.metrics for run in runs)


def test_others_read_while_a_transaction_is_open(swept):
    sync(swept.store, [swept.record])
    client = client_of(swept.store)
    run_id = next(iter(nested(swept.store).values())).info.run_id
    address = Address.of(swept.store, None)
    with one_transaction(client, address):
        client.set_tag(run_id, "newest", "yes")
        with closing(sqlite3.connect(address.database, timeout=0)) as other:
            found = other.execute("SELECT count(*) FROM tags WHERE key = 'newest'").fetchone()
        assert found == (0,)
    assert client.get_run(run_id).data.tags["newest"] == "yes"


def test_nothing_is_begun_where_nothing_is_written(swept):
    client = MlflowClient(tracking_uri="http://127.0.0.1:9")
    with one_transaction(client, Address.of(swept.store, "http://127.0.0.1:9")):
        pass


def test_where_mlflow_has_other_sessions_each_operation_is_committed_by_itself(swept, monkeypatch):
    # What the database's own store is made with, when the client is, stays.
    sync(swept.store, [swept.record])
    client = client_of(swept.store)
    run_id = next(iter(nested(swept.store).values())).info.run_id
    monkeypatch.delattr("mlflow.store.db.utils._get_managed_session_maker")
    with suppress(Killed), one_transaction(client, Address.of(swept.store, None)):
        client.set_tag(run_id, "newest", "yes")
        raise Killed
    assert client.get_run(run_id).data.tags["newest"] == "yes"
