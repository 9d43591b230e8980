"""Runs on splits that a data set's authors made: nothing of another part is seen."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
from PIL import Image

from ablate import Study
from ablate.study import Outcome
from tiny_sweeps import tiny_study

RECIPE = ("epochs=1", "batch_size=2", "image_size_px=64")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three parts of images and masks; the third cannot even be opened."""
    path = tmp_path / "parts"
    for number, name in enumerate(("train/a", "train/b", "train/c", "val/a", "val/d", "test/e")):
        part, _, stem = name.partition("/")
        pixels = np.random.default_rng(number).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        mask = np.zeros((64, 64), np.uint8)
        mask[: 8 + 8 * number] = 255
        for kind, values in (("images", pixels), ("masks", mask)):
            (path / part / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(path / part / kind / f"{stem}.png")
    (path / "test/images/e.png").write_bytes(b"unseen")
    return path


def study(root: Path, *overrides: str) -> Study:
    return tiny_study(
        root.parent / "store",
        data=root,
        overrides=[*RECIPE, *overrides],
        variants=["translandseg"],
    )


def validated(outcome: Outcome) -> list[str]:
    """The images that a finished run was validated on."""
    (run,) = outcome.runs
    assert run.failure is None
    assert list(run.folder.panels_path.glob("*.png"))
    names: list[str] = parquet.read_table(run.folder.confusion_path)["image"].to_pylist()
    return names


def test_ready_parts_train_and_validate(root: Path) -> None:
    assert validated(study(root, "split={kind: folders}").run()) == ["val/a", "val/d"]


def test_an_edited_list_is_another_run(root: Path) -> None:
    data = (
        "data={kind: folders, images: ., masks: ., image: '{folder}/images/{stem}.png', "
        "mask: '{folder}/masks/{stem}.png', folders: [train, val]}"
    )
    lists = study(root, data, "split={kind: lists}")
    (root / "train.txt").write_text("train/a\ntrain/b\n")
    (root / "val.txt").write_text("val/d\n")
    planned = lists.plan().plan.runs[0].spec.key
    assert validated(lists.run()) == ["val/d"]
    assert lists.plan().plan.pending == ()
    (root / "val.txt").write_text("val/a\ntrain/c\n")
    (again,) = lists.plan().plan.pending
    assert again.spec.key != planned
    assert validated(lists.run()) == ["train/c", "val/a"]
