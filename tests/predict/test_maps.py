"""Rasters become maps: no seams, coordinates kept, polygons that fit, and kills that continue."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyogrio
import pytest
import rasterio
import shapely
import torch
from PIL import Image
from rasterio.features import rasterize
from rasterio.transform import Affine

from ablate.errors import BadInput, StoreError
from ablate.predict import (
    MapSettings,
    SceneOutcome,
    TrainedModel,
    load_runs,
    plan_scenes,
    predict_scenes,
)
from ablate.predict.windows import Axis
from ablate.study.trained_rows import TrainedRow
from predict.rasters import NORTH_UP, Bright, InWindow, landscape, with_module, write_raster

CPU = torch.device("cpu")
EXACT = MapSettings(simplify_px=0)


@pytest.fixture(scope="module")
def models(row: TrainedRow) -> list[TrainedModel]:
    return load_runs(row.folders, None, CPU)


def make(
    models: Sequence[TrainedModel],
    paths: Sequence[Path],
    out: Path,
    settings: MapSettings = EXACT,
) -> list[SceneOutcome]:
    plan = plan_scenes(paths, models[0].spec.context.protocol.data, out, settings)
    return predict_scenes(models, plan, out, settings, lambda *_: None)


def read(path: Path) -> npt.NDArray[Any]:
    with rasterio.open(path) as file:
        return np.asarray(file.read())


def polygons(path: Path) -> tuple[dict[str, Any], list[Any], dict[str, npt.NDArray[Any]]]:
    info, _, geometry, fields = pyogrio.raw.read(path)
    return info, list(shapely.from_wkb(geometry)), dict(zip(info["fields"], fields, strict=True))


@pytest.mark.parametrize("length", [1, 63, 64, 65, 100, 112, 113, 500, 1000])
@pytest.mark.parametrize("overlap", [0, 16, 28])
def test_windows_cover_a_side_and_their_weights_are_known(length: int, overlap: int) -> None:
    axis = Axis(length, 64, overlap)
    assert axis.starts[0] == 0
    assert axis.starts[-1] == max(0, length - 64)
    assert axis.total.shape == (length,)
    assert (axis.total > 0).all()
    assert all(b - a <= 64 - overlap for a, b in zip(axis.starts, axis.starts[1:], strict=False))
    assert axis.done_after[-1] == length


def test_windows_give_what_one_pass_gives(models: list[TrainedModel], tmp_path: Path) -> None:
    """A model that sees three pixels around: far from windows' borders, windows change nothing."""
    image = landscape(170, 230)
    path = write_raster(tmp_path / "a.tif", image)
    model = with_module(models, Bright(3))
    make(model, [path], tmp_path / "out")
    found = read(tmp_path / "out" / "a-probability.tif")[0] / 250
    protocol = model[0].spec.context.protocol
    red = torch.tensor((image[..., 0] / 255 - protocol.mean[0]) / protocol.std[0])
    with torch.inference_mode():
        whole = torch.sigmoid(model[0].module(red[None, None].float()))[0, 0].numpy()
    # The weights at a window's border are small: so is what the model does not see there.
    assert np.abs(found - whole).max() < 0.06
    assert np.abs(found - whole).mean() < 0.003


