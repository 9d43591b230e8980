"""Records of sweeps and tunings say what was written, or are named and set aside; none is lost."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ablate.errors import StoreClosed, StoreError
from ablate.registry import Catalogue
from ablate.runs import SpecFile, State, Store, SweepRecord
from ablate.spec import RunSpec
from runs.test_folder import PROVENANCE

SWEEP = Catalogue().sweep("table4")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.fixture
def record(store: Store, run_spec: RunSpec) -> SweepRecord:
    return store.record_sweep(SWEEP, run_spec.context, [run_spec])


def path_of(store: Store, record: SweepRecord) -> Path:
    return store.root / "sweeps" / f"{record.id}.json"


def edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(updated=document["updated"] + 1),
        lambda document: document["runs"][0].update(seed=7),
        lambda document: document["runs"][0].update(key="0" * 16),
        lambda document: document["sweep"].update(title="another"),
    ],
)
def test_every_edit_of_a_record_is_noticed(
    store: Store, record: SweepRecord, change: Callable[[dict[str, Any]], Any]
) -> None:
    edit(path_of(store, record), change)
    with pytest.raises(StoreError, match=r"\.json was changed after it was written"):
        store.sweep_records()


def test_a_record_of_an_older_version_carries_no_digest(store: Store, record: SweepRecord) -> None:
    edit(path_of(store, record), lambda document: document.pop("sha256"))
    assert store.sweep_records() == [record]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/nowhere")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [cut, fifo, link, folder])
def test_a_damaged_record_is_set_aside(
    store: Store, record: SweepRecord, run_spec: RunSpec, damage: Callable[[Path], None]
) -> None:
    path = path_of(store, record)
    damage(path)
    with pytest.raises(StoreError, match="start the sweep again, which sets it aside"):
        store.record_sweep(SWEEP, run_spec.context, [run_spec])
    for number in (1, 2):
        said = store.set_damaged_record_aside(record.id)
        target = path.parent / f"damaged-{number}" / path.name
        assert said is not None
        assert f"it was moved to {target}" in said
        assert os.path.lexists(target)
        again = store.record_sweep(SWEEP, run_spec.context, [run_spec])
        assert store.sweep_records() == [again]
        assert store.set_damaged_record_aside(record.id) is None
        damage(path)


def test_a_record_of_a_newer_ablate_is_not_set_aside(store: Store, record: SweepRecord) -> None:
    path = path_of(store, record)
    edit(path, lambda document: document.update(schema_version=99))
    before = path.read_bytes()
    with pytest.raises(StoreClosed, match="is written in schema 99, newer"):
        store.set_damaged_record_aside(record.id)
    assert path.read_bytes() == before


def test_a_run_of_a_newer_ablate_is_not_trained_again(store: Store, run_spec: RunSpec) -> None:
    """What this ablate cannot read is no damage: it would be days of training that are lost."""
    spec = SpecFile(key=run_spec.key, run=run_spec, provenance=PROVENANCE)
    made = store.run(spec.key)
    made.create(spec)
    result = made.path / "result.json"
    result.write_text(json.dumps({"schema_version": 99}))
    assert made.state() is State.DAMAGED
    with pytest.raises(StoreClosed, match="newer than this ablate's"):
        made.create(spec)
    assert result.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_run_that_may_not_be_read_is_not_trained_again(store: Store, run_spec: RunSpec) -> None:
    spec = SpecFile(key=run_spec.key, run=run_spec, provenance=PROVENANCE)
    made = store.run(spec.key)
    made.create(spec)
    (made.path / "result.json").write_text("{}")
    (made.path / "result.json").chmod(0)
    with pytest.raises(StoreClosed, match="Permission denied; check its permissions"):
        made.create(spec)


def test_a_lost_ledger_is_not_taken_for_a_tuning_that_was_never_begun(
    store: Store, record: SweepRecord
) -> None:
    journal = store.tunings_path / f"{record.id}.journal"
    journal.parent.mkdir()
    # Of a start that was killed before its record was written.
    journal.write_text('{"op_code": 0, "study_name": "x"}\n')
    assert store.tuning(record.id) is None
    journal.write_text('{"op_code": 4, "user_attrs": {"ablate.run": "0123456789abcdef"}}\n')
    with pytest.raises(StoreError, match=r"is missing, and .*\.journal has its trials; restore it"):
        store.tuning(record.id)
