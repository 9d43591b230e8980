"""Sweeps of stores that training, or an older engine, has left are verified."""

import json
import shutil
from pathlib import Path

import pytest

from ablate.errors import StoreError
from ablate.study import verify_bundle, verify_store
from fixture_stores import FOLDERS, copy_of
from tiny_sweeps import OVERRIDES, tiny_study


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_stores_of_every_engine_agree(folder: Path) -> None:
    checked = verify_store(folder)
    assert len(checked) == 3
    assert [each.state for each in checked] == ["agrees"] * 3
    assert sum(each.runs for each in checked) == 7


def test_an_edited_result_differs_in_its_sweep_alone(tmp_path: Path) -> None:
    store = copy_of(FOLDERS[-1], tmp_path)
    table4 = next(each for each in store.sweep_records() if each.sweep.name == "table4")
    key = table4.runs[0].key
    path = store.run(key).path / "result.json"
    content = json.loads(path.read_text())
    content["metrics"]["miou"] = 0.99
    path.write_text(json.dumps(content))
    states = {each.sweep: each for each in verify_store(store.root)}
    assert [name for name, each in states.items() if not each.agrees] == ["table4"]
    (only,) = states["table4"].disagreements
    assert (only.key, only.what, only.stored) == (key, "metrics.miou", 0.99)
    assert states["table4"].report_differences


def test_a_store_without_sweeps_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no sweep was started in"):
        verify_store(tmp_path)
    with pytest.raises(StoreError, match="sweep table1 was never started in"):
        verify_store(tmp_path, "table1")


def test_what_was_trained_here_agrees(tmp_path: Path) -> None:
    """All of it: digests of weights, epochs and pixels of two rows that are really trained.

    The split has a test part, whose scores are checked and packed too.
    """
    overrides = (*OVERRIDES, "split.test={share: 0.25, seed: 5}")
    study = tiny_study(tmp_path, overrides=overrides)
    study.run()
    checked = study.verify()
    assert checked.agrees
    assert (checked.runs, checked.weights, checked.weights_absent) == (2, 2, 0)
    bundle = tmp_path / "table4.zip"
    study.bundle(bundle, weights=True)
    assert verify_bundle(bundle).agrees
    path = next(tmp_path.glob("runs/*/result.json"))
    whole = path.read_text()
    result = json.loads(whole)
    for edited in (None, result["test"] | {"metrics": result["test"]["metrics"] | {"miou": 0.99}}):
        path.write_text(json.dumps(result | {"test": edited}))
        whats = {each.what for each in study.verify().disagreements}
        assert whats == {"sha256", "test.images" if edited is None else "test.metrics.miou"}
    path.write_text(whole)
    shutil.rmtree(tmp_path / "runs")
    assert study.verify().runs == 0
