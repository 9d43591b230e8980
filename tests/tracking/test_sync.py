import json
import shutil
import sqlite3
from contextlib import closing

import pandas as pd
import pytest
from fake_store import (
    COMMIT,
    CREATED_S,
    EPOCHS,
    conclude,
    epoch_metrics,
    event_time_s,
    fail,
    fake_store,
    log_epochs,
    worked_on,
)
from reading import all_runs, client_of, histories, nested, parents

from ablate import tracking
from ablate.errors import StoreError
from ablate.registry import Catalogue
from ablate.runs import Provenance, SpecFile, Store
from ablate.spec import RunSpec, digest_of
from ablate.tracking import sync
from ablate.tracking.address import Address
from ablate.tracking.syncing import _only_writer
from fixture_stores import FOLDERS, copy_of


@pytest.fixture
def swept(tmp_path, with_database):
    """One run done, one begun."""
    fake = fake_store(tmp_path)
    fake.finish(0)
    fake.begin(1)
    with_database(fake.store)
    return fake


def test_a_sweep_is_a_parent_with_its_runs_nested(swept):
    assert sync(swept.store, [swept.record]) == 2
    (parent,) = parents(swept.store)
    assert parent.info.run_name == "table4 · demo"
    assert parent.info.start_time == round(CREATED_S * 1000)
    tags = parent.data.tags
    assert tags["ablate.sweep_id"] == swept.record.id
    assert (tags["ablate.sweep"], tags["ablate.protocol"]) == ("table4", "demo")
    assert tags["ablate.watermark"] == swept.record.context.watermark
    assert tags["ablate.states"] == "1 new, 1 done"
    assert parent.data.metrics == {"done": 1, "failed": 0}
    children = nested(swept.store)
    assert sorted(children) == sorted(run.key for run in swept.record.runs)
    for run in children.values():
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.info.start_time == round(CREATED_S * 1000)


def test_a_run_carries_its_spec_as_params_and_tags(swept):
    sync(swept.store, [swept.record])
    spec = swept.specs[0]
    run = nested(swept.store)[spec.key]
    assert run.info.run_name == "TransLandSeg"
    params, context = run.data.params, spec.context
    assert params["variant.adapter.kind"] == "atl"
    assert params["variant.adapter.midlays"] == "m"
    assert params["variant.adapter.residual"] == "true"
    assert params["variant.adapter.up_init"] == "zero"
    assert params["variant.backbone"] == "vit_nano"
    assert params["variant.encoder_weights"] == "pretrained"
    assert (params["columns.midlays"], params["columns.sites"]) == ("m×1", "all")
    assert params["engine"] == str(context.engine)
    assert params["protocol.optimizer.lr"] == "0.002"
    assert params["protocol.color_jitter"] == "none"
    assert params["protocol.data.count"] == "60"
    assert params["seed"] == "0"
    assert (params["data.label"], params["data.digest"]) == ("generated data", context.data.digest)
    assert params["weights.label"] == "SAM-nano"
    assert params["weights.sha256"] == context.weights.sha256
    tags = run.data.tags
    assert (tags["ablate.key"], tags["ablate.variant"]) == (spec.key, "translandseg")
    assert tags["ablate.description"] == spec.variant.describe()
    assert tags["ablate.watermark"] == context.watermark
    assert tags["mlflow.source.git.commit"] == COMMIT
    assert tags["mlflow.source.git.dirty"] == "True"
    assert tags["ablate.device"] == "A processor"
    note = tags["mlflow.note.content"]
    assert context.watermark in note
    assert "250,000 of 1,000,000 parameters trained" in note


def test_metrics_keep_their_epochs_and_stored_times(swept):
    result = swept.folder(0).result()
    sync(swept.store, [swept.record])
    logged = histories(swept.store)
    for name in ("train_loss", "val_loss", "lr", "miou"):
        assert logged["TransLandSeg", f"epoch/{name}"] == [
            (epoch, round(event_time_s(epoch) * 1000), epoch_metrics(epoch)[name])
            for epoch in range(1, EPOCHS + 1)
        ]
    end_ms = round(result.finished * 1000)
    for name, value in result.metrics.items():
        assert logged["TransLandSeg", f"final/{name}"] == [(0, end_ms, value)]
    assert logged["TransLandSeg", "parameters/total"] == [(0, end_ms, 1_000_000)]
    assert logged["TransLandSeg", "parameters/trainable"] == [(0, end_ms, 250_000)]
    assert logged["TransLandSeg", "parameters/adapter"] == [(0, end_ms, 1_234)]


def test_the_data_set_is_an_input(swept):
    sync(swept.store, [swept.record])
    for run in nested(swept.store).values():
        (given,) = run.inputs.dataset_inputs
        assert given.dataset.name == "generated data"
        assert given.dataset.digest == digest_of("scenes")[:36]
        assert json.loads(given.dataset.source)["seed"] == 2024
        assert json.loads(given.dataset.profile) == {"train": 41, "validation": 19}
        assert [(tag.key, tag.value) for tag in given.tags] == [("mlflow.data.context", "training")]


