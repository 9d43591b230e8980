"""A vacuous sweep stops before anything is written."""

from pathlib import Path

import pytest

from ablate.errors import SpecError
from ablate.plan import build_plan, sweep_runs
from ablate.registry import Catalogue
from ablate.runs import Store
from ablate.spec import Context
from ablate.study.preflight import check_rows


def test_a_problem_stops_the_sweep(tmp_path: Path, context: Context) -> None:
    catalogue, store = Catalogue(), Store(tmp_path)
    sweep = catalogue.sweep("table4")
    names = ["translandseg", "translandseg-4"]
    runs = sweep_runs(catalogue.rows(sweep, "vit_nano"), context, (0,), names)
    check_rows(build_plan(sweep, context, runs, store))
    # Two rows that are one: the registry refuses them by identity, this by what they compute.
    twin = runs[0].model_copy(update={"name": "twin"})
    with pytest.raises(SpecError, match="twin: computes exactly what translandseg-4 computes"):
        check_rows(build_plan(sweep, context, [*runs, twin], store))
    assert list(tmp_path.iterdir()) == []
