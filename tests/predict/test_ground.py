"""The ground resolution of training is known or not, compared with rasters', and resampled to."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import Affine

from ablate import Study
from ablate.errors import BadInput
from ablate.predict import MapSettings, load_export, load_runs, write_export
from ablate.predict.ground import ground_notes, ground_of_data
from ablate.predict.loading import trained_weights
from ablate.predict.scene import inspect
from ablate.spec import BijieData, FoldersData, GeneratedData, Landslide4SenseData
from ablate.study.predict import predict_row
from ablate.study.trained_rows import TrainedRow
from cli.command import ablate
from predict.conftest import ROW
from predict.rasters import landscape, write_raster
from predict.test_maps import CPU
from tiny_sweeps import OVERRIDES, tiny_study

FOLDERS = FoldersData(kind="folders", images="images", masks="masks")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Four pairs: three images of 64x64 pixels, and one of 256x256."""
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for name, side in (("a", 64), ("b", 64), ("c", 64), ("d", 256)):
        write_raster(tmp_path / "images" / f"{name}.tif", landscape(side, side))
        mask = np.zeros((side, side), np.uint8)
        mask[: side // 2] = 255
        Image.fromarray(mask).save(tmp_path / "masks" / f"{name}.png")
    return tmp_path


def test_geotiff_files_tell_it_and_a_declared_one_wins(images: Path) -> None:
    # Half a metre, the median image of 64 pixels.
    assert ground_of_data(FOLDERS, images, 32) == pytest.approx(1.0)
    declared = FOLDERS.model_copy(update={"ground_resolution_m": 3.0})
    assert ground_of_data(declared, images, 64) == pytest.approx(3.0)
    for name in "abcd":
        path = images / "images" / f"{name}.tif"
        Image.fromarray(landscape(64, 32)).save(path.with_suffix(".jpg"))
        path.unlink()
    assert ground_of_data(FOLDERS, images, 32) is None
    assert ground_of_data(declared, images, 32) == pytest.approx(3 * 2 / 2**0.5)


def test_published_data_sets_are_known(images: Path) -> None:
    four = Landslide4SenseData(kind="landslide4sense", scale=25.5)
    assert ground_of_data(four, images, 1024) == pytest.approx(1.25)
    scenes = GeneratedData(kind="generated", seed=1, count=2, size_px=64)
    assert ground_of_data(scenes, images, 64) is None
    (images / "landslide").mkdir()
    (images / "masks").rename(images / "landslide/mask")
    (images / "landslide/image").mkdir()
    for name, side in (("a", 64), ("b", 64), ("c", 64), ("d", 256)):
        image = Image.fromarray(landscape(side, side))
        image.save(images / "landslide/image" / f"{name}.png")
    assert ground_of_data(BijieData(kind="bijie"), images, 128) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("trained_m", "note"),
    [
        (0.45, None),
        (0.62, None),
        (2.0, "a pixel of a.tif is 0.5 m wide, and was 2 m in training; --resolution 2 resamples"),
        (None, "of the training images is not known"),
    ],
)
def test_another_resolution_is_one_line(
    trained_m: float | None, note: str | None, tmp_path: Path
) -> None:
    path = write_raster(tmp_path / "a.tif", landscape(20, 20))
    scene = inspect(path, GeneratedData(kind="generated", seed=1, count=2, size_px=64), None)
    notes = ground_notes([scene], trained_m)
    assert len(notes) == (note is not None)
    assert note is None or note in notes[0]
    assert ground_notes([replace(scene, ground_m=None)], trained_m) == []
    if trained_m == 2.0:
        (many,) = ground_notes([scene] * 1000, trained_m)
        assert "1,000 rasters (a.tif, a.tif, a.tif, …)" in many


def test_a_row_an_export_and_its_card_know_it(images: Path, tmp_path: Path) -> None:
    """From training on GeoTIFF files to maps that are resampled to them, and back without them."""
    overrides = (*OVERRIDES[:3], "data={kind: folders, images: images, masks: masks}")
    study = tiny_study(
        tmp_path / "store",
        variants=[ROW],
        executor="inline",
        data=images,
        overrides=(*overrides, "epochs=1"),
    )
    study.run()
    scene = write_raster(tmp_path / "scene.tif", landscape(128, 128), transform=Affine.scale(0.1))
    training = MapSettings(resolution_m="training")
    (outcome,) = study.predict(ROW, [scene], tmp_path / "maps", settings=training)
    assert outcome.problem is None
    with rasterio.open(tmp_path / "maps/scene-mask.tif") as file:
        assert file.shape == (26, 26)
    study.export(ROW, tmp_path / "model")
    assert (
        "| ground resolution | 0.5 m for each pixel" in (tmp_path / "model/README.md").read_text()
    )
    model = load_export(tmp_path / "model", None, CPU)
    assert model.ground_m == pytest.approx(0.5)
    notes: list[str] = []
    predict_row(
        tmp_path / "model", [scene], tmp_path / "other", MapSettings(),
        announce=lambda plan, models: notes.extend(plan.notes),
    )  # fmt: skip
    assert len(notes) == 1
    assert "a pixel of scene.tif is 0.1 m wide, and was 0.5 m in training" in notes[0]


def test_it_is_not_known_of_generated_scenes(
    study: Study, row: TrainedRow, export: Path, tmp_path: Path
) -> None:
    scene = write_raster(tmp_path / "a.tif", landscape(20, 20))
    notes: list[str] = []
    predict_row(
        row, [scene], tmp_path / "maps", MapSettings(),
        announce=lambda plan, models: notes.extend(plan.notes),
    )  # fmt: skip
    assert [note for note in notes if "is not known" in note] == notes
    assert len(notes) == 1
    with pytest.raises(BadInput, match="give metres"):
        predict_row(row, [scene], tmp_path / "other", MapSettings(resolution_m="training"))
    assert not (tmp_path / "other").exists()
    words = ("--export", str(export), "a.tif", "--resolution", "fine", "--out", "x")
    done = ablate(tmp_path, "predict", *words)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "fine is not a number of metres; give 0.8, or training" in done.stderr


def test_exports_of_before_are_read(row: TrainedRow, tmp_path: Path) -> None:
    folder = row.folders[0]
    (model, *_) = load_runs([folder], None, CPU)
    write_export(
        tmp_path / "model", model.spec, folder.key, trained_weights(folder), None, "", None
    )
    manifest = tmp_path / "model/ablate-export.json"
    lines = manifest.read_text().splitlines(keepends=True)
    manifest.write_text("".join(line for line in lines if "ground_m" not in line))
    assert load_export(tmp_path / "model", None, CPU).ground_m is None
