"""Scenes and folders that make no map are refused in one line, before anything starts."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from ablate.errors import BadInput, StoreError
from ablate.predict import TrainedModel, load_runs, polygons, scene_job, strips
from ablate.runs import atomic
from ablate.study.trained_rows import TrainedRow
from predict.rasters import NORTH_UP, landscape, write_raster
from predict.test_maps import CPU, make

_VRT = (
    '<VRTDataset rasterXSize="{width}" rasterYSize="64"><VRTRasterBand dataType="Byte" band="1">'
    "{source}</VRTRasterBand></VRTDataset>"
)
_ITSELF = (
    '<SimpleSource><SourceFilename relativeToVRT="1">itself.vrt</SourceFilename>'
    "<SourceBand>1</SourceBand></SimpleSource>"
)


@pytest.fixture(scope="module")
def models(row: TrainedRow) -> list[TrainedModel]:
    return load_runs(row.folders, None, CPU)[:1]


@pytest.fixture
def nothing_is_made(tmp_path: Path) -> Iterator[None]:
    yield
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("nothing_is_made")
def test_a_palette_is_no_grey_image(models: list[TrainedModel], tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", landscape(64, 64)[..., :1], photometric="palette")
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {index: (index, 255 - index, 7, 255) for index in range(256)})
    with pytest.raises(BadInput, match=r"a\.tif has a palette.*gdal_translate"):
        make(models, [path], tmp_path / "out")


@pytest.mark.usefixtures("nothing_is_made")
def test_a_photograph_of_16_bits_is_refused_first(
    models: list[TrainedModel], tmp_path: Path
) -> None:
    Image.fromarray(np.zeros((9, 9), np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray(landscape(64, 64)).save(tmp_path / "good.png")
    with pytest.raises(BadInput, match=r"deep\.png has 1 band of uint16"):
        make(models, [tmp_path / "good.png", tmp_path / "deep.png"], tmp_path / "out")


@pytest.mark.usefixtures("nothing_is_made")
@pytest.mark.parametrize(
    ("name", "problem"),
    [(os.fsdecode(b"a\xff.tif"), "is not UTF-8"), ("a\nb.tif", "has control characters")],
)
def test_names_that_gdal_cannot_take(
    name: str, problem: str, models: list[TrainedModel], tmp_path: Path
) -> None:
    write_raster(tmp_path / "plain.tif", landscape(64, 64)).rename(tmp_path / name)
    with pytest.raises(BadInput, match=rf"{problem}; rename it"):
        make(models, [tmp_path / name], tmp_path / "out")


def test_folders_that_cannot_take_maps(models: list[TrainedModel], tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", landscape(64, 64))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BadInput, match="file is a file; name a folder"):
        make(models, [path], tmp_path / "file" / "below" / "maps")
    # The next start would take the maps for scenes.
    with pytest.raises(BadInput, match="would lie among the scenes"):
        make(models, [tmp_path], tmp_path / ".")
    with pytest.raises(BadInput, match="has control characters"):
        make(models, [path], tmp_path / "a\nb")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.tif", "file"]


@pytest.mark.usefixtures("nothing_is_made")
def test_a_row_of_windows_that_memory_cannot_hold(
    models: list[TrainedModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "wide.vrt"
    path.write_text(_VRT.format(width=10_000_000, source=""))
    monkeypatch.setattr(strips, "free_bytes", lambda device: 2**30)
    with pytest.raises(
        BadInput, match=r"10,000,000 pixels wide.* needs 3\.2 GB of memory, 1\.1 GB"
    ):
        make(models, [path], tmp_path / "out")


def test_a_raster_of_itself_and_one_of_what_is_gone(
    models: list[TrainedModel], tmp_path: Path
) -> None:
    (tmp_path / "itself.vrt").write_text(_VRT.format(width=64, source=_ITSELF))
    (tmp_path / "gone.vrt").write_text(
        _VRT.format(width=64, source=_ITSELF.replace("itself", "missing"))
    )
    outcomes = make(models, [tmp_path / "itself.vrt", tmp_path / "gone.vrt"], tmp_path / "out")
    for outcome in outcomes:
        assert outcome.problem is not None
        assert f"{outcome.path} cannot be read" in outcome.problem


def test_maps_that_cannot_be_written_are_one_line(
    models: list[TrainedModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_raster(tmp_path / "a.tif", landscape(64, 64))

    def full(*args: object) -> None:
        raise rasterio.errors.RasterioIOError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(scene_job, "write_maps", full)
        with pytest.raises(StoreError, match=r"maps of .*a\.tif cannot be written \(no space left"):
            make(models, [path], tmp_path / "out")
    with monkeypatch.context() as patch:
        # SQLite cannot open it.
        patch.setattr(
            scene_job,
            "write_polygons",
            lambda scene, strips, folder, *rest: polygons.write_polygons(
                scene, strips, folder / "none", *rest
            ),
        )
        with pytest.raises(StoreError, match=r"polygons of .*a\.tif cannot be written"):
            make(models, [path], tmp_path / "out")
    (outcome,) = make(models, [path], tmp_path / "out")
    assert outcome.problem is None


def test_thousands_of_scenes_are_one_line_of_what_they_lack(
    models: list[TrainedModel], tmp_path: Path
) -> None:
    from ablate.predict import MapSettings, plan_scenes

    (tmp_path / "in").mkdir()
    first = write_raster(tmp_path / "in/0.tif", landscape(8, 8), crs=None, transform=NORTH_UP)
    for number in range(1, 300):
        os.link(first, tmp_path / f"in/{number}.tif")
    data = models[0].spec.context.protocol.data
    plan = plan_scenes([tmp_path / "in"], data, tmp_path / "out", MapSettings())
    assert len(plan.paths) == 300
    (note,) = plan.notes
    assert note.endswith("have no coordinate system, and their maps have none: 300 rasters")
    assert len(note) < 1000


def test_the_folder_of_maps_is_not_listed_for_every_scene(
    models: list[TrainedModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That would take the longer the more scenes there are."""
    listed: list[Path] = []
    (tmp_path / "in").mkdir()
    for name in "abc":
        Image.fromarray(landscape(64, 64)).save(tmp_path / f"in/{name}.png")
    with monkeypatch.context() as patch:
        patch.setattr(atomic, "remove_leftovers", listed.append)
        outcomes = make(models, [tmp_path / "in"], tmp_path / "out")
    assert [outcome.problem for outcome in outcomes] == [None] * 3
    assert tmp_path / "out" not in listed
    assert not list((tmp_path / "out").glob(".*.partial"))
