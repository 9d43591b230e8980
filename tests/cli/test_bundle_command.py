"""``ablate bundle`` and ``ablate verify BUNDLE`` from the command line."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from cli.command import ablate
from cli.without_torch import ablate_without_torch
from fixture_stores import FOLDERS, copy_of


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    store = copy_of(FOLDERS[-1], tmp_path).root
    done = ablate(tmp_path, "bundle", "table4.zip", "--grid", "table4", "--store", str(store))
    assert done.returncode == 0, done.stderr
    assert "4 runs with a result; check it with `ablate verify table4.zip`" in done.stdout
    shutil.rmtree(store)
    return tmp_path / "table4.zip"


def test_a_bundle_is_checked_on_a_machine_with_nothing_else(bundle: Path, tmp_path: Path) -> None:
    """Without the store, torch, MLflow, and in a working folder of its own."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = ablate_without_torch(elsewhere, "verify", str(bundle))
    assert done.returncode == 0, done.stderr
    assert "everything agrees. Checked: 4 runs with a result; 31 files" in done.stdout
    assert list(elsewhere.iterdir()) == []


def test_an_altered_bundle_is_found(bundle: Path, tmp_path: Path) -> None:
    altered = tmp_path / "altered.zip"
    with zipfile.ZipFile(bundle) as archive, zipfile.ZipFile(altered, "w") as copy:
        for name in archive.namelist():
            content = archive.read(name)
            copy.writestr(
                name,
                content.replace(b"# Table IV", b"# Table V") if name == "report.md" else content,
            )
    done = ablate(tmp_path, "verify", "altered.zip", "--format", "json")
    assert done.returncode == 1
    (checked,) = json.loads(done.stdout)
    assert [(each["what"], each["file"]) for each in checked["disagreements"]] == [
        ("sha256", "report.md")
    ]
    text = ablate(tmp_path, "verify", "altered.zip").stdout
    assert "report.md: line 1 is # Table V" in text


def test_what_is_no_bundle_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "notes.zip").write_text("notes")
    done = ablate(tmp_path, "verify", "notes.zip")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


def test_a_bundle_is_not_written_over_a_folder(tmp_path: Path) -> None:
    store = copy_of(FOLDERS[-1], tmp_path).root
    done = ablate(tmp_path, "bundle", str(store), "--grid", "table4", "--store", str(store))
    assert done.returncode == 2
    assert "is a folder; give the name of a file" in done.stderr
