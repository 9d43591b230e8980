"""``ablate status`` of a sweep with more runs than are read."""

from pathlib import Path

import pytest

from ablate.cli import status as command
from ablate.cli.lines import TableFormat
from ablate.runs import Failure, Store
from cli.command import output, rows
from fixture_stores import FOLDER, copy_of


def test_too_many_runs_are_counted(
    started_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_MOST_ROWS", 9)
    first, *_ = Store(started_store).runs()
    first.write_failure(Failure(kind="error", message="m", detail="", time=0.0))
    command.status(store=started_store, format=TableFormat.TABLE)
    text = capsys.readouterr().out
    lines = [line.split() for line in text.splitlines()]
    header = lines.index(["variant", "state", "runs"])
    counted = lines[header + 1 : header + 11]
    assert counted.count([first.spec().name, "failed", "1"]) == 1
    assert [state for _, state, _ in counted].count("new") == 9
    assert first.key not in text


def test_json_lists_them_all(tmp_path: Path, started_store: Path) -> None:
    (sweep,) = rows(tmp_path, "status", "--store", str(started_store))
    assert {run["key"] for run in sweep["runs"]} == {r.key for r in Store(started_store).runs()}


def test_an_older_engines_runs_are_shown_as_what_they_are(tmp_path: Path) -> None:
    store = str(copy_of(FOLDER / "store-engine-5", tmp_path).root)
    sweeps = rows(tmp_path, "status", "--store", store)
    assert {sweep["engine"] for sweep in sweeps} == {5}
    assert {run["state"] for sweep in sweeps for run in sweep["runs"]} == {"done"}
    said = " ".join(output(tmp_path, "status", "--store", store).split())
    assert "by engine 5 (this is engine 6)" in said
