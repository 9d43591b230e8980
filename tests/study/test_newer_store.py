"""A store that a newer ablate has written to: named in one line, replaced by nobody."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ablate.errors import StoreClosed, StoreError
from ablate.report.results import read_results
from ablate.runs import RunFolder, Store
from ablate.study.status import sweep_status
from fixture_stores import FOLDERS, copy_of

NEWER = "is written in schema 99, newer than this ablate's"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return copy_of(FOLDERS[-1], tmp_path)


def written_by_newer(path: Path) -> None:
    """Every document of a file."""
    documents = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
    lines = [json.dumps(json.loads(each) | {"schema_version": 99}) for each in documents]
    path.write_text("".join(f"{line}\n" for line in lines))


def rows_by_key(store: Store) -> dict[str, list[dict[str, object]]]:
    rows: dict[str, list[dict[str, object]]] = {}
    for status in sweep_status(store.root, problems=[]):
        for row in status.runs:
            rows.setdefault(str(row["key"]), []).append(row)
    return rows


def files_of(folder: RunFolder) -> Iterator[tuple[Path, bytes]]:
    return ((path, path.read_bytes()) for path in sorted(folder.path.iterdir()))


@pytest.mark.parametrize("name", ["spec.json", "result.json", "failure.json", "events.jsonl"])
def test_a_run_is_labelled_and_left_alone(store: Store, name: str) -> None:
    before = rows_by_key(store)
    folder = next(each for each in store.runs() if (each.path / "events.jsonl").exists())
    spec = folder.spec_file()
    if name == "failure.json":
        (folder.path / "result.json").unlink()
        content = {"kind": "error", "message": "no memory", "detail": "", "time": 0.0}
        (folder.path / name).write_text(json.dumps(content))
    if name == "events.jsonl":
        (folder.path / "result.json").unlink()
    written_by_newer(folder.path / name)
    after = rows_by_key(store)
    assert {key: rows for key, rows in after.items() if key != folder.key} == {
        key: rows for key, rows in before.items() if key != folder.key
    }
    assert all(NEWER in str(row["note"]) for row in after[folder.key])
    files = list(files_of(folder))
    if name != "events.jsonl":
        with pytest.raises(StoreClosed, match=NEWER):
            RunFolder(folder.path).create(spec)
    assert list(files_of(folder)) == files


def test_its_numbers_are_not_printed(store: Store) -> None:
    (record,) = store.sweep_records("table1")
    folder = store.run(record.runs[0].key)
    written_by_newer(folder.path / "result.json")
    found = {each.run.key: each for each in read_results(record, store)}
    assert found[folder.key].finished is None
    assert found[folder.key].missing_reason == "unreadable"
    assert NEWER in str(found[folder.key].cause)


def test_a_sweep_is_named_and_the_others_are_shown(store: Store) -> None:
    paths = sorted((store.root / "sweeps").glob("*.json"))
    written_by_newer(paths[0])
    problems: list[str] = []
    shown = sweep_status(store.root, problems=problems)
    assert len(shown) == len(paths) - 1
    (problem,) = problems
    assert f"{paths[0].name} {NEWER}" in problem
    for path in paths[1:]:
        written_by_newer(path)
    with pytest.raises(StoreError, match=NEWER) as caught:
        sweep_status(store.root)
    assert len(str(caught.value).splitlines()) == len(paths)
