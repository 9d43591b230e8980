"""Every block of docs/maps.md is run, in the order of the page, at small sizes."""

import re
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from PIL import Image
from rasterio.features import rasterize
from scipy import ndimage

from scripts.document_maps import PAGE, PICTURE, run_page

_SMALL = 'set = ["epochs=1", "data.count=12"]\ntrack = false\nexecutor = "inline"\n'


@pytest.mark.slow
def test_the_page_runs_and_its_polygons_lie_on_the_mask(tmp_path: Path) -> None:
    (tmp_path / "ablate.toml").write_text(_SMALL)
    run_page(tmp_path)
    maps = tmp_path / "maps"
    page = PAGE.read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(scene[^`]*)` \|", page, flags=re.MULTILINE))
    assert listed <= {path.name for path in maps.iterdir()}
    with rasterio.open(maps / "scene-mask.tif") as file:
        mask, place = file.read(1) == 1, file.transform
    _, _, outlines, _ = pyogrio.raw.read(maps / "scene.gpkg")
    shapes = [(shape, 1) for shape in shapely.from_wkb(outlines)]
    drawn = rasterize(shapes, mask.shape, transform=place) == 1
    # 40 pixels of half a metre are the 10 m² of the page; an outline moves by a pixel at most.
    regions, _ = ndimage.label(mask)
    kept = mask & (np.bincount(regions.ravel()) >= 40)[regions]
    assert len(shapes) > 0
    assert not (ndimage.binary_erosion(kept) & ~drawn).any()
    assert not (drawn & ~ndimage.binary_dilation(kept, np.ones((3, 3)))).any()
    assert _orange_pixels(tmp_path / "overlay.png") > 100


def test_the_picture_of_the_page_is_there() -> None:
    assert f"]({PICTURE.relative_to(PAGE.parent)})" in PAGE.read_text(encoding="utf-8")
    assert _orange_pixels(PICTURE) > 1000


def _orange_pixels(path: Path) -> int:
    """How many pixels of a picture of the page's size are of an outline."""
    picture = np.asarray(Image.open(path).convert("RGB"))
    assert picture.shape == (600, 600, 3)
    return int((np.abs(picture.astype(int) - (255, 165, 0)).max(axis=2) < 40).sum())
