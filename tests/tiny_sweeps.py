"""A sweep so small that a run of it takes a second, and a store in which one was started."""

from pathlib import Path
from typing import Any

from ablate import Study
from ablate.plan import build_plan, create_run_folders, sweep_runs
from ablate.registry import Catalogue
from ablate.runs import Store
from ablate.spec import Context

OVERRIDES = (
    "epochs=2",
    "batch_size=4",
    "image_size_px=64",
    "data={kind: generated, seed: 1, count: 20, size_px: 64}",
)


def tiny_study(store: Path, **words: Any) -> Study:
    """Two rows of Table IV on twenty generated scenes, without the mirror."""
    defaults: dict[str, Any] = {
        "protocol": "demo",
        "overrides": OVERRIDES,
        "variants": ["translandseg", "translandseg-4"],
        "devices": ["cpu"],
        "track": False,
    }
    return Study("table4", store=store, **(defaults | words))


def start_table4(store: Path, context: Context) -> Path:
    """A store in which Table IV was started; nothing of it is trained."""
    catalogue, opened = Catalogue(), Store(store)
    sweep = catalogue.sweep("table4")
    rows = catalogue.rows(sweep, context.protocol.backbone)
    runs = sweep_runs(rows, context, (0,))
    create_run_folders(build_plan(sweep, context, runs, opened), opened)
    return store
