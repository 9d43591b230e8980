"""``ablate plan --decide`` and ``Study.plan_decision``."""

import json
from pathlib import Path

import pytest

from ablate.errors import BadInput, StoreError
from ablate.plan import create_run_folders
from ablate.registry import Catalogue
from ablate.runs import Store
from ablate.study import plan_decision
from cli.command import TINY, ablate
from report.sweep_on_disk import SweepOnDisk
from tiny_sweeps import tiny_study


def started(store: Path) -> None:
    """Starts the two rows of the tiny sweep; nothing of it is trained."""
    create_run_folders(tiny_study(store).plan().plan, Store(store))


def test_it_reads_the_runs_of_this_very_sweep(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with pytest.raises(StoreError, match="was never started"):
        tiny_study(store).plan_decision()
    started(store)
    before = sorted(store.rglob("*"))
    decision = tiny_study(store).plan_decision()
    assert sorted(store.rglob("*")) == before
    assert [claim.outcome for claim in decision.claims] == ["cannot tell"] * 5
    assert decision.claims[0].reason == "TransLandSeg not run"
    assert (decision.tests, decision.runs) == (8, 0)
    with pytest.raises(StoreError, match="was never started"):
        tiny_study(store, overrides=("epochs=3",)).plan_decision()


def test_a_sweep_without_claims_has_nothing_to_decide(tmp_path: Path) -> None:
    table = SweepOnDisk(tmp_path, Catalogue().protocol("demo"))
    with pytest.raises(BadInput, match="makes no claims"):
        plan_decision(table.start(), table.store)


def test_the_command_prints_it(tmp_path: Path) -> None:
    started(tmp_path / "ablate-store")
    words = ["plan", "--grid", "table4", "--protocol", "demo", *TINY, "--decide"]
    done = ablate(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert "cannot tell: TransLandSeg not run" in done.stdout
    assert "all 8 pairs of the claims together" in done.stdout
    decision = json.loads(ablate(tmp_path, *words, "--format", "json").stdout)
    assert decision["unit"] == "seed"
    assert [len(claim["pairs"]) for claim in decision["claims"]] == [1, 1, 1, 1, 4]