def test_no_step_shows_where_windows_meet(models: list[TrainedModel], tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", landscape(64, 300))
    model = with_module(models, InWindow())
    for name, percent in (("smooth", 40), ("cut", 0)):
        make(model, [path], tmp_path / name, MapSettings(overlap_percent=percent))
    steps = {
        name: np.abs(np.diff(read(tmp_path / name / "a-probability.tif")[0].astype(int))).max()
        for name in ("smooth", "cut")
    }
    # Without overlap, windows meet at a step from 0 to 1.
    assert steps["cut"] > 240
    assert steps["smooth"] < 40


@pytest.mark.parametrize(
    "transform",
    [NORTH_UP, Affine(1.7, 1.0, 5e5, 1.0, -1.7, 3e6)],
    ids=["north-up", "rotated"],
)
def test_coordinates_and_no_data_are_kept(
    models: list[TrainedModel], tmp_path: Path, transform: Affine
) -> None:
    image = np.maximum(landscape(150, 200), 1)
    image[:40, 100:] = 0
    path = write_raster(tmp_path / "a.tif", image, nodata=0, transform=transform)
    (outcome,) = make(models, [path], tmp_path / "out")
    for name, bands in (("mask", 1), ("probability", 2)):
        with rasterio.open(tmp_path / "out" / f"a-{name}.tif") as file:
            assert file.crs.to_epsg() == 32648
            assert file.transform.almost_equals(transform)
            assert (file.width, file.height, file.count, file.nodata) == (200, 150, bands, 255)
            assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert ((file.read(1) == 255) == (image == 0).all(axis=2)).all()
    assert outcome.problem is None


def test_polygons_fit_the_mask_exactly(models: list[TrainedModel], tmp_path: Path) -> None:
    """Also where strips meet; noise has regions of every shape, and holes that touch by corners."""
    image = np.random.default_rng(0).integers(0, 256, (200, 150, 3), np.uint8)
    path = write_raster(tmp_path / "a.tif", image)
    (outcome,) = make(with_module(models, Bright(1)), [path], tmp_path / "out")
    mask = read(tmp_path / "out" / "a-mask.tif")[0]
    info, shapes, fields = polygons(tmp_path / "out" / "a.gpkg")
    drawn = rasterize([(each, 1) for each in shapes], mask.shape, transform=NORTH_UP)
    assert info["crs"] == "EPSG:32648"
    assert (drawn == mask).all()
    assert outcome.polygons == len(shapes) > 20
    assert all(each.is_valid for each in shapes)
    assert fields["area_px"].sum() == mask.sum()
    assert np.allclose(fields["area_m2"], fields["area_px"] * 0.25)
    assert np.allclose(fields["area_m2"], [each.area for each in shapes])
    assert (fields["mean_probability"] >= 0.49).all()
    assert (fields["mean_probability"] <= 1).all()


def test_small_regions_are_left_out(models: list[TrainedModel], tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    path = write_raster(tmp_path / "a.tif", image)
    model = with_module(models, Bright(1))
    make(model, [path], tmp_path / "all")
    make(model, [path], tmp_path / "large", MapSettings(min_area=5.0))
    areas = polygons(tmp_path / "all" / "a.gpkg")[2]["area_m2"]
    kept = polygons(tmp_path / "large" / "a.gpkg")[2]["area_m2"]
    assert sorted(kept) == sorted(area for area in areas if area >= 5)
    assert len(kept) < len(areas)


def test_a_kill_continues_and_gives_the_same_maps(
    models: list[TrainedModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The last row of windows is moved back, so that three rows overlap.
    path = write_raster(tmp_path / "a.tif", landscape(64 + 48 * 3 + 5, 120))
    make(models, [path], tmp_path / "undisturbed")
    from ablate.predict import strips

    computed: list[int] = []
    write = strips.Strips.write

    for stop_at in (1, 2, 3, 4):

        def stopping(
            self: strips.Strips, index: int, strip: strips.Strip, stop_at: int = stop_at
        ) -> None:
            if index == stop_at:
                raise KeyboardInterrupt
            computed.append(index)
            write(self, index, strip)

        monkeypatch.setattr(strips.Strips, "write", stopping)
        with pytest.raises(KeyboardInterrupt):
            make(models, [path], tmp_path / "out")
    monkeypatch.undo()
    make(models, [path], tmp_path / "out")
    assert computed == [0, 1, 2, 3]
    for name in ("a-mask.tif", "a-probability.tif", "a.png"):
        assert (tmp_path / "out" / name).read_bytes() == (
            tmp_path / "undisturbed" / name
        ).read_bytes()
    assert not (tmp_path / "out" / ".a.partial").exists()
    before = (tmp_path / "out" / "a.gpkg").stat().st_mtime_ns
    # As a kill leaves it that comes after the last file.
    (tmp_path / "out" / ".a.partial").mkdir()
    (again,) = make(models, [path], tmp_path / "out")
    assert again.was_done
    assert not (tmp_path / "out" / ".a.partial").exists()
    assert (tmp_path / "out" / "a.gpkg").stat().st_mtime_ns == before


def test_several_seeds_give_their_mean_and_their_disagreement(
    models: list[TrainedModel], tmp_path: Path
) -> None:
    path = write_raster(tmp_path / "a.tif", landscape(64, 64))
    make(models, [path], tmp_path / "out")
    each = np.stack([model.probability(path) for model in models])
    found = read(tmp_path / "out" / "a-probability.tif") / 250
    assert np.abs(found[0] - each.mean(axis=0)).max() < 0.0021
    assert np.abs(found[1] - each.std(axis=0)).max() < 0.0021
    assert found[1].max() > 0.02


def test_a_raster_is_resampled_on_request(models: list[TrainedModel], tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", landscape(128, 256))
    make(models, [path], tmp_path / "out", MapSettings(resolution_m=1.0))
    with rasterio.open(tmp_path / "out" / "a-mask.tif") as file:
        assert (file.width, file.height) == (128, 64)
        assert file.transform.almost_equals(Affine(1, 0, 500_000, 0, -1, 3_000_000))
    plain = write_raster(tmp_path / "b.tif", landscape(64, 64), crs=None, transform=None)
    with pytest.raises(BadInput, match=r"ground resolution of .* is not known"):
        make(models, [plain], tmp_path / "other", MapSettings(resolution_m=1.0))


def test_degrees_are_turned_into_metres(models: list[TrainedModel], tmp_path: Path) -> None:
    transform = Affine(1e-5, 0, 104, 0, -1e-5, 60)
    path = write_raster(tmp_path / "a.tif", landscape(64, 64), crs="EPSG:4326", transform=transform)
    make(with_module(models, Bright(1)), [path], tmp_path / "out")
    fields = polygons(tmp_path / "out" / "a.gpkg")[2]
    assert np.allclose(fields["area_m2"] / fields["area_px"], 1.1132**2 / 2, rtol=0.01)


def test_photographs_give_pictures(models: list[TrainedModel], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(landscape(100, 140)).save(tmp_path / "in" / "a.png")
    Image.fromarray(landscape(64, 64)).save(tmp_path / "in" / "b.jpg")
    first, _ = make(models, [tmp_path / "in"], tmp_path / "out")
    mask = np.asarray(Image.open(tmp_path / "out" / "a-mask.png"))
    each = np.stack([model.probability(tmp_path / "in" / "a.png") for model in models])
    assert np.array_equal(mask > 0, each.mean(axis=0) > 0.5)
    assert set(np.unique(mask)) <= {0, 255}
    assert np.asarray(Image.open(tmp_path / "out" / "b.png")).shape == (64, 64, 3)
    assert first.polygons is None


def test_odd_rasters(models: list[TrainedModel], tmp_path: Path) -> None:
    grey = landscape(20, 30)[..., :1]
    paths = [
        write_raster(tmp_path / "grey.tif", grey),
        write_raster(tmp_path / "plain.tif", landscape(20, 90), crs=None, transform=None),
        write_raster(tmp_path / "empty.tif", np.zeros((70, 70, 3), np.uint8), nodata=0),
        write_raster(tmp_path / "pixel.tif", landscape(1, 1)),
    ]
    settings = MapSettings()
    plan = plan_scenes(paths, models[0].spec.context.protocol.data, tmp_path / "o", settings)
    assert [note for note in plan.notes if "plain.tif has no coordinate system" in note]
    outcomes = predict_scenes(models, plan, tmp_path / "o", settings, lambda *_: None)
    assert [outcome.problem for outcome in outcomes] == [None] * 4
    assert outcomes[2].positive_percent is None
    assert outcomes[2].polygons == 0
    assert (read(tmp_path / "o" / "empty-mask.tif") == 255).all()
    assert read(tmp_path / "o" / "pixel-mask.tif").shape == (1, 1, 1)
    assert read(tmp_path / "o" / "grey-mask.tif").shape == (1, 20, 30)


def test_bad_inputs_are_refused_before_anything_starts(
    models: list[TrainedModel], tmp_path: Path
) -> None:
    whole = write_raster(tmp_path / "whole.tif", landscape(300, 300))
    cut = tmp_path / "cut.tif"
    cut.write_bytes(whole.read_bytes()[:100_000])
    (tmp_path / "text.tif").write_text("no raster")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n")
    (tmp_path / "none").mkdir()
    (tmp_path / "a").mkdir()
    bad = {
        write_raster(tmp_path / "many.tif", np.zeros((9, 9, 13), np.uint8)): "13 bands of uint8",
        write_raster(tmp_path / "deep.tif", np.zeros((9, 9, 3), np.uint16)): "3 bands of uint16",
        cut: "cut short",
        tmp_path / "text.tif": "cannot be read",
        tmp_path / "broken.png": "cannot be read",
        tmp_path / "none": "holds no image",
        tmp_path / "missing.tif": "no file",
        write_raster(tmp_path / "a" / "whole.tif", landscape(9, 9)): "maps of one name",
    }
    for path, problem in bad.items():
        with pytest.raises(BadInput, match=problem):
            make(models, [whole, path], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_raster_larger_than_the_disk_is_refused(
    models: list[TrainedModel], tmp_path: Path
) -> None:
    path = tmp_path / "huge.tif"
    profile = {"width": 2_000_000, "height": 2_000_000, "count": 3, "dtype": "uint8"}
    with rasterio.open(
        path, "w", driver="GTiff", sparse_ok=True, bigtiff="yes", tiled=True,
        blockxsize=16384, blockysize=16384, crs="EPSG:32648", transform=NORTH_UP, **profile,
    ):  # fmt: skip
        pass
    with pytest.raises(StoreError, match=r"need up to 16\.0 TB"):
        make(models, [path], tmp_path / "out")


def test_damage_that_shows_late_stops_no_other_scene(
    models: list[TrainedModel], tmp_path: Path
) -> None:
    good = write_raster(tmp_path / "good.tif", landscape(64, 64))
    bad = write_raster(tmp_path / "bad.tif", landscape(300, 300), compress="deflate")
    content = bytearray(bad.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 20_000] = b"\xff" * 20_000
    bad.write_bytes(content)
    first, second = make(models, [bad, good], tmp_path / "out")
    assert first.problem is not None
    assert "bad.tif cannot be read" in first.problem
    assert second.problem is None
    assert (tmp_path / "out" / "good.json").exists()


def test_what_others_have_made_is_never_overwritten(
    models: list[TrainedModel], tmp_path: Path
) -> None:
    path = write_raster(tmp_path / "a.tif", landscape(64, 64))
    make(models, [path], tmp_path / "out")
    with pytest.raises(BadInput, match="other options; name another folder"):
        make(models, [path], tmp_path / "out", MapSettings(overlap_percent=10))
    with pytest.raises(BadInput, match="by another model"):
        make(models[:1], [path], tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a-mask.tif").write_text("mine")
    with pytest.raises(BadInput, match=r"a-mask\.tif exists"):
        make(models, [path], tmp_path / "mine")
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="is a file"):
        make(models, [path], tmp_path / "file")
    assert (tmp_path / "mine" / "a-mask.tif").read_text() == "mine"
    assert json.loads((tmp_path / "out" / "a.json").read_text())["job"]["overlap_percent"] == 25


def test_values_out_of_range_are_refused(models: list[TrainedModel], tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", landscape(64, 64))
    for settings in (
        MapSettings(resolution_m=0),
        MapSettings(resolution_m=float("nan")),
        MapSettings(overlap_percent=46),
        MapSettings(min_area=-1),
        MapSettings(simplify_px=float("inf")),
    ):
        with pytest.raises(BadInput, match="out of range"):
            make(models, [path], tmp_path / "out", settings)
