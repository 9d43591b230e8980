"""The store remembers sweeps and sources."""

import json
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ablate.errors import StoreError
from ablate.runs import Provenance, SpecFile, Store, SweepRecord
from ablate.spec import RunSpec, Sweep

SWEEP = Sweep(
    name="table4",
    title="Table IV",
    protocol="demo",
    seeds=(0,),
    baseline="b",
    published="translandseg-table4",
    variants=("a", "b", "c"),
)
PROVENANCE = Provenance(created=1.0, ablate="0.1.0", commit=None, python="3.11.7", packages={})


def run_of(run: RunSpec, name: str, seed: int = 0, width: int = 2) -> RunSpec:
    adapter = run.variant.adapter.model_copy(update={"width": width})
    variant = run.variant.model_copy(update={"adapter": adapter, "label": name})
    return run.model_copy(update={"name": name, "seed": seed, "variant": variant})


def rows(record: SweepRecord) -> list[tuple[str, int]]:
    return [(run.name, run.seed) for run in record.runs]


def test_a_record_gathers_seeds_and_runs_of_all_starts(tmp_path: Path, run_spec: RunSpec) -> None:
    store = Store(tmp_path)
    other = run_spec.model_copy(update={"seed": 2})
    store.record_sweep(SWEEP, run_spec.context, [run_spec])
    record = store.record_sweep(SWEEP, run_spec.context, [other, run_spec])
    assert record.seeds == (0, 2)
    assert [run.key for run in record.runs] == [run_spec.key, other.key]
    assert [record.run_spec(run) for run in record.runs] == [run_spec, other]
    assert record.sweep == SWEEP
    assert store.sweep_records() == store.sweep_records("table4") == [record]
    assert store.sweep_records("table1") == []


def test_runs_stand_in_the_order_of_the_table(tmp_path: Path, run_spec: RunSpec) -> None:
    store, context = Store(tmp_path), run_spec.context
    store.record_sweep(SWEEP, context, [run_of(run_spec, "c", seed=1)])
    store.record_sweep(SWEEP, context, [run_of(run_spec, "a"), run_of(run_spec, "b", seed=1)])
    record = store.record_sweep(SWEEP, context, [run_of(run_spec, "b"), run_of(run_spec, "c")])
    assert rows(record) == [("a", 0), ("b", 0), ("b", 1), ("c", 0), ("c", 1)]


def test_rows_of_factors_keep_their_places_when_only_some_are_started_again(
    tmp_path: Path, run_spec: RunSpec
) -> None:
    store, context = Store(tmp_path), run_spec.context
    sweep = Sweep(
        name="widths",
        title="Widths",
        protocol="demo",
        seeds=(0,),
        base="translandseg",
        factors={"adapter.width": (2, 4)},
    )
    store.record_sweep(sweep, context, [run_of(run_spec, name) for name in ("x", "y", "z")])
    record = store.record_sweep(sweep, context, [run_of(run_spec, "y", seed=1)])
    assert rows(record) == [("x", 0), ("y", 0), ("y", 1), ("z", 0)]


def test_of_an_altered_row_the_latest_run_is_current(tmp_path: Path, run_spec: RunSpec) -> None:
    store, context = Store(tmp_path), run_spec.context
    first, later = (run_of(run_spec, "a", width=width) for width in (2, 4))
    other = run_of(run_spec, "b")
    store.record_sweep(SWEEP, context, [first, other])
    record = store.record_sweep(SWEEP, context, [later, other])
    assert [run.key for run in record.runs] == [first.key, later.key, other.key]
    assert [run.key for run in record.current_runs()] == [later.key, other.key]
    # The row is altered back.
    record = store.record_sweep(SWEEP, context, [first])
    assert [run.key for run in record.current_runs()] == [first.key, other.key]


def test_a_run_that_has_no_seed_in_its_key_is_recorded_once(
    tmp_path: Path, zero_shot_spec: RunSpec
) -> None:
    store = Store(tmp_path)
    for seed in (0, 3):
        again = zero_shot_spec.model_copy(update={"seed": seed})
        record = store.record_sweep(SWEEP, again.context, [again])
    assert rows(record) == [("sam-points", 3)]


def _record(root: Path, runs: Sequence[RunSpec]) -> None:
    for run in runs:
        Store(root).record_sweep(SWEEP, run.context, [run])


