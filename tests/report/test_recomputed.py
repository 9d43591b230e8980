"""A result that contradicts its own pixels is not printed, in whatever way it was edited."""

import json
from pathlib import Path
from typing import Any

import pytest

from ablate.runs import RunFolder
from report.sweep_on_disk import SweepOnDisk, row_of

ROW = "translandseg-1"


@pytest.fixture
def finished(table: SweepOnDisk) -> RunFolder:
    table.finish("translandseg", miou=0.88)
    table.finish(ROW, miou=0.84)
    return table.folder(ROW)


def edit(path: Path, **changes: Any) -> None:
    document = json.loads(path.read_text())
    for name, value in changes.items():
        if isinstance(value, dict):
            value = document[name] | value
        document[name] = value
    path.write_text(json.dumps(document))


@pytest.mark.parametrize("value", [0.99, 5.0, -0.1, 0.8400001])
@pytest.mark.parametrize("metric", ["miou", "f1", "positive_recall"])
def test_an_edited_metric_is_named(
    table: SweepOnDisk, finished: RunFolder, metric: str, value: float
) -> None:
    edit(finished.path / "result.json", metrics={metric: value})
    (seed,) = row_of(table, ROW).repeats
    assert seed.state == "unreadable"
    assert seed.cause is not None
    assert f"contradicts its own pixels: {metric} is {value:.6g} in the result" in seed.cause
    assert row_of(table, "translandseg").scores["miou"].n == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_metric_that_is_no_number_cannot_be_read(
    table: SweepOnDisk, finished: RunFolder, value: float
) -> None:
    edit(finished.path / "result.json", metrics={"miou": value})
    (seed,) = row_of(table, ROW).repeats
    assert seed.state == "unreadable"
    assert seed.cause is not None
    assert "metrics.miou: Input should be a finite number" in seed.cause


def test_edited_pixels_are_named(table: SweepOnDisk, finished: RunFolder) -> None:
    edit(finished.path / "result.json", confusion={"fp": 7})
    (seed,) = row_of(table, ROW).repeats
    assert seed.cause is not None
    assert "fp is 7 in the result, " in seed.cause


def test_confusions_of_another_run_are_named(table: SweepOnDisk, finished: RunFolder) -> None:
    other = table.folder("translandseg").confusion_path.read_bytes()
    finished.confusion_path.write_bytes(other)
    assert row_of(table, ROW).missing_reason == "unreadable"


@pytest.mark.parametrize("content", [None, b"", b"PAR1"])
def test_a_result_without_its_pixels_is_not_printed(
    table: SweepOnDisk, finished: RunFolder, content: bytes | None
) -> None:
    if content is None:
        finished.confusion_path.unlink()
    else:
        finished.confusion_path.write_bytes(content)
    (seed,) = row_of(table, ROW).repeats
    assert seed.state == "unreadable"
    assert seed.cause is not None
    assert "confusion.parquet" in seed.cause
