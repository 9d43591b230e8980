"""Where a store is mirrored to, and who may write there."""

import shutil
import sqlite3
from contextlib import closing

import pytest
from fake_store import (
    EPOCHS,
    fake_store,
    log_epochs,
)
from reading import client_of, nested

from ablate.errors import StoreError
from ablate.runs import Store
from ablate.tracking import sync
from ablate.tracking.address import Address
from ablate.tracking.syncing import _only_writer


def test_only_one_process_writes(swept, monkeypatch):
    from filelock import FileLock

    monkeypatch.setattr("ablate.tracking.syncing._SYNC_PATIENCE_S", 0.05)
    with (
        FileLock(swept.store.mlflow_path / "writer.lock"),
        pytest.raises(StoreError, match="another process is writing"),
    ):
        sync(swept.store, [swept.record])


def test_a_server_has_one_writer_for_each_sweep_of_a_store(tmp_path):
    store = Store(tmp_path)
    address = Address.of(store, "http://127.0.0.1:9")
    with _only_writer(store, address, ["a", "b"], 0) as first:
        with _only_writer(store, address, ["b", "c"], 0) as second:
            assert (first, second) == (True, False)
        with _only_writer(store, address, ["c"], 0) as other:
            assert other
        elsewhere = Address.of(store, "http://127.0.0.1:10")
        with _only_writer(store, elsewhere, ["a"], 0) as other:
            assert other
    with _only_writer(store, address, ["b", "c"], 0) as later:
        assert later


def test_a_broken_database_is_reported_with_its_repair(swept):
    (swept.store.mlflow_path / "mlflow.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match=r"not a database; remove .*ablate sync"):
        sync(swept.store, [swept.record])


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_locked_database_is_not_to_be_removed(swept, monkeypatch, mode):
    """Before its first query in one mode of sqlite, and when it writes in the other."""
    monkeypatch.setattr("ablate.tracking.database._BUSY_S", 0.1)
    sync(swept.store, [swept.record])
    log_epochs(swept.folder(1), 1, 2)
    database = swept.store.mlflow_path / "mlflow.db"
    with closing(sqlite3.connect(database)) as other:
        assert other.execute(f"PRAGMA journal_mode = {mode}").fetchone() == (mode,)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(
            StoreError, match=r"another program has locked .*mlflow\.db; "
        ) as caught:
            sync(swept.store, [swept.record])
        assert "remove" not in str(caught.value)
    assert sync(swept.store, [swept.record]) > 0


def test_a_moved_store_is_not_mirrored_into_its_old_place(swept, tmp_path):
    sync(swept.store, [swept.record])
    elsewhere = tmp_path.parent / f"{tmp_path.name}-moved"
    shutil.copytree(tmp_path, elsewhere)
    moved = Store(elsewhere)
    with pytest.raises(StoreError, match=r"lay elsewhere .*; remove .*-moved/mlflow"):
        sync(moved, moved.sweep_records())


def test_copies_of_a_store_share_the_runs_of_a_mirror(swept, tmp_path, migrated):
    """What a run is does not depend on where its folder lies: there is one of each."""
    other, copied = tmp_path.parent / f"{tmp_path.name}.db", tmp_path.parent / f"{tmp_path.name}-2"
    shutil.copy(migrated, other)
    shutil.copytree(tmp_path, copied)
    copy = Store(copied)
    for store in (swept.store, copy, swept.store):
        assert sync(store, store.sweep_records(), f"sqlite:///{other}") == 2
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{other}")
    experiment = client.get_experiment_by_name("ablate")
    found = client.search_runs([experiment.experiment_id])
    assert len(found) == 3
    key = swept.folder(0).key
    (done,) = (run for run in found if run.data.tags.get("ablate.key") == key)
    points = client.get_metric_history(done.info.run_id, "epoch/miou")
    assert [point.step for point in points] == list(range(1, EPOCHS + 1))


def test_a_server_that_is_not_there_is_an_error_of_one_line(swept, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(
        StoreError, match=r"MLflow at http://127\.0\.0\.1:9: .*ablate sync"
    ) as caught:
        sync(swept.store, [swept.record], "http://127.0.0.1:9")
    assert "\n" not in str(caught.value)


def test_another_sqlite_file_may_hold_the_mirror(swept, tmp_path, migrated):
    other = tmp_path / "other.db"
    shutil.copy(migrated, other)
    assert sync(swept.store, [swept.record], f"sqlite:///{other}") == 2
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{other}")
    experiment = client.get_experiment_by_name("ablate")
    assert len(client.search_runs([experiment.experiment_id])) == 3


def test_strange_letters_in_the_path_do_no_harm(tmp_path, with_database):
    fake = fake_store(tmp_path / "a b#c?d%20é'", names=["translandseg"])
    with_database(fake.store)
    fake.finish(0)
    assert sync(fake.store, [fake.record]) == 1
    (run,) = nested(fake.store).values()
    names = {file.path for file in client_of(fake.store).list_artifacts(run.info.run_id)}
    assert "weights.safetensors" in names