def test_starts_at_once_lose_nothing(tmp_path: Path, run_spec: RunSpec) -> None:
    runs = [run_of(run_spec, "a", seed=seed) for seed in range(32)]
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_record, args=(tmp_path, runs[:16]))
    process.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda part: _record(tmp_path, part), [runs[i:20] for i in range(16, 20)]))
        list(pool.map(lambda run: _record(tmp_path, [run]), runs[20:]))
    process.join()
    assert process.exitcode == 0
    (record,) = Store(tmp_path).sweep_records()
    assert rows(record) == [("a", seed) for seed in range(32)]


def test_another_context_is_another_record_and_the_latest_comes_first(
    tmp_path: Path, run_spec: RunSpec
) -> None:
    store = Store(tmp_path)
    data = run_spec.context.data.model_copy(update={"digest": "f" * 64})
    altered = run_spec.context.model_copy(update={"data": data})
    first = store.record_sweep(SWEEP, run_spec.context, [run_spec])
    second = store.record_sweep(SWEEP, altered, [run_spec])
    assert first.id != second.id
    assert store.sweep_records("table4") == [second, first]


def test_strangers_are_passed_over(tmp_path: Path, run_spec: RunSpec) -> None:
    store = Store(tmp_path)
    record = store.record_sweep(SWEEP, run_spec.context, [run_spec])
    store.create_runs([SpecFile(key=run_spec.key, run=run_spec, provenance=PROVENANCE)])
    for folder in (tmp_path / "sweeps", tmp_path / "runs"):
        (folder / ".DS_Store").write_bytes(b"\0\1")
        (folder / f"._{record.id}.json").write_bytes(b"\0\5\026\7")
        (folder / "note.txt").write_text("x")
        (folder / "old.json").write_text("{}")
        (folder / "empty").mkdir()
    # Among the records it is one whose file something has taken the place of.
    (tmp_path / "runs" / "folder-01234567.json").mkdir()
    copy = tmp_path / "runs" / f"{run_spec.key} copy"
    copy.mkdir()
    (copy / "spec.json").write_text("{}")
    assert store.sweep_records() == [record]
    assert [folder.key for folder in store.runs()] == [run_spec.key]


@pytest.mark.parametrize(
    "content",
    [b"{", b"[1]", b"{}", b"\xff", b"[" * 100_000, b'{"sweep": "x", "runs": 1}', b"9" * 5000],
)
def test_a_broken_record_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "table4-01234567.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"table4-01234567\.json cannot be read: [^\n]*$"):
        Store(tmp_path).sweep_records()


def test_a_record_of_a_newer_schema_is_refused(tmp_path: Path, run_spec: RunSpec) -> None:
    store = Store(tmp_path)
    record = store.record_sweep(SWEEP, run_spec.context, [run_spec])
    path = tmp_path / "sweeps" / f"{record.id}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 99}))
    with pytest.raises(StoreError, match="is written in schema 99, newer"):
        store.sweep_records()


def test_sources_are_absolute_and_unknown_ones_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store(Path("store"))
    store.remember_source("ab" * 32, Path("images"))
    assert store.source("ab" * 32) == tmp_path / "images"
    with pytest.raises(StoreError, match="does not know where cdcdcdcdcdcd… lies"):
        store.source("cd" * 32)


def test_a_broken_source_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "ab.json").write_text("{")
    with pytest.raises(StoreError, match=r"ab\.json cannot be read: [^\n]*$"):
        Store(tmp_path).source("ab")


def test_many_folders_are_made_at_once_and_a_spec_that_is_there_stands(
    tmp_path: Path, run_spec: RunSpec
) -> None:
    store = Store(tmp_path)
    specs = [run_spec.model_copy(update={"seed": seed}) for seed in range(40)]
    first = SpecFile(key=specs[7].key, run=specs[7], provenance=PROVENANCE)
    store.run(first.key).create(first)
    later = PROVENANCE.model_copy(update={"created": first.provenance.created + 60})
    store.create_runs([SpecFile(key=spec.key, run=spec, provenance=later) for spec in specs])
    assert [store.run(spec.key).spec() for spec in specs] == specs
    assert store.run(first.key).spec_file() == first
    assert len(store.runs()) == 40
    # No temporary file is left.
    assert all(len(list(folder.path.iterdir())) == 1 for folder in store.runs())


def test_a_folder_that_cannot_be_made_is_not_passed_over(tmp_path: Path, run_spec: RunSpec) -> None:
    (tmp_path / "runs").touch()
    spec = SpecFile(key=run_spec.key, run=run_spec, provenance=PROVENANCE)
    with pytest.raises(NotADirectoryError):
        Store(tmp_path).create_runs([spec])
