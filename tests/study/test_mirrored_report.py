"""The report reaches MLflow at the end of a sweep and by ``ablate sync``."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from ablate.runs import Store
from ablate.study.mirror import mirror
from ablate.study.mirrored_report import leave_reports, sync_mirror
from fixture_stores import FOLDERS, copy_of

NEWEST = FOLDERS[-1]


def notes_of(store: Store) -> dict[str, str]:
    """The descriptions of the parent runs by the sweep's id, read without MLflow."""
    query = """
        SELECT id.value, note.value FROM tags AS id JOIN tags AS note USING (run_uuid)
        WHERE id.key = 'ablate.sweep_id' AND note.key = 'mlflow.note.content'
        AND run_uuid NOT IN (SELECT run_uuid FROM tags WHERE key = 'ablate.key')
    """
    with closing(sqlite3.connect(store.mlflow_path / "mlflow.db")) as database:
        return dict(database.execute(query).fetchall())


def sync(store: Store) -> subprocess.CompletedProcess[str]:
    """As its user calls it: in a process of its own."""
    command = [sys.executable, "-m", "ablate", "sync", "--store", str(store.root)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def artifacts(store: Store) -> dict[str, str]:
    found = (store.mlflow_path / "artifacts").rglob("report.*")
    return {path.name: path.read_text() for path in found}


def test_the_end_of_a_sweep_and_sync_give_the_same(tmp_path: Path) -> None:
    store = copy_of(NEWEST, tmp_path)
    for path in sorted((store.root / "sweeps").glob("*.json"))[1:]:
        path.unlink()
    ids = [record.id for record in store.sweep_records()]
    with mirror(store, ids, None) as notes:
        assert not store.reports_path.exists()
    assert notes == []
    described, files = notes_of(store), artifacts(store)
    assert sorted(described) == sorted(ids)
    assert all("| Model |" in note and "**Claims**" in note for note in described.values())
    assert json.loads(files["report.json"])["costs"]["total"]["recorded"] == 0
    assert files["report.html"].startswith("<!doctype html>")
    assert "not recorded" in files["report.md"]
    # From nothing but the folders.
    (store.mlflow_path / "mlflow.db").rename(tmp_path / "old.db")
    for path in (store.mlflow_path / "artifacts").rglob("report.*"):
        path.unlink()
    done = sync(store)
    assert done.returncode == 0, done.stderr
    assert (notes_of(store), artifacts(store)) == (described, files)


def test_a_report_that_cannot_be_made_hinders_no_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = copy_of(NEWEST, tmp_path)
    for path in (store.root / "sweeps").glob("*.json"):
        record = json.loads(path.read_text())
        record["sweep"]["published"] = "table-99"
        path.write_text(json.dumps(record))
    monkeypatch.setattr("ablate.tracking.sync", lambda store, records, uri: len(records))
    count, notes = sync_mirror(store, None)
    assert count == len(notes) == len(store.sweep_records())
    assert "table-99" in notes[0]
    assert not store.reports_path.exists()


def test_whatever_goes_wrong_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = copy_of(NEWEST, tmp_path)
    ids = [record.id for record in store.sweep_records()]

    def broken(*_: object) -> None:
        raise RuntimeError("no luck\nat all")

    monkeypatch.setattr("ablate.study.mirrored_report.report_sweep", broken)
    line = "the report is not in MLflow: no luck; `ablate sync` adds it"
    assert leave_reports(store, ids) == [line] * len(ids)
    assert leave_reports(store, []) == []
    # A record that cannot be read is passed over; the mirror names it.
    next((store.root / "sweeps").glob("*.json")).write_text("{")
    assert leave_reports(store, ids) == [line] * (len(ids) - 1)
