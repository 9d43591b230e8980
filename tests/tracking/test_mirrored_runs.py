"""What a sweep and its runs become in MLflow."""

import json

import pandas as pd
import pytest
from fake_store import (
    COMMIT,
    CREATED_S,
    EPOCHS,
    epoch_metrics,
    event_time_s,
    fake_store,
)
from reading import all_runs, client_of, histories, nested, parents

from ablate.registry import Catalogue
from ablate.runs import Provenance, SpecFile
from ablate.spec import RunSpec, digest_of
from ablate.tracking import sync
from fixture_stores import FOLDERS, copy_of


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
