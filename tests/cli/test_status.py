"""``ablate status`` of a sweep with more runs than anybody reads."""

from pathlib import Path

import pytest

from ablate.cli import status as command
from ablate.cli.console import TableFormat
from ablate.runs import Failure, Store
from cli.test_commands import rows


def test_too_many_runs_are_counted(
    begun_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_MOST_ROWS", 9)
    first, *_ = Store(begun_store).runs()
    first.write_failure(Failure(kind="error", message="m", detail="", time=0.0))
    command.status(store=begun_store, format=TableFormat.TABLE)
    text = capsys.readouterr().out
    lines = [line.split() for line in text.splitlines()]
    header = lines.index(["variant", "state", "runs"])
    counted = lines[header + 1 : header + 11]
    assert counted.count([first.spec().name, "failed", "1"]) == 1
    assert [state for _, state, _ in counted].count("new") == 9
    assert first.key not in text


def test_json_lists_them_all(tmp_path: Path, begun_store: Path) -> None:
    (sweep,) = rows(tmp_path, "status", "--store", str(begun_store))
    assert {run["key"] for run in sweep["runs"]} == {r.key for r in Store(begun_store).runs()}
