"""The store remembers sweeps and sources."""

from pathlib import Path

import pytest

from ablate.errors import StoreError
from ablate.plan import provenance
from ablate.runs import SpecFile, Store
from ablate.spec import RunSpec


def test_a_record_gathers_seeds_and_runs_of_all_starts(tmp_path: Path, run_spec: RunSpec) -> None:
    store = Store(tmp_path)
    other = run_spec.model_copy(update={"seed": 2})
    store.record_sweep("table4", run_spec.context, [run_spec])
    record = store.record_sweep("table4", run_spec.context, [other, run_spec])
    assert record.seeds == (0, 2)
    assert record.runs == (run_spec.key, other.key)
    assert store.sweep_records() == store.sweep_records("table4") == [record]
    assert store.sweep_records("table1") == []


def test_another_context_is_another_record_and_the_latest_comes_first(
    tmp_path: Path, run_spec: RunSpec
) -> None:
    store = Store(tmp_path)
    data = run_spec.context.data.model_copy(update={"digest": "f" * 64})
    altered = run_spec.context.model_copy(update={"data": data})
    first = store.record_sweep("table4", run_spec.context, [run_spec])
    second = store.record_sweep("table4", altered, [run_spec])
    assert first.id != second.id
    assert store.sweep_records("table4") == [second, first]


def test_sources_are_absolute_and_unknown_ones_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store(Path("store"))
    store.remember_source("ab" * 32, Path("images"))
    assert store.source("ab" * 32) == tmp_path / "images"
    with pytest.raises(StoreError, match="does not know where cdcdcdcdcdcd… lies"):
        store.source("cd" * 32)


def test_a_broken_record_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "table4-0.json").write_text("{")
    with pytest.raises(StoreError, match="cannot be read"):
        Store(tmp_path).sweep_records()


def test_many_folders_are_made_at_once_and_a_spec_that_is_there_stands(
    tmp_path: Path, run_spec: RunSpec
) -> None:
    store = Store(tmp_path)
    specs = [run_spec.model_copy(update={"seed": seed}) for seed in range(40)]
    first = SpecFile(key=specs[7].key, run=specs[7], provenance=provenance())
    store.run(first.key).create(first)
    later = provenance().model_copy(update={"created": first.provenance.created + 60})
    store.create_runs([SpecFile(key=spec.key, run=spec, provenance=later) for spec in specs])
    assert [store.run(spec.key).spec() for spec in specs] == specs
    assert store.run(first.key).spec_file() == first
    assert len(store.runs()) == 40
    # No temporary file is left.
    assert all(len(list(folder.path.iterdir())) == 1 for folder in store.runs())


def test_a_folder_that_cannot_be_made_is_not_passed_over(tmp_path: Path, run_spec: RunSpec) -> None:
    (tmp_path / "runs").touch()
    spec = SpecFile(key=run_spec.key, run=run_spec, provenance=provenance())
    with pytest.raises(NotADirectoryError):
        Store(tmp_path).create_runs([spec])