def test_a_finished_run_brings_its_files(swept, tmp_path):
    sync(swept.store, [swept.record])
    client, folder = client_of(swept.store), swept.folder(0)
    run = nested(swept.store)[folder.key]
    names = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert names == {
        "panels",
        "confusion.parquet",
        "per-image.json",
        "result.json",
        "spec.json",
        "weights.safetensors",
    }
    panels = {file.path for file in client.list_artifacts(run.info.run_id, "panels")}
    assert panels == {"panels/scene-1.png", "panels/scene-2.png"}
    copies = swept.store.mlflow_path / "artifacts" / run.info.run_id / "artifacts"
    assert run.info.artifact_uri == str(copies)
    for path in (folder.weights_path, folder.path / "result.json", folder.path / "spec.json"):
        assert (copies / path.name).read_bytes() == path.read_bytes()
    table = pd.read_json(copies / "per-image.json", orient="split")
    pd.testing.assert_frame_equal(table, pd.read_parquet(folder.confusion_path))
    assert json.loads(run.data.tags["mlflow.loggedArtifacts"]) == [
        {"path": "per-image.json", "type": "table"}
    ]


def test_a_second_sync_changes_nothing(swept):
    def everything():
        return sorted(
            (
                run.info.run_id,
                run.info.status,
                run.info.end_time,
                str(sorted(run.data.tags.items())),
            )
            for run in all_runs(swept.store)
        )

    sync(swept.store, [swept.record])
    before, logged = everything(), histories(swept.store)
    assert sync(swept.store, [swept.record]) == 2
    assert everything() == before
    assert histories(swept.store) == logged


def test_a_lost_request_is_repeated(swept):
    """A kill between two requests leaves a run without its params, data set or ending."""
    sync(swept.store, [swept.record])
    logged = histories(swept.store)
    client, key = client_of(swept.store), swept.specs[0].key
    run_id = nested(swept.store)[key].info.run_id
    with client._tracking_client.store.ManagedSessionMaker(read_only=False) as session:
        from sqlalchemy import text

        session.execute(text(f"DELETE FROM params WHERE run_uuid = '{run_id}' AND key > 's'"))
        session.execute(text(f"DELETE FROM inputs WHERE destination_id = '{run_id}'"))
    client.update_run(run_id, status="RUNNING")
    client.delete_tag(run_id, "ablate.state")
    sync(swept.store, [swept.record])
    run = nested(swept.store)[key]
    assert (run.info.status, run.data.tags["ablate.state"]) == ("FINISHED", "done")
    assert run.data.params["weights.label"] == "SAM-nano"
    assert len(run.inputs.dataset_inputs) == 1
    assert histories(swept.store) == logged


def test_a_removed_mirror_is_made_again(swept, with_database):
    sync(swept.store, [swept.record])
    logged = histories(swept.store)
    shutil.rmtree(swept.store.mlflow_path)
    with_database(swept.store)
    assert sync(swept.store, [swept.record]) == 2
    again = histories(swept.store)
    clocked = {("table4 · demo", "done"), ("table4 · demo", "failed")}
    assert again.keys() == logged.keys()
    assert {k: v for k, v in again.items() if k not in clocked} == {
        k: v for k, v in logged.items() if k not in clocked
    }


def test_epochs_that_a_resumed_run_repeats_are_not_doubled(tmp_path, with_database):
    fake = fake_store(tmp_path, names=["translandseg"])
    with_database(fake.store)
    folder = fake.begin(0)
    log_epochs(folder, 1, 3)
    sync(fake.store, [fake.record])
    folder.cut_events(1)
    log_epochs(folder, 2, 4, later_s=100)
    sync(fake.store, [fake.record])
    steps = {name: [step for step, _, _ in h] for (_, name), h in histories(fake.store).items()}
    assert steps["epoch/miou"] == steps["epoch/train_loss"] == [1, 2, 3, 4]


def test_status_follows_the_folder(tmp_path, with_database):
    fake = fake_store(tmp_path, names=["translandseg"])
    with_database(fake.store)

    def look():
        sync(fake.store, [fake.record])
        (run,) = nested(fake.store).values()
        (parent,) = parents(fake.store)
        return run.data.tags["ablate.state"], run.info.status, parent.info.status

    folder = fake.begin(0)
    assert look() == ("new", "SCHEDULED", "KILLED")
    with worked_on(folder):
        log_epochs(folder, 1, 2)
        folder.save_checkpoint(20, b"state")
        assert look() == ("running", "RUNNING", "RUNNING")
    assert look() == ("interrupted", "KILLED", "KILLED")
    (run,) = nested(fake.store).values()
    assert run.info.end_time == round(event_time_s(2) * 1000)
    with worked_on(folder):
        assert look() == ("running", "RUNNING", "RUNNING")
    fail(folder, "diverged")
    assert look() == ("diverged", "FAILED", "FAILED")
    (run,) = nested(fake.store).values()
    assert "ValueError: no" in run.data.tags["mlflow.note.content"]
    assert run.info.end_time == round((CREATED_S + 30) * 1000)
    files = {f.path for f in client_of(fake.store).list_artifacts(run.info.run_id)}
    assert files == {"spec.json", "failure.json"}
    folder.clear_failure()
    log_epochs(folder, 3, 4)
    result = conclude(folder)
    assert look() == ("done", "FINISHED", "FINISHED")
    (run,) = nested(fake.store).values()
    (parent,) = parents(fake.store)
    assert run.info.end_time == parent.info.end_time == round(result.finished * 1000)
    assert parent.data.metrics == {"done": 1, "failed": 0}


