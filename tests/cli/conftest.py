"""A store in which a sweep was begun, made without training."""

from pathlib import Path

import pytest

from ablate.plan import provenance, sweep_runs
from ablate.registry import Catalogue
from ablate.runs import SpecFile, Store
from ablate.spec import Context


@pytest.fixture
def begun_store(tmp_path: Path, context: Context) -> Path:
    store = Store(tmp_path / "begun")
    runs = sweep_runs(Catalogue().rows("table4", context.protocol.backbone), context, (0,))
    for run in runs:
        store.run(run.key).create(SpecFile(key=run.key, run=run, provenance=provenance()))
    store.record_sweep("table4", context, runs)
    return store.root
