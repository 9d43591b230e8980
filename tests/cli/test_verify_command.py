"""``ablate verify`` from the command line."""

import json
from pathlib import Path

import pytest

from cli.command import ablate
from cli.without_torch import ablate_without_torch
from fixture_stores import FOLDERS, copy_of


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return copy_of(FOLDERS[-1], tmp_path).root


def edit(store: Path, name: str = "result.json") -> Path:
    """Sets the MIoU of the first trained run of Table IV by hand."""
    record = next(store.glob("sweeps/table4-*.json"))
    key = json.loads(record.read_text())["runs"][0]["key"]
    path = store / "runs" / key / name
    path.write_text(json.dumps(json.loads(path.read_text()) | {"epoch": 1}))
    return path


def test_an_untouched_store_agrees(store: Path, tmp_path: Path) -> None:
    done = ablate(tmp_path, "verify", "--store", str(store))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("everything agrees") == 3


def test_an_edited_result_is_found(store: Path, tmp_path: Path) -> None:
    path = edit(store)
    words = ("verify", "--grid", "table4", "--store", str(store))
    done = ablate(tmp_path, *words)
    assert done.returncode == 1
    first, *_, last = done.stdout.splitlines()
    assert f"seed 0: epoch is 1, recomputed 2 (runs/{path.parent.name}/result.json)" in first
    assert "something differs" in last
    (checked,) = json.loads(ablate(tmp_path, *words, "--format", "json").stdout)
    assert [each["what"] for each in checked["disagreements"]] == ["epoch"]
    assert checked["state"] == "differs"


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    done = ablate(tmp_path, "verify", "--store", "nowhere")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "nowhere").exists()


def test_neither_torch_nor_mlflow_is_needed(store: Path, tmp_path: Path) -> None:
    done = ablate_without_torch(tmp_path, "verify", "--store", str(store))
    assert done.returncode == 0, done.stderr
