"""What is logged of several runs, as one transaction."""

import sqlite3
from contextlib import closing, suppress

import pytest
from fake_store import fake_store
from mlflow import MlflowClient
from reading import client_of, histories, nested

from ablate.errors import StoreError
from ablate.tracking import mlflow_run, sync
from ablate.tracking.address import Address
from ablate.tracking.transactions import transaction


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
    with suppress(type(error)), transaction(client, Address.of(swept.store, None)):
        client.set_tag(run_id, "newest", "yes")
        # What was written is read within the transaction.
        assert client.get_run(run_id).data.tags["newest"] == "yes"
        raise error
    client.set_tag(run_id, "after", "yes")
    return client.get_run(run_id).data.tags


def commits_of_a_sync(swept) -> int:
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
    return len(commits)


@pytest.mark.parametrize(("longest_s", "of_runs"), [(60.0, 2), (0.0, 4)])
def test_runs_share_two_transactions_unless_these_last(swept, monkeypatch, longest_s, of_runs):
    monkeypatch.setattr("ablate.tracking.transactions._LONGEST_S", longest_s)
    # The rest is the experiment's and the sweep's own; apart, those of each run would be 17.
    assert commits_of_a_sync(swept) == pytest.approx(of_runs + 11, abs=1)


@pytest.mark.parametrize("error", [Killed(), RuntimeError("of the database")])
def test_of_a_transaction_that_does_not_end_mlflow_has_nothing(swept, error):
    tags = tags_after(swept, error)
    assert "newest" not in tags
    assert tags["after"] == "yes"


def test_what_a_damaged_file_stops_keeps_what_was_logged_before_it(swept, monkeypatch):
    """Neither its epochs nor what the same transaction has of other runs is lost."""
    monkeypatch.setattr("ablate.tracking.transactions._LONGEST_S", 60.0)
    damaged, whole = (swept.folder(index) for index in range(2))
    upload = mlflow_run.upload

    def refuse(files, folder, ending):
        if folder.key == damaged.key:
            raise StoreError("a file is damaged", "")
        return upload(files, folder, ending)

    monkeypatch.setattr(mlflow_run, "upload", refuse)
    with pytest.raises(StoreError, match=damaged.key):
        sync(swept.store, [swept.record])
    runs = nested(swept.store)
    assert runs[whole.key].info.status == "FINISHED"
    assert runs[damaged.key].info.status == "RUNNING"
    assert "epoch/miou" in runs[damaged.key].data.metrics
    assert "seed" in runs[damaged.key].data.params
    assert "final/miou" not in runs[damaged.key].data.metrics


def test_a_kill_before_the_second_run_leaves_each_once_in_the_end(swept, monkeypatch):
    monkeypatch.setattr("ablate.tracking.transactions._LONGEST_S", 60.0)
    set_status, told = mlflow_run.set_status, []

    def killed(*arguments):
        if told:
            raise Killed
        told.append(arguments)
        set_status(*arguments)

    monkeypatch.setattr(mlflow_run, "set_status", killed)
    with pytest.raises(Killed):
        sync(swept.store, [swept.record])
    monkeypatch.undo()
    assert {run.info.status for run in nested(swept.store).values()} == {"RUNNING"}
    sync(swept.store, [swept.record])
    assert {run.info.status for run in nested(swept.store).values()} == {"FINISHED"}
    steps = {
        name: [step for step, _, _ in points] for name, points in histories(swept.store).items()
    }
    of_epochs = [each for (_, name), each in steps.items() if name == "epoch/miou"]
    assert of_epochs == [[1, 2, 3, 4]] * 2


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
    with transaction(client, address):
        client.set_tag(run_id, "newest", "yes")
        with closing(sqlite3.connect(address.database, timeout=0)) as other:
            found = other.execute("SELECT count(*) FROM tags WHERE key = 'newest'").fetchone()
        assert found == (0,)
    assert client.get_run(run_id).data.tags["newest"] == "yes"


def test_nothing_is_begun_where_nothing_is_written(swept):
    client = MlflowClient(tracking_uri="http://127.0.0.1:9")
    with transaction(client, Address.of(swept.store, "http://127.0.0.1:9")):
        pass


def test_where_mlflow_has_other_sessions_each_operation_is_committed_by_itself(swept, monkeypatch):
    # What the database's own store is made with, when the client is, stays.
    sync(swept.store, [swept.record])
    client = client_of(swept.store)
    run_id = next(iter(nested(swept.store).values())).info.run_id
    monkeypatch.delattr("mlflow.store.db.utils._get_managed_session_maker")
    with suppress(Killed), transaction(client, Address.of(swept.store, None)):
        client.set_tag(run_id, "newest", "yes")
        raise Killed
    assert client.get_run(run_id).data.tags["newest"] == "yes"
