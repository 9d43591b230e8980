"""Strips put together: Cloud-Optimised GeoTIFF of the mask and the probability."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from scipy import ndimage

from ablate.data.images import Image
from ablate.data.scaling import Ranges
from ablate.predict.scene import Scene, bounded_gdal, opened, rasterio_or_refuse, read_window
from ablate.predict.strips import LEVELS, NO_DATA, Strip
from ablate.runs import atomic
from ablate.spec import Data

_BLOCK_PX = 512
# Orange, which colour-blind people see on vegetation and soil.
_LINE = (255, 120, 0)


def write_maps(
    scene: Scene, strips: Iterable[Strip], folder: Path, targets: Sequence[Path], label: str
) -> None:
    """Writes the mask and the probability, each whole or not at all.

    The mask is 1 where the class is positive, 0 elsewhere. The probability is stored in steps of
    1/250, with the scale in the file, so that a GIS shows 0 to 1; of several models a second band
    holds the standard deviation over them. 255 is no data in both.

    Args:
        scene: The grid.
        strips: In order, from the first on.
        folder: Where to write what is not finished.
        targets: The files of the mask and of the probability.
        label: The name of the positive class.
    """
    rasterio = rasterio_or_refuse()
    import rasterio.shutil as files
    from affine import Affine

    mask_target, probability_target = targets
    mask_part, probability_part = folder / "mask.tif", folder / "probability.tif"
    with bounded_gdal():
        rest = _Blocks(strips)
        first = rest.peek()
        profile: dict[str, Any] = {
            "driver": "GTiff",
            "width": scene.width,
            "height": scene.height,
            "dtype": "uint8",
            "nodata": NO_DATA,
            "tiled": True,
            "blockxsize": _BLOCK_PX,
            "blockysize": _BLOCK_PX,
            "compress": "deflate",
            "zlevel": 1,
            "bigtiff": "if_safer",
            "transform": Affine(*scene.transform),
            "crs": scene.crs,
        }
        bands = first.shape[0] - 1
        with (
            rasterio.open(mask_part, "w", count=1, **profile) as mask,
            rasterio.open(probability_part, "w", count=bands, **profile) as probability,
        ):
            mask.set_band_description(1, label)
            probability.scales = (1 / LEVELS,) * bands
            for band, name in enumerate((f"probability of {label}", "disagreement")[:bands], 1):
                probability.set_band_description(band, name)
            row = 0
            for block in rest:
                window = ((row, row + block.shape[1]), (0, scene.width))
                mask.write(block[0], 1, window=window)
                probability.write(block[1:], window=window)
                row += block.shape[1]
        for part, target, overviews in (
            (mask_part, mask_target, "nearest"),
            (probability_part, probability_target, "average"),
        ):
            finished = part.with_suffix(".cog")
            files.copy(
                part,
                finished,
                driver="COG",
                compress="deflate",
                blocksize=_BLOCK_PX,
                overview_resampling=overviews,
                bigtiff="if_safer",
            )
            atomic.sync_file(finished)
            atomic.rename(finished, target)
            part.unlink()


class _Blocks:
    """Strips cut anew into blocks of whole tiles, so that each tile is compressed once."""

    def __init__(self, strips: Iterable[Strip]) -> None:
        self._strips = iter(strips)
        self._held = next(self._strips)

    def peek(self) -> Strip:
        """The first strip."""
        return self._held

    def __iter__(self) -> Iterator[Strip]:
        for strip in self._strips:
            self._held = np.concatenate([self._held, strip], axis=1)
            while self._held.shape[1] >= _BLOCK_PX:
                yield self._held[:, :_BLOCK_PX]
                self._held = self._held[:, _BLOCK_PX:]
        for start in range(0, self._held.shape[1], _BLOCK_PX):
            yield self._held[:, start : start + _BLOCK_PX]


def quick_look(scene: Scene, data: Data, ranges: Ranges | None, mask: Path, side_px: int) -> bytes:
    """A small PNG of the scene with the mask's outlines.

    Args:
        scene: The scene.
        data: What the model was trained on.
        ranges: The percentiles of the training images, where the data declare any.
        mask: The mask, as ``write_maps`` wrote it.
        side_px: The longer side at most.
    """
    share = min(1.0, side_px / max(scene.width, scene.height))
    width, height = max(1, round(scene.width * share)), max(1, round(scene.height * share))
    small = replace(scene, width=width, height=height)
    with opened(scene.path) as file:
        image, _ = read_window(file, small, data, ranges, (0, 0, width, height))
    with opened(mask) as file:
        found = file.read(1, out_shape=(height, width)) == 1
    return outlined(image, found)


def outlined(image: Image, mask: npt.NDArray[np.bool_]) -> bytes:
    """A PNG of an image (HxWx3) with a line along the inner border of its mask (HxW)."""
    border = mask & ~ndimage.binary_erosion(mask, border_value=1)
    picture = np.where(border[..., None], np.array(_LINE, np.uint8), image)
    return as_png(picture)


def as_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """The PNG of an image, HxWx3 or HxW."""
    content = io.BytesIO()
    Pillow.fromarray(pixels).save(content, "PNG")
    return content.getvalue()
