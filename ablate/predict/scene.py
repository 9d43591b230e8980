"""Rasters that are read by windows, as the training images were read."""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ablate.data.arrays import as_image, bands_for
from ablate.data.images import Image
from ablate.data.rasters import is_tiff
from ablate.data.scaling import Ranges
from ablate.errors import BadInput, DataError
from ablate.predict.trained import is_declared
from ablate.runs import shown
from ablate.spec import Data

# Photographs have no coordinates; their masks are images too.
PHOTOGRAPHS = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp"})
RASTERS = frozenset({".tif", ".tiff", ".jp2", ".vrt", ".img"})
METRES_PER_DEGREE = 111_320.0
"""Of latitude, on a sphere."""
# GDAL keeps blocks that it has read in up to so much memory; its own default is 5 % of all memory.
_CACHE_BYTES = 2**27


@dataclass(frozen=True)
class Scene:
    """A raster and the grid that its maps are made on.

    Attributes:
        path: The file.
        width: Of the grid, in pixels.
        height: Of the grid.
        native: Width and height of the raster; other numbers than the grid's where it is resampled.
        bands: What becomes red, green and blue, counted from 0.
        transform: From the grid's columns and rows to coordinates, as rasterio's six numbers.
        crs: The coordinate system as WKT; None: there is none.
        ground_m: Metres that a pixel of the grid is wide and high; None: not known.
    """

    path: Path
    width: int
    height: int
    native: tuple[int, int]
    bands: tuple[int, int, int]
    transform: tuple[float, float, float, float, float, float]
    crs: str | None
    ground_m: tuple[float, float] | None

    @property
    def pixels(self) -> int:
        """Pixels of the grid."""
        return self.width * self.height


def rasterio_or_refuse() -> Any:
    """The package rasterio.

    Raises:
        BadInput: If it is not installed.
    """
    try:
        import rasterio
    except ImportError as error:
        raise BadInput(
            "rasters are read by rasterio, which is not installed", "pip install 'ablate[geo]'"
        ) from error
    return rasterio


