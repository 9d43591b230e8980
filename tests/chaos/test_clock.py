"""The clock is set back by a year between two starts of a sweep.

``tests/runs/test_attempts_and_clock.py`` has the short form.
"""

import json
import os
import re
import signal
from pathlib import Path

import pytest

from chaos.comparison import differences, leftovers, mlflow_runs, trained
from chaos.faults import INTERRUPTED, Fault
from chaos.session import complete, run_words, session

# Python imports it at the start of each process.
CLOCK = """
import time
_time, _time_ns, _year_s = time.time, time.time_ns, 365 * 24 * 3600
time.time = lambda: _time() - _year_s
time.time_ns = lambda: _time_ns() - _year_s * 10**9
"""


@pytest.mark.chaos
def test_set_back_by_a_year(tmp_path: Path, undisturbed: dict[str, object]) -> None:
    store = tmp_path / "store"
    with session(tmp_path) as started:
        Fault((signal.SIGTERM,), "group", "training", INTERRUPTED).happen(started, store)
        assert started.wait() == INTERRUPTED, started.output()
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(CLOCK)
    path = os.pathsep.join([str(tmp_path / "clock"), os.environ.get("PYTHONPATH", "")])
    complete(tmp_path, *run_words(), PYTHONPATH=path)
    assert set(trained(store).values()) == {1}
    assert differences(store, undisturbed) == []
    assert leftovers(store) == []
    assert mlflow_runs(store)
    words = ("report", "--grid", "table4", "--store", "store", "--format", "json")
    complete(tmp_path, *words, "--out", "report.json", PYTHONPATH=path)
    report = json.loads((tmp_path / "report.json").read_text())
    for run in report["provenance"]["runs"]:
        assert run["created"] <= run["finished"]
        assert run["train_s"] > 0
    total = report["costs"]["total"]
    assert total["done"]["attempts"] == 4
    # Those runs that had begun when the signal came.
    assert 0 < total["abandoned"]["attempts"] <= 4
    assert total["running"]["attempts"] == 0
    assert not re.search(r"-\d+\.?\d* s\b", report["costs"]["paragraph"])
