"""A small store that has a file of every kind that ablate writes, made by ablate itself."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ablate.errors import Interrupted
from ablate.plan import create_run_folders
from ablate.runs import Failure, RunFolder, Store, SweepRecord
from ablate.study import Study, check_data, sync_mirror
from ablate.train import work
from tiny_sweeps import OVERRIDES, tiny_study
from train.run_helpers import stop_after

DONE, ALSO_DONE, INTERRUPTED, FAILED = (
    "translandseg-2",
    "translandseg",
    "translandseg-1",
    "translandseg-4",
)
VARIANTS = (DONE, ALSO_DONE, INTERRUPTED, FAILED)
_OVERRIDES = (
    *OVERRIDES[:3],
    "data={kind: folders, images: images, masks: masks}",
    "split.test={share: 0.25, seed: 5}",
)
_SIDE_PX, _IMAGES = 64, 20
# Three batches of an epoch, its evaluation, and a batch of the second.
_LOOKS = 6


def study_of(store: Path, **words: Any) -> Study:
    """The sweep of the store, trained in this process."""
    return tiny_study(
        store,
        **{
            "variants": VARIANTS,
            "overrides": _OVERRIDES,
            "data": data_of(store),
            "executor": "inline",
            **words,
        },
    )


def data_of(root: Path) -> Path:
    """Where the images of a store lie."""
    return root.with_name("data")


def make_store(root: Path) -> Path:
    """Two runs that are done, one that was stopped in its second epoch, and one that failed."""
    write_images(data_of(root))
    study_of(root, variants=[DONE, ALSO_DONE]).run()
    study_of(root, variants=[ALSO_DONE]).tune(trials=2)
    store = Store(root)
    create_run_folders(study_of(root).plan().plan, store)
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, _LOOKS)
        with pytest.raises(Interrupted):
            work([folder_of(root, INTERRUPTED).path], "cpu")
    failure = Failure(kind="error", message="the device is gone", detail="", time=1.7e9)
    folder_of(root, FAILED).write_failure(failure)
    check_data(data_of(root), protocol="demo", overrides=_OVERRIDES, store=root)
    with warnings.catch_warnings():
        # MLflow and SQLAlchemy deprecate some of their own parts.
        warnings.simplefilter("ignore")
        sync_mirror(store, None)
    return root


def record_of(root: Path) -> SweepRecord:
    (record,) = Store(root).sweep_records("table4")
    return record


def folder_of(root: Path, variant: str) -> RunFolder:
    """The folder of a row's only run."""
    (run,) = (run for run in record_of(root).runs if run.name == variant)
    return Store(root).run(run.key)


def write_images(folder: Path) -> None:
    """Bright squares on dark noise, and their masks."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    random = np.random.default_rng(7)
    for number in range(_IMAGES):
        pixels = random.integers(0, 120, (_SIDE_PX, _SIDE_PX, 3), dtype=np.uint8)
        mask = np.zeros((_SIDE_PX, _SIDE_PX), dtype=np.uint8)
        left, top = random.integers(0, _SIDE_PX // 2, 2)
        mask[top : top + 24, left : left + 24] = 255
        pixels[mask > 0] += 130
        Image.fromarray(pixels).save(folder / "images" / f"scene-{number:02d}.png")
        Image.fromarray(mask).save(folder / "masks" / f"scene-{number:02d}.png")
