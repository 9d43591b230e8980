"""Stores of older engines stay readable for good."""

import json
import re
from pathlib import Path

import pytest

from ablate.runs import State, Store
from ablate.spec import ENGINE_VERSION, METRIC_NAMES
from fixture_stores import EXPECTED, FOLDERS, copy_of, summary

EVERY_STORE = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
OLDEST = FOLDERS[0]


def test_there_is_one() -> None:
    assert OLDEST.name == "store-engine-5"


@EVERY_STORE
def test_everything_is_read_as_it_was_written(folder: Path) -> None:
    expected = json.loads((folder / EXPECTED).read_text(encoding="utf-8"))
    assert summary(Store(folder)) == expected
    assert expected["runs"]
    assert expected["sweeps"]


@EVERY_STORE
def test_runs_and_records_agree(folder: Path) -> None:
    store = Store(folder)
    engine = int(folder.name.rpartition("-")[2])
    recorded = {}
    for record in store.sweep_records():
        assert record.context.engine == engine
        for run in record.runs:
            spec = store.run(run.key).spec()
            assert (spec.name, spec.variant) == (run.name, run.variant)
            # What is only evaluated has one run for all seeds.
            assert spec.seed == run.seed or not spec.variant.is_trained
            recorded[run.key] = run
    assert recorded.keys() == {run.key for run in store.runs()}


@EVERY_STORE
def test_metrics_have_todays_names(folder: Path) -> None:
    for run in Store(folder).runs():
        if run.state() is State.DONE:
            metrics = run.result().metrics
            assert {"miou", "positive_iou"} < metrics.keys() <= {*METRIC_NAMES, "val_loss"}
            for event in run.events():
                assert event.metrics.keys() >= metrics.keys()


@EVERY_STORE
def test_nothing_of_the_machine_that_wrote_it_is_inside(folder: Path) -> None:
    for path in filter(Path.is_file, folder.rglob("*")):
        assert not re.search(rb'"/|/tmp|/home|/root|/Users', path.read_bytes()), path


def test_a_store_of_the_first_schema_says_what_it_was() -> None:
    records = {record.sweep.name: record for record in Store(OLDEST).sweep_records()}
    assert records.keys() == {"table1", "table4", "transfer"}
    protocol = records["table4"].context.protocol
    assert protocol.label == "demo with data.count=12, epochs=2"
    assert (protocol.name, protocol.overrides) == ("demo", ("data.count=12", "epochs=2"))
    assert protocol.split.rounding == "floor-plus-one"
    assert protocol.task.positive_class == "landslide"
    sweep = records["table4"].sweep
    assert (sweep.title, sweep.variants) == ("table4", ("translandseg-7", "translandseg"))
    assert (sweep.published, sweep.comparisons) == (None, ())
    (random,) = records["transfer"].runs
    assert (random.name, random.variant.columns()["encoder_weights"]) == ("random-trunk", "random")


def test_a_sweep_that_is_started_again_leaves_the_old_runs_alone(tmp_path: Path) -> None:
    store = copy_of(OLDEST, tmp_path)
    (record,) = store.sweep_records("table4")
    context = record.context.model_copy(update={"engine": ENGINE_VERSION})
    runs = [record.run_spec(run).model_copy(update={"context": context}) for run in record.runs]
    again = store.record_sweep(record.sweep, context, runs)
    assert store.sweep_records("table4") == [again, record]
    assert not {run.key for run in again.runs} & {run.key for run in record.runs}


def test_a_record_whose_runs_were_removed_is_passed_over(tmp_path: Path) -> None:
    store = copy_of(OLDEST, tmp_path)
    (record,) = store.sweep_records("transfer")
    (run,) = record.runs
    folder = store.run(run.key).path
    folder.rename(tmp_path / "elsewhere")
    assert store.sweep_records("transfer") == []
    assert len(store.sweep_records()) == 2
