"""A store made by others brings their database: what is copied stays in the store all the same."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from fake_store import fake_store
from reading import parents

from ablate.errors import StoreError
from ablate.tracking import NOTE_FILE, sync


@pytest.fixture
def mirrored(tmp_path, with_database):
    """A sweep with a run, in MLflow."""
    fake = fake_store(tmp_path / "store")
    fake.finish(0)
    with_database(fake.store)
    sync(fake.store, [fake.record])
    return fake


def test_a_run_whose_files_would_go_elsewhere_is_refused(mirrored, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    with closing(sqlite3.connect(mirrored.store.mlflow_path / "mlflow.db")) as connection:
        connection.execute("UPDATE runs SET artifact_uri = ?", [str(elsewhere)])
        connection.commit()
    with pytest.raises(StoreError, match="keeps files of a run outside the store"):
        sync(mirrored.store, [mirrored.record])
    assert not elsewhere.exists()


def test_a_link_in_place_of_the_database_is_not_followed(mirrored, tmp_path: Path) -> None:
    path = mirrored.store.mlflow_path / "mlflow.db"
    path.rename(tmp_path / "others.db")
    path.symlink_to(tmp_path / "others.db")
    before = (tmp_path / "others.db").read_bytes()
    with pytest.raises(StoreError, match=r"mlflow\.db is a link, which may lead out of the store"):
        sync(mirrored.store, [mirrored.record])
    assert (tmp_path / "others.db").read_bytes() == before


def test_a_link_among_the_artifacts_is_not_written_through(mirrored, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (parent,) = parents(mirrored.store)
    artifacts = Path(parent.info.artifact_uri)
    artifacts.mkdir(parents=True, exist_ok=True)
    (artifacts / "report.md").symlink_to(precious)
    reports = mirrored.store.reports_path / mirrored.record.id
    reports.mkdir(parents=True)
    for name in ("report.md", NOTE_FILE):
        (reports / name).write_text("# report")
    with pytest.raises(StoreError, match="keeps files of a run outside the store"):
        sync(mirrored.store, [mirrored.record])
    assert precious.read_text() == "precious"


def test_a_link_in_place_of_the_report_is_not_copied(mirrored, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("9f3c-only-here")
    reports = mirrored.store.reports_path / mirrored.record.id
    reports.mkdir(parents=True)
    (reports / NOTE_FILE).write_text("# report")
    (reports / "report.md").symlink_to(secret)
    with pytest.raises(StoreError, match="it is a link, not a file"):
        sync(mirrored.store, [mirrored.record])
    files = [path for path in mirrored.store.mlflow_path.rglob("*") if path.is_file()]
    assert all(b"9f3c-only-here" not in path.read_bytes() for path in files)
