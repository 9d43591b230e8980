"""A vacuous sweep stops before anything is written."""

from pathlib import Path

import pytest

from ablate.cli import gate
from ablate.errors import SpecError
from ablate.plan import build_plan, sweep_runs
from ablate.registry import Catalogue
from ablate.runs import Store
from ablate.spec import Context


def test_a_problem_stops_the_sweep(
    tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = sweep_runs(
        Catalogue().rows("table4", context.protocol.backbone),
        context,
        (0,),
        ["translandseg", "translandseg-4"],
    )
    plan = build_plan(Catalogue().sweep("table4"), context, runs, Store(tmp_path))
    gate.check(plan)
    # Two rows that are one: the registry refuses them by identity, the gate by what they compute.
    twin = runs[0].model_copy(update={"name": "twin"})
    doubled = build_plan(plan.sweep, context, [*runs, twin], Store(tmp_path))
    with pytest.raises(SpecError, match="twin: computes exactly what translandseg-4 computes"):
        gate.check(doubled)
    assert list(tmp_path.iterdir()) == []
