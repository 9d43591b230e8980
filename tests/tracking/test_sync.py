"""What a sync adds to what MLflow has."""

import shutil

import pytest
from fake_store import (
    CREATED_S,
    conclude,
    event_time_s,
    fail,
    fake_store,
    log_epochs,
    worked_on,
)
from reading import all_runs, client_of, histories, nested, parents

from ablate import tracking
from ablate.errors import StoreError
from ablate.runs import Store
from ablate.tracking import sync


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


def test_the_rooms_functions_stay_functions_after_their_use(tmp_path):
    store = Store(tmp_path)
    for name in ("sync", "check"):
        for _ in range(2):
            with pytest.raises(StoreError):
                getattr(tracking, name)(store, *([[]] if name == "sync" else []), "nonsense")