@contextmanager
def bounded_gdal() -> Iterator[None]:
    """GDAL with a cache of bounded size, and without warnings of rasters without coordinates."""
    rasterio = rasterio_or_refuse()
    with warnings.catch_warnings(), rasterio.Env(GDAL_CACHEMAX=_CACHE_BYTES):
        # It is said elsewhere, once.
        warnings.simplefilter("ignore")
        yield


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The raster, open; errors of reading it become one line.

    Raises:
        DataError: If it cannot be read.
    """
    rasterio = rasterio_or_refuse()
    with bounded_gdal():
        try:
            with rasterio.open(path.absolute()) as file:
                yield file
        except rasterio.errors.RasterioError as error:
            why = " ".join(str(error.__cause__ or error).split())
            raise DataError(f"{shown(path)} cannot be read ({why})", "replace the file") from error


def inspect(path: Path, data: Data, resolution_m: float | None) -> Scene:
    """Looks at a raster's header and at where its pixels lie in the file; reads no pixel.

    Args:
        path: The file.
        data: What the model was trained on.
        resolution_m: The ground resolution to resample to, in metres; None: its own.

    Raises:
        DataError: If it cannot be read, is cut short, or is not of the training images' kind.
        BadInput: If it is to be resampled and its ground resolution is not known.
    """
    with opened(path) as file:
        colours = _without_alpha(file)
        dtype = file.dtypes[0]
        if not is_declared(data) and "palette" in (each.name for each in file.colorinterp):
            raise DataError(
                f"{shown(path)} has a palette, whose numbers are no colours",
                "expand it: gdal_translate -expand rgb",
            )
        bands = bands_for(data, colours, dtype, shown(path))
        native, affine = (file.width, file.height), file.transform
        crs = file.crs.to_wkt() if file.crs else None
        ground = ground_of(file)
    _check_whole(path)
    width, height = native
    if resolution_m is not None:
        if ground is None:
            raise BadInput(
                f"the ground resolution of {shown(path)} is not known, so that it cannot be "
                f"resampled to {resolution_m:g} m",
                "give it a coordinate system, or omit --resolution",
            )
        width = max(1, round(width * ground[0] / resolution_m))
        height = max(1, round(height * ground[1] / resolution_m))
        ground = (ground[0] * native[0] / width, ground[1] * native[1] / height)
    # A pixel of the grid is so many of the raster.
    fx, fy = native[0] / width, native[1] / height
    transform = (affine.a * fx, affine.b * fy, affine.c, affine.d * fx, affine.e * fy, affine.f)
    return Scene(path, width, height, native, bands, transform, crs, ground)


def read_window(
    file: Any, scene: Scene, data: Data, ranges: Ranges | None, box: tuple[int, int, int, int]
) -> tuple[Image, npt.NDArray[np.bool_]]:
    """A part of the scene as training would have read it.

    Args:
        file: The open raster.
        scene: Its grid.
        data: What the model was trained on.
        ranges: The percentiles of the training images, where the data declare any.
        box: First column and row, width and height, on the grid and within it.

    Returns:
        The image, HxWx3, and where it is data, HxW.
    """
    rasterio = rasterio_or_refuse()
    from rasterio.windows import Window

    column, row, width, height = box
    fx, fy = scene.native[0] / scene.width, scene.native[1] / scene.height
    window = Window(column * fx, row * fy, width * fx, height * fy)
    indexes = [band + 1 for band in scene.bands]
    kinds = rasterio.enums.Resampling
    kind = kinds.nearest
    if scene.native != (scene.width, scene.height):
        kind = kinds.average if fx * fy > 1 else kinds.bilinear
    unique = sorted(set(indexes))
    values = file.read(
        unique, window=window, out_shape=(len(unique), height, width), resampling=kind
    )
    masks = file.read_masks(unique, window=window, out_shape=(len(unique), height, width))
    is_data = masks.any(axis=0)
    chosen = np.stack([values[unique.index(each)] for each in indexes], axis=2)
    if chosen.dtype.kind == "f":
        is_data &= np.isfinite(chosen).all(axis=2)
    return as_image(chosen, is_data, data, ranges), is_data


def expand_inputs(paths: Sequence[Path], out: Path) -> list[Path]:
    """The files that are given, and those in folders that are given.

    Args:
        paths: Files and folders.
        out: The folder of the maps.

    Raises:
        BadInput: If there is none, one is missing, two would give maps of one name, or maps would
            be taken for scenes by the next start.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir() and path.resolve() == out.resolve():
            raise BadInput(
                f"the maps would lie among the scenes of {shown(path)}", "name another --out"
            )
        if path.is_dir():
            inside = sorted(
                each
                for each in path.iterdir()
                if each.suffix.lower() in PHOTOGRAPHS | RASTERS and not each.name.startswith(".")
            )
            if not inside:
                raise BadInput(f"{shown(path)} holds no image", "give the folder of the images")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise BadInput(f"there is no file {shown(path)}", "correct the path")
    if not found:
        raise BadInput("no scene is given", "give at least one, such as SCENE.tif")
    names: dict[str, Path] = {}
    for path in found:
        name = path.stem.casefold()
        if name in names:
            raise BadInput(
                f"{shown(names[name])} and {shown(path)} would give maps of one name",
                "rename one, or give them one by one, with another --out",
            )
        names[name] = path
    return found


def ground_of(file: Any) -> tuple[float, float] | None:
    """Metres that a pixel of an open raster is wide and high, in its middle; None: not known."""
    if not file.crs or file.transform.is_identity:
        return None
    across = math.hypot(file.transform.a, file.transform.d)
    down = math.hypot(file.transform.b, file.transform.e)
    if file.crs.is_geographic:
        latitude = (file.bounds.bottom + file.bounds.top) / 2
        # Of a sphere, which is near enough to tell 1 m from 10 m.
        parallel = METRES_PER_DEGREE * max(math.cos(math.radians(latitude)), 1e-6)
        return across * parallel, down * METRES_PER_DEGREE
    if not file.crs.is_projected:
        return None
    factor = float(file.crs.linear_units_factor[1])
    return across * factor, down * factor


def _without_alpha(file: Any) -> int:
    """How many bands there are besides transparency."""
    kinds = [each.name for each in file.colorinterp]
    return len(kinds) - kinds.count("alpha")


def _check_whole(path: Path) -> None:
    """Refuses a TIFF whose pixels lie beyond its end: it was cut short.

    Raises:
        DataError: If it was.
    """
    if not is_tiff(path):
        return
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            ends = np.add(page.dataoffsets, page.databytecounts, dtype=np.int64)
    except Exception:
        # tifffile raises errors of many kinds. GDAL, which reads more, has opened this file.
        return
    size = path.stat().st_size
    if ends.size and int(ends.max()) > size:
        raise DataError(
            f"{shown(path)} is cut short: it has {size:,} of {int(ends.max()):,} bytes",
            "copy or download it again",
        )
