"""Devices share the work; memory that is short, and a device that fails, are one line each."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ablate.models import SegmentationModel
from ablate.predict import SceneOutcome, TrainedModel, load_runs, plan_scenes, predict_scenes
from ablate.predict.pool import Copy, ModelPool
from ablate.study.trained_rows import TrainedRow
from predict.rasters import Bright, landscape, with_module, write_raster
from predict.test_maps import CPU, EXACT, make

DEVICE_ERROR = "CUDA error: an illegal memory access was encountered\nCUDA kernel errors …"


class Watched(SegmentationModel):
    """Like ``Bright``; says which batches it gets, and may do something before."""

    def __init__(self, before: Callable[[int], None] = lambda images: None) -> None:
        super().__init__()
        self.inner, self.before = Bright(2), before
        self.batches: list[int] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.before(len(images))
        self.batches.append(len(images))
        found: torch.Tensor = self.inner(images)
        return found


@pytest.fixture(scope="module")
def models(row: TrainedRow) -> list[TrainedModel]:
    return load_runs(row.folders, None, CPU)


def shared(
    copies: list[list[TrainedModel]], paths: list[Path], out: Path
) -> tuple[list[SceneOutcome], list[str]]:
    """The maps of paths by several copies, and what was said."""
    said: list[str] = []
    plan = plan_scenes(paths, copies[0][0].spec.context.protocol.data, out, EXACT)
    outcomes = predict_scenes(
        copies[0], plan, out, EXACT, lambda *_: None, more_copies=copies[1:], say=said.append
    )
    return outcomes, said


def test_two_devices_give_the_bytes_of_one(
    row: TrainedRow, models: list[TrainedModel], tmp_path: Path
) -> None:
    paths = [write_raster(tmp_path / "a.tif", np.tile(landscape(150, 128), (1, 7, 1)))]
    for name in "bc":
        paths.append(tmp_path / f"{name}.png")
        Image.fromarray(landscape(90, 70)).save(paths[-1])
    make(models, paths, tmp_path / "one")
    outcomes, _ = shared([models, load_runs(row.folders, None, CPU)], paths, tmp_path / "two")
    assert [outcome.path for outcome in outcomes] == paths
    names = {path.name for path in (tmp_path / "one").iterdir()} - {"a.gpkg"}
    assert len(names) == 4 + 2 * 4
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_slow_device_takes_less_and_changes_nothing(
    models: list[TrainedModel], tmp_path: Path
) -> None:
    path = write_raster(tmp_path / "a.tif", np.tile(landscape(64, 128), (1, 20, 1)))
    make(with_module(models, Bright(2)), [path], tmp_path / "one")
    quick, slow = Watched(), Watched(lambda images: time.sleep(0.2))
    shared([with_module(models, slow), with_module(models, quick)], [path], tmp_path / "two")
    assert 0 < len(slow.batches) < len(quick.batches)
    for name in ("a-mask.tif", "a-probability.tif"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_no_more_is_read_than_keeps_the_devices_busy(models: list[TrainedModel]) -> None:
    taken: list[int] = []

    def numbers() -> object:
        for number in range(20):
            taken.append(number)
            yield number

    def work(copy: Copy, number: object) -> tuple[object, str]:
        return number, threading.current_thread().name

    with ModelPool([models, models], print) as pool:
        results = pool.map(work, numbers())  # type: ignore[arg-type]
        assert next(results)[0] == 0
        assert len(taken) == 3
        assert [number for number, _ in results] == list(range(1, 20))


def test_short_memory_makes_batches_smaller(models: list[TrainedModel], tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", landscape(150, 64 * 6))
    make(with_module(models, Bright(2)), [path], tmp_path / "whole")

    def only_one(images: int) -> None:
        if images > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore.")

    small = Watched(only_one)
    (outcome,), said = shared([with_module(models, small)], [path], tmp_path / "parts")
    assert outcome.problem is None
    assert set(small.batches) == {1}
    # Batches are of four: tried once, not at every batch.
    assert said == [
        "cpu has too little memory for 4 windows at once: 2 windows at once from now on",
        "cpu has too little memory for 2 windows at once: 1 window at once from now on",
    ]
    for name in ("a-mask.tif", "a-probability.tif"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()


def test_memory_that_is_too_short_for_one_image_is_one_line(
    models: list[TrainedModel], tmp_path: Path
) -> None:
    def never(images: int) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    paths = [write_raster(tmp_path / "a.tif", landscape(64, 200)), tmp_path / "b.png"]
    Image.fromarray(landscape(64, 64)).save(paths[1])
    outcomes, _ = shared([with_module(models, Watched(never))], paths, tmp_path / "out")
    assert [outcome.problem for outcome in outcomes] == [
        "one image of 64×64 pixels does not fit into the memory of cpu; use a --device with more "
        "memory, or end what else uses it"
    ] * 2


def test_a_device_that_fails_stops_no_other_scene(
    models: list[TrainedModel], tmp_path: Path
) -> None:
    images = np.tile(landscape(64, 128), (1, 10, 1))
    paths = [write_raster(tmp_path / f"{name}.tif", images) for name in "ab"]
    failures = [DEVICE_ERROR]

    def fails_once(images: int) -> None:
        if failures:
            raise torch.AcceleratorError(failures.pop())

    bad, good = Watched(fails_once), Watched()
    copies = [with_module(models, bad), with_module(models, good)]
    (first, second), _ = shared(copies, paths, tmp_path / "out")
    assert first.problem == (
        "cpu failed (CUDA error: an illegal memory access was encountered); try again, or name "
        "another --device: what is finished is kept"
    )
    assert second.problem is None
    assert not (tmp_path / "out/a.json").exists()
    # The same command goes on where it was.
    outcomes, _ = shared(copies, paths, tmp_path / "out")
    assert [(each.problem, each.was_done) for each in outcomes] == [(None, False), (None, True)]


def test_a_defect_is_not_taken_for_a_device(models: list[TrainedModel], tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", np.zeros((64, 64, 3), np.uint8))

    def defect(images: int) -> None:
        raise RuntimeError("shapes do not fit")

    wrong = [replace(models[0], module=Watched(defect))]
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        make(wrong, [path], tmp_path / "out")
