"""``Study.check``."""

from pathlib import Path

import pytest

from ablate.errors import StoreError
from ablate.plan import create_run_folders
from ablate.runs import Store
from tiny_sweeps import tiny_study


def test_it_reads_the_runs_of_this_very_sweep_and_writes_nothing(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with pytest.raises(StoreError, match="was never started"):
        tiny_study(store).check()
    create_run_folders(tiny_study(store).plan().plan, Store(store))
    before = sorted(store.rglob("*"))
    checked = tiny_study(store).check()
    assert sorted(store.rglob("*")) == before
    assert checked.outcome == "cannot tell"
    assert checked.claims[0].reproduced == "cannot tell: TransLandSeg not run"
    assert checked.claims == tiny_study(store).report().report.claims
    with pytest.raises(StoreError, match="was never started"):
        tiny_study(store, overrides=("epochs=3",)).check()
