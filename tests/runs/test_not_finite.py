"""Numbers that are infinite or no numbers at all, in files that another has written."""

import json
from pathlib import Path

import pytest

from ablate.errors import StoreError
from ablate.report.results import read_results
from ablate.runs import State
from fixture_stores import FOLDERS, copy_of

NUMBERS = ("train_s", "finished", "metrics")


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "NaN", "1e999"])
@pytest.mark.parametrize("field", NUMBERS)
def test_a_result_with_them_is_not_read(tmp_path: Path, field: str, number: str) -> None:
    store = copy_of(FOLDERS[-1], tmp_path)
    (record,) = store.sweep_records("table1")
    folder = store.run(record.runs[0].key)
    path = folder.path / "result.json"
    document = json.loads(path.read_text())
    document[field] = "@" if field != "metrics" else document["metrics"] | {"val_loss": "@"}
    path.write_text(json.dumps(document).replace('"@"', number))
    assert folder.state() is State.DAMAGED
    (found,) = [each for each in read_results(record, store) if each.run.key == folder.key]
    assert found.missing_reason == "unreadable"
    assert f"{field}" in str(found.cause)


def test_an_epoch_with_them_is_not_read(tmp_path: Path) -> None:
    store = copy_of(FOLDERS[-1], tmp_path)
    folder = next(each for each in store.runs() if (each.path / "events.jsonl").exists())
    path = folder.path / "events.jsonl"
    event = json.loads(path.read_text().splitlines()[0])
    event["metrics"]["miou"] = "@"
    path.write_text(json.dumps(event).replace('"@"', "Infinity") + "\n")
    with pytest.raises(StoreError, match="miou"):
        folder.events()
