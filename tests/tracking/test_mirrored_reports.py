"""The report of a sweep as note and artifacts of its parent run."""

import shutil
from pathlib import Path

import pytest
from fake_store import fake_store
from reading import client_of, parents

from ablate.errors import StoreError
from ablate.tracking import NOTE_CHARACTERS, NOTE_FILE, sync

FILES = {"report.md": "# whole", "report.json": "{}", "report.html": "<!doctype html>"}


@pytest.fixture
def reported(tmp_path, with_database):
    """A sweep whose report was left."""
    fake = fake_store(tmp_path)
    fake.finish(0)
    with_database(fake.store)
    leave(fake, "| Model | MIoU |\n| --- | --- |\n| A | 88.12 |")
    return fake


def leave(fake, note: str) -> Path:
    folder = fake.store.reports_path / fake.record.id
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (FILES | {NOTE_FILE: note}).items():
        (folder / name).write_text(text)
    return folder


def the_parent(store):
    (parent,) = parents(store)
    return parent


def artifacts(store) -> dict[str, str]:
    folder = Path(the_parent(store).info.artifact_uri)
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_the_report_is_the_parents_note_and_its_files_are_artifacts(reported):
    sync(reported.store, [reported.record])
    note = the_parent(reported.store).data.tags["mlflow.note.content"]
    assert "| A | 88.12 |" in note
    assert "Protocol demo on generated data" in note
    assert artifacts(reported.store) == FILES


def test_it_is_copied_once_and_again_when_it_differs(reported, monkeypatch):
    sync(reported.store, [reported.record])
    before = the_parent(reported.store).data.tags
    copies = []
    from mlflow import MlflowClient

    log_artifact = MlflowClient.log_artifact

    def counted(self, run_id, path):
        copies.append(Path(path).name)
        log_artifact(self, run_id, path)

    monkeypatch.setattr(MlflowClient, "log_artifact", counted)
    sync(reported.store, [reported.record])
    assert the_parent(reported.store).data.tags == before
    assert copies == []
    leave(reported, "| A | 90.00 |")
    sync(reported.store, [reported.record])
    assert copies == sorted(FILES)
    assert "90.00" in the_parent(reported.store).data.tags["mlflow.note.content"]


def test_a_removed_mirror_gets_it_again(reported, with_database):
    sync(reported.store, [reported.record])
    before = the_parent(reported.store).data.tags
    shutil.rmtree(reported.store.mlflow_path)
    with_database(reported.store)
    sync(reported.store, [reported.record])
    assert the_parent(reported.store).data.tags == before
    assert artifacts(reported.store) == FILES


def test_a_note_that_is_too_long_for_mlflow_is_cut(reported):
    leave(reported, "x" * 2 * NOTE_CHARACTERS)
    sync(reported.store, [reported.record])
    note = client_of(reported.store).get_run(the_parent(reported.store).info.run_id)
    assert note.data.tags["mlflow.note.content"] == "x" * NOTE_CHARACTERS


def test_a_report_that_cannot_be_read_leaves_all_runs_mirrored(reported):
    folder = leave(reported, "note")
    (folder / NOTE_FILE).unlink()
    (folder / NOTE_FILE).write_bytes(b"\xff\xfe\xff")
    with pytest.raises(StoreError, match=r"the report of .* cannot be mirrored.*\n?"):
        sync(reported.store, [reported.record])
    assert the_parent(reported.store).data.tags["ablate.states"] == "1 new, 1 done"
