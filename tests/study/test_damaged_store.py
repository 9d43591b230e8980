"""One damaged file stops neither status nor report nor sync for the rest of the store."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.errors import StoreError
from ablate.registry import Catalogue
from ablate.runs.data_check import data_check_id
from ablate.study import latest_start, report_sweep
from ablate.study.status import SweepStatus, sweep_status
from report.sweep_on_disk import SweepOnDisk

ROW, OTHER = "translandseg-1", "translandseg"
Damage = Callable[[Path], None]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:30])


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


DAMAGES = [cut, fifo, link]


@pytest.fixture
def table(tmp_path: Path) -> SweepOnDisk:
    table = SweepOnDisk(tmp_path / "store", Catalogue().protocol("demo"), names=(OTHER, ROW))
    table.finish(OTHER, miou=0.88)
    table.finish(ROW, miou=0.84)
    table.start()
    return table


def statuses(table: SweepOnDisk, problems: list[str] | None = None) -> SweepStatus:
    (status,) = sweep_status(table.root, problems=problems)
    return status


def miou_of_the_other(table: SweepOnDisk) -> float | None:
    report = report_sweep(latest_start(table.store, "table4")[0], table.store).report
    return next(row for row in report.rows if row.name == OTHER).scores["miou"].mean


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["result.json", "spec.json", "confusion.parquet"])
def test_a_damaged_run_says_why_and_the_rest_stays(
    table: SweepOnDisk, name: str, damage: Damage
) -> None:
    damage(table.folder(ROW).path / name)
    first, second = statuses(table).runs
    assert (first["state"], first["note"], first["miou"]) == ("done", None, pytest.approx(0.88))
    assert (second["state"], second["miou"]) == ("damaged", None)
    assert name in second["note"]
    assert miou_of_the_other(table) == pytest.approx(88)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["failure.json", "events.jsonl", "progress.json"])
def test_a_damaged_file_of_an_unfinished_run_stops_nothing(
    table: SweepOnDisk, name: str, damage: Damage
) -> None:
    folder = table.folder(ROW)
    shutil.rmtree(folder.path)
    table.fail(ROW)
    for each in ("events.jsonl", "progress.json"):
        (folder.path / each).write_text('{"this": "is no event of any version of ablate"}\n')
    damage(folder.path / name)
    _, second = statuses(table).runs
    assert second["state"] == ("damaged" if name == "failure.json" else "failed")
    assert second["note"]
    assert miou_of_the_other(table) == pytest.approx(88)


def test_a_run_that_was_removed_is_new_again(table: SweepOnDisk) -> None:
    shutil.rmtree(table.folder(ROW).path)
    assert [run["state"] for run in statuses(table).runs] == ["done", "new"]
    assert miou_of_the_other(table) == pytest.approx(88)


def test_missing_weights_are_noted(table: SweepOnDisk) -> None:
    table.folder(ROW).weights_path.unlink()
    _, second = statuses(table).runs
    assert (second["state"], second["note"]) == ("done", "weights.safetensors is missing")


def test_a_damaged_record_stops_no_other_sweep(table: SweepOnDisk) -> None:
    whole = next(path for path in (table.root / "sweeps").glob("*.json"))
    other = whole.with_name("table1-00000000.json")
    other.write_text(whole.read_text())
    cut(other)
    problems: list[str] = []
    assert len(statuses(table, problems).runs) == 2
    (problem,) = problems
    assert "table1-00000000.json cannot be read" in problem
    assert miou_of_the_other(table) == pytest.approx(88)
    whole.unlink()
    with pytest.raises(StoreError, match=r"table1-00000000\.json cannot be read"):
        sweep_status(table.root)
    with pytest.raises(StoreError, match=r"table1-00000000\.json cannot be read"):
        latest_start(table.store, "table4")


@pytest.mark.parametrize("kind", ["tunings", "data-checks"])
def test_a_damaged_tuning_or_data_check_is_noted(table: SweepOnDisk, kind: str) -> None:
    record = table.start()
    data, split = record.context.data, record.context.protocol.split
    name = record.id if kind == "tunings" else data_check_id(data.digest, split)
    path = table.root / kind / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"schema_version": 2}))
    problems: list[str] = []
    assert len(statuses(table, problems).runs) == 2
    assert len(problems) == (kind == "tunings")
    report = report_sweep(record, table.store).report
    (note,) = [note for note in report.provenance.notes if path.name in note]
    assert "cannot be read" in note
    assert report.rows[0].scores["miou"].mean == pytest.approx(88)