def test_seeds_are_named_where_there_are_several(tmp_path, with_database):
    fake = fake_store(tmp_path, names=["translandseg"])
    with_database(fake.store)
    fake.finish(0)
    sync(fake.store, [fake.record])
    assert [run.info.run_name for run in nested(fake.store).values()] == ["TransLandSeg"]
    more = fake_store(tmp_path, names=["translandseg"], seeds=(0, 1))
    more.begin(1)
    sync(more.store, [more.record])
    names = {run.info.run_name for run in nested(fake.store).values()}
    assert names == {"TransLandSeg · seed 0", "TransLandSeg · seed 1"}


def test_comparable_runs_carry_no_watermark(tmp_path, with_database):
    fake = fake_store(tmp_path, names=["translandseg"], comparable=True)
    with_database(fake.store)
    fake.finish(0)
    sync(fake.store, [fake.record])
    for run in all_runs(fake.store):
        assert "ablate.watermark" not in run.data.tags
        assert "not comparable" not in run.data.tags["mlflow.note.content"]


def test_a_folder_that_was_begun_anew_replaces_the_old_run(swept):
    sync(swept.store, [swept.record])
    folder = swept.folder(0)
    shutil.rmtree(folder.path)
    swept.finish(0, created_s=CREATED_S + 1000)
    sync(swept.store, [swept.record])
    run = nested(swept.store)[folder.key]
    assert run.info.start_time == round((CREATED_S + 1000) * 1000)


def test_one_broken_folder_hinders_no_other(swept):
    (swept.folder(1).path / "events.jsonl").write_text("{}\n")
    with pytest.raises(StoreError, match="cannot be mirrored") as caught:
        sync(swept.store, [swept.record])
    assert swept.folder(1).key in str(caught.value)
    assert nested(swept.store)[swept.folder(0).key].info.status == "FINISHED"


def test_runs_without_a_folder_are_not_mirrored(tmp_path, with_database):
    fake = fake_store(tmp_path)
    with_database(fake.store)
    assert sync(fake.store, [fake.record]) == 0
    (parent,) = parents(fake.store)
    assert (nested(fake.store), parent.data.tags["ablate.states"]) == ({}, "2 new")


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


def test_what_is_only_evaluated_belongs_to_every_sweep_that_has_it(tmp_path, with_database):
    """Its folder has the protocol of the first sweep, the mirror that of each."""
    fake = fake_store(tmp_path, names=["translandseg"])
    with_database(fake.store)
    variant = Catalogue().variant("sam-points")
    records = []
    for epochs in (2, 3):
        protocol = fake.record.context.protocol.model_copy(update={"epochs": epochs})
        within = fake.record.context.model_copy(update={"protocol": protocol})
        spec = RunSpec(name="sam-points", variant=variant, context=within, seed=0)
        origin = Provenance(created=1, ablate="0", commit=None, python="3", packages={})
        fake.store.run(spec.key).create(SpecFile(key=spec.key, run=spec, provenance=origin))
        records.append(fake.store.record_sweep(fake.record.sweep, within, [spec]))
    assert sync(fake.store, records) == 2
    runs = [run for run in all_runs(fake.store) if "ablate.key" in run.data.tags]
    assert {run.data.tags["ablate.key"] for run in runs} == {spec.key}
    assert sorted(run.data.params["protocol.epochs"] for run in runs) == ["2", "3"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_stores_of_older_engines_are_mirrored_as_what_they_are(folder, tmp_path, with_database):
    store = copy_of(folder, tmp_path)
    with_database(store)
    records = store.sweep_records()
    assert sync(store, records) == sum(len(record.runs) for record in records)
    for run in all_runs(store):
        tags = run.data.tags
        assert tags["ablate.engine"] == folder.name.rpartition("-")[2]
        if "ablate.key" in tags:
            assert run.data.params["engine"] == tags["ablate.engine"]
            if result := store.run(tags["ablate.key"]).result():
                assert run.data.metrics["final/positive_iou"] == result.metrics["positive_iou"]


def test_the_rooms_functions_stay_functions_after_their_use(tmp_path):
    store = Store(tmp_path)
    for name in ("sync", "check"):
        for _ in range(2):
            with pytest.raises(StoreError):
                getattr(tracking, name)(store, *([[]] if name == "sync" else []), "nonsense")
