"""A small sweep whose rows can be tuned."""

from pathlib import Path
from typing import Any

import yaml

from ablate import Study
from tiny_sweeps import OVERRIDES

RATE = {"choices": [1e-3, 2e-3]}
KERNEL = {"choices": [1, 3]}
DECAY = {"low": 1e-4, "high": 0.1, "log": True}
SWEEP: dict[str, Any] = {
    "title": "Tuned",
    "protocol": "demo",
    "seeds": [1, 0],
    "baseline": "translandseg",
    "variants": ["translandseg-2", "translandseg", "decoder-only"],
    "tune": {"space": {"optimizer.lr": RATE, "adapter.kernel_size": KERNEL}},
}
TUNE = {"space": {"optimizer.lr": DECAY, "optimizer.weight_decay": DECAY}}
ONE: dict[str, Any] = {"variants": ["decoder-only"], "seeds": [0]}


def study(folder: Path, tune: dict[str, Any] | None = None, **words: Any) -> Study:
    """A sweep of three rows: with a convolution, without, and without an adapter."""
    (folder / "sweeps").mkdir(exist_ok=True)
    sweep = SWEEP if tune is None else SWEEP | {"tune": tune}
    (folder / "sweeps" / "mine.yaml").write_text(yaml.safe_dump(sweep))
    defaults: dict[str, Any] = {
        "overrides": OVERRIDES,
        "devices": ["cpu"],
        "executor": "inline",
        "track": False,
        "store": folder / "store",
    }
    return Study("mine", **(defaults | words))
