"""Each run that is done has a logged model that its final metrics belong to."""

import shutil

import pytest
from fake_store import EPOCHS, epoch_metrics, fail, fake_store
from reading import client_of, nested

from ablate.tracking import sync


@pytest.fixture
def swept(tmp_path, with_database):
    """One run done, one failed."""
    fake = fake_store(tmp_path)
    fake.finish(0)
    fail(fake.begin(1))
    with_database(fake.store)
    sync(fake.store, [fake.record])
    return fake


def models(store):
    client = client_of(store)
    experiment = client.get_experiment_by_name("ablate")
    return list(client.search_logged_models([experiment.experiment_id]))


def test_final_metrics_belong_to_a_model_and_to_the_data(swept):
    (model,) = models(swept.store)
    run = nested(swept.store)[swept.specs[0].key]
    data = swept.record.context.data
    assert (model.name, model.source_run_id) == ("TransLandSeg", run.info.run_id)
    assert str(model.status) == "READY"
    assert model.params["variant"] == "translandseg"
    assert model.params["trained_parameters"] == "250000"
    assert model.tags["ablate.key"] == swept.specs[0].key
    assert model.tags["ablate.watermark"] == swept.record.context.watermark
    metrics = {metric.key: metric for metric in model.metrics}
    assert metrics["final/miou"].value == epoch_metrics(EPOCHS)["miou"]
    assert {m.dataset_digest for m in model.metrics} == {data.digest[:36]}
    assert {m.dataset_name for m in model.metrics} == {data.label}
    # Only final ones: an epoch's are not the model's.
    assert not any(name.startswith("epoch/") for name in metrics)
    assert [each.model_id for each in run.outputs.model_outputs] == [model.model_id]


def test_nothing_of_the_model_is_stored_but_its_numbers(swept):
    (model,) = models(swept.store)
    assert client_of(swept.store).list_logged_model_artifacts(model.model_id) == []
    found = [path.suffix for path in swept.store.mlflow_path.rglob("*") if path.is_file()]
    assert not {".pkl", ".pickle", ".pt", ".pth", ".bin"} & set(found)


def test_a_lost_request_and_a_second_sync_make_no_second_model(swept):
    (before,) = models(swept.store)
    client, key = client_of(swept.store), swept.specs[0].key
    run_id = nested(swept.store)[key].info.run_id
    client.update_run(run_id, status="RUNNING")
    client.delete_tag(run_id, "ablate.state")
    for _ in range(2):
        sync(swept.store, [swept.record])
    (after,) = models(swept.store)
    assert after.model_id == before.model_id
    assert len(after.metrics) == len(before.metrics)


@pytest.mark.parametrize("killed_at", ["log_outputs", "finalize_logged_model", "final_points"])
def test_a_kill_between_two_requests_leaves_one_model(
    tmp_path, with_database, monkeypatch, killed_at
):
    from mlflow import MlflowClient

    from ablate.tracking import mapping

    fake = fake_store(tmp_path, names=["translandseg"])
    with_database(fake.store)
    fake.begin(0)
    sync(fake.store, [fake.record])
    fake.finish(0)

    def killed(*_, **__):
        raise SystemExit

    with monkeypatch.context() as patch:
        if killed_at == "final_points":
            patch.setattr(mapping, killed_at, killed)
        else:
            patch.setattr(MlflowClient, killed_at, killed)
        with pytest.raises(SystemExit):
            sync(fake.store, [fake.record])
    for _ in range(2):
        sync(fake.store, [fake.record])
    (model,) = models(fake.store)
    assert str(model.status) == "READY"
    assert "final/miou" in {metric.key for metric in model.metrics}
    (output,) = nested(fake.store)[fake.specs[0].key].outputs.model_outputs
    assert output.model_id == model.model_id


def test_a_folder_that_was_begun_anew_replaces_the_model_too(swept):
    (before,) = models(swept.store)
    shutil.rmtree(swept.folder(0).path)
    swept.finish(0, created_s=2e9)
    sync(swept.store, [swept.record])
    (after,) = models(swept.store)
    assert after.model_id != before.model_id
    assert after.source_run_id == nested(swept.store)[swept.specs[0].key].info.run_id


def test_a_server_that_knows_no_models_gets_the_metrics_all_the_same(
    tmp_path, with_database, monkeypatch
):
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import ENDPOINT_NOT_FOUND

    def unknown(*_, **__):
        raise MlflowException("404", ENDPOINT_NOT_FOUND)

    monkeypatch.setattr(MlflowClient, "create_logged_model", unknown)
    fake = fake_store(tmp_path)
    fake.finish(0)
    with_database(fake.store)
    sync(fake.store, [fake.record])
    run = nested(fake.store)[fake.specs[0].key]
    assert run.info.status == "FINISHED"
    assert run.data.metrics["final/miou"] == epoch_metrics(EPOCHS)["miou"]
