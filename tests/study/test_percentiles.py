"""Percentiles that scale images are shown before the training, and by the check of the data."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from ablate.data.splitting import parts
from ablate.runs import DataCheck, Store
from ablate.study import check_data
from cli.command import ablate
from tiny_sweeps import tiny_study

RECIPE = (
    "data={kind: folders, images: images, masks: masks, bands: [3, 1, 0], "
    "scale: {kind: percentiles, low: 0, high: 100}}",
    "image_size_px=64",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Ten rasters of four bands and 64x64 pixels."""
    path = tmp_path / "rasters"
    for folder in ("images", "masks"):
        (path / folder).mkdir(parents=True)
    for number in range(10):
        values = np.random.default_rng(number).integers(0, 3000, (64, 64, 4)).astype(np.uint16)
        write(path, number, values)
        mask = np.zeros((64, 64), np.uint8)
        mask[:9] = 255
        Image.fromarray(mask).save(path / f"masks/{number}.png")
    return path


def write(root: Path, number: int, values: np.ndarray) -> None:
    path = root / f"images/{number}.tif"
    tifffile.imwrite(path, values, photometric="minisblack", planarconfig="contig")


def expected(root: Path, check: DataCheck) -> tuple[tuple[float, float], ...]:
    """The least and the greatest value of the training images in the bands 3, 1 and 0."""
    train, *_ = parts([str(number) for number in range(10)], check.split, root)
    values = np.stack([tifffile.imread(root / f"images/{index}.tif") for index in train])
    return tuple((float(values[..., b].min()), float(values[..., b].max())) for b in (3, 1, 0))


def test_the_check_keeps_the_percentiles_of_the_training_images(root: Path) -> None:
    store = root.parent / "store"
    check = check_data(root, protocol="demo", overrides=RECIPE, store=store)
    assert check.findings == ()
    assert check.ranges == expected(root, check)
    assert check.digest is not None
    kept = Store(store).data_check(check.digest, check.split)
    assert kept is not None
    assert kept.ranges == check.ranges


def test_the_plan_has_the_percentiles_that_the_check_found(root: Path) -> None:
    study = tiny_study(root.parent / "store", data=root, overrides=RECIPE)
    check = check_data(root, protocol="demo", overrides=RECIPE)
    assert study.plan().ranges == check.ranges


def test_plan_run_and_check_print_them(root: Path, tmp_path: Path) -> None:
    check = check_data(root, protocol="demo", overrides=RECIPE)
    assert check.ranges is not None
    red, green, blue = (f"{low:g} to {high:g}" for low, high in check.ranges)
    line = (
        "values that become 0 to 255, by percentiles of the training images: "
        f"red {red}, green {green}, blue {blue}\n"
    )
    sets = [word for each in RECIPE for word in ("--set", each)]
    recipe = ["--grid", "table4", "--protocol", "demo", "--data", "rasters", *sets]
    assert line in ablate(tmp_path, "plan", *recipe).stdout
    assert line in ablate(tmp_path, "run", *recipe, "--dry-run").stdout
    assert line in ablate(tmp_path, "data", "check", "rasters", "--protocol", "demo", *sets).stdout


def test_a_broken_raster_hides_no_other(root: Path) -> None:
    (root / "images/3.tif").write_bytes(b"II*\0")
    check = check_data(root, protocol="demo", overrides=RECIPE)
    (finding,) = check.findings
    assert (finding.kind, finding.names) == ("unreadable", ("3",))
    assert check.ranges is None


def test_without_a_split_rasters_are_checked_all_the_same(root: Path) -> None:
    lists = "split={kind: lists}"
    check = check_data(root, protocol="demo", overrides=(*RECIPE, lists))
    (finding,) = check.findings
    assert finding.kind == "split"
    assert check.sizes is not None
