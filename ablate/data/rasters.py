"""TIFF files of any number of bands and any type of number, GeoTIFF among them."""

import itertools
import logging
import lzma
import math
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from ablate.errors import DataError

_LIMIT_BYTES = 2**31
# Pages are read one by one, overviews too; so are strips and tiles.
_MOST_PAGES, _MOST_SEGMENTS = 64, 2**18
# So much may unpack from a strip or a tile unseen. Deflate makes at most 1,032 bytes of one, LZMA
# some thousands.
_UNSEEN_BYTES = 2**26
_MOST_RATIO = 2**13
_REDUCED, _TRANSPARENCY = 1, 4  # of a TIFF page: an overview, a mask of the page before
_NO_DATA_TAG = 42113  # GDAL's
_ORIENTATION_TAG = 274
_ALPHA = (1, 2)  # of a TIFF's extra samples


@dataclass(frozen=True)
class TiffHeader:
    """What a TIFF file declares.

    Attributes:
        width: In pixels.
        height: In pixels.
        dtype: NumPy's name of the type of its numbers.
        bands: How many numbers a pixel has.
        is_plain: Whether it is what any viewer shows: grey, RGB or a palette of 8 bits or fewer,
            perhaps with transparency.
        has_alpha: Whether the last band is transparency.
        no_data: The value that GDAL marks as no data; None: none is marked.
        is_turned: Whether it is to be turned or mirrored before it is shown.
    """

    width: int
    height: int
    dtype: str
    bands: int
    is_plain: bool
    has_alpha: bool
    no_data: float | None
    is_turned: bool


def is_tiff(path: Path) -> bool:
    """Whether a file begins as a TIFF or a BigTIFF does; any file that cannot be read does not."""
    try:
        # To open a pipe would be to wait for a writer.
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
    except OSError:
        return False


def tiff_header(path: Path) -> TiffHeader:
    """Reads no pixel.

    Raises:
        DataError: If it is broken, too large, or has several pages.
    """
    # Its import costs a tenth of a second, and most data sets hold no TIFF.
    import tifffile

    # It also logs what it raises.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    try:
        with tifffile.TiffFile(path) as file:
            found = list(itertools.islice(file.pages, _MOST_PAGES + 1))
            kinds = [int(getattr(page, "subfiletype", 0)) for page in found]
            pages = sum(not kind & (_REDUCED | _TRANSPARENCY) for kind in kinds)
            page = file.pages.first
            segments = math.prod(page.chunked)
            dtype = page.dtype
            if dtype is None:
                raise ValueError("its numbers are of a type that is not known")
            width, height, bands = page.imagewidth, page.imagelength, page.samplesperpixel
            depth, photometric = page.imagedepth, tifffile.PHOTOMETRIC(page.photometric).name
            extra = tuple(int(each) for each in page.extrasamples)
            no_data = _number(page.tags.valueof(_NO_DATA_TAG))
            orientation = page.tags.valueof(_ORIENTATION_TAG, 1)
    # On broken files the library raises errors of many kinds, hence the wide net.
    except Exception as error:
        raise DataError(
            f"{path} cannot be read as an image ({' '.join(str(error).split())})",
            "replace the file",
        ) from error
    if len(kinds) > _MOST_PAGES:
        raise DataError(f"{path} has more than {_MOST_PAGES} pages", "keep one of them")
    if segments > _MOST_SEGMENTS:
        raise DataError(
            f"{path} is stored in {segments} strips or tiles, more than {_MOST_SEGMENTS}",
            "save it with larger ones",
        )
    if pages > 1 or depth > 1:
        raise DataError(f"{path} has {max(pages, depth)} pages", "keep one of them")
    if Pillow.MAX_IMAGE_PIXELS is not None and width * height > Pillow.MAX_IMAGE_PIXELS:
        raise DataError(
            f"{path} declares more than {Pillow.MAX_IMAGE_PIXELS} pixels", "cut it into tiles"
        )
    if width * height * bands * dtype.itemsize > _LIMIT_BYTES:
        raise DataError(f"{path} declares more than {_LIMIT_BYTES} bytes", "cut it into tiles")
    has_alpha = len(extra) == 1 and extra[0] in _ALPHA
    colours = {"MINISBLACK": 1, "MINISWHITE": 1, "PALETTE": 1, "RGB": 3, "YCBCR": 3}
    is_plain = dtype.name in ("uint8", "bool") and colours.get(photometric, 0) == bands - has_alpha
    return TiffHeader(
        width, height, dtype.name, bands, is_plain, has_alpha, no_data, orientation != 1
    )


def check_upright(path: Path, header: TiffHeader) -> None:
    """Refuses what viewers turn or mirror.

    Raises:
        DataError: If it is to be turned.
    """
    if header.is_turned:
        raise DataError(f"{path} is to be turned (TIFF's orientation)", "save it upright")


def read_tiff(path: Path, header: TiffHeader) -> npt.NDArray[Any]:
    """All bands, as they are stored.

    Returns:
        Shape HxWxC.

    Raises:
        DataError: If it is broken, to be turned, or of a compression that needs rasterio where
            that is not installed.
    """
    import tifffile

    check_upright(path, header)
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            _check_unpacked(path, file, page)
            try:
                values = page.asarray()
            except ValueError as error:
                # So it asks for a package of decoders (LZW, JPEG and many others).
                if "imagecodecs" not in str(error):
                    raise
                return _by_rasterio(path, tifffile.COMPRESSION(page.compression).name)
            is_planar = page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and header.bands > 1
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"{path} cannot be read as an image ({' '.join(str(error).split())})",
            "replace the file",
        ) from error
    if is_planar:
        values = np.moveaxis(values, 0, -1)
    return values.reshape(*values.shape[:2], header.bands)


def _check_unpacked(path: Path, file: Any, page: Any) -> None:
    """Refuses strips and tiles that unpack to more than is declared: they are unpacked whole.

    Raises:
        DataError: If there is one.
    """
    import tifffile

    kinds = tifffile.COMPRESSION
    begin: dict[int, Callable[[], Any]] = {
        kinds.ADOBE_DEFLATE: zlib.decompressobj,
        kinds.DEFLATE: zlib.decompressobj,
        kinds.LZMA: lzma.LZMADecompressor,
    }
    if page.compression not in begin:
        return
    declared = math.prod(page.chunks) * page.dtype.itemsize
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        if count * _MOST_RATIO > max(declared, _UNSEEN_BYTES):
            file.filehandle.seek(offset)
            packed = file.filehandle.read(count)
            if len(begin[page.compression]().decompress(packed, declared + 1)) > declared:
                raise DataError(
                    f"a strip or tile of {path} unpacks to more than the {declared} bytes that it "
                    "is declared to have",
                    "replace the file",
                )


def _by_rasterio(path: Path, compression: str) -> npt.NDArray[Any]:
    try:
        import rasterio
    except ImportError as error:
        raise DataError(
            f"{path} is compressed by {compression}, which rasterio reads, which is not installed",
            "pip install 'ablate[geo]'",
        ) from error
    # One driver, and no files beside the file: others would follow references out of the data.
    with warnings.catch_warnings(), rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"):
        # That an image has no coordinates does not matter here.
        warnings.simplefilter("ignore")
        with rasterio.open(path.absolute(), driver="GTiff") as file:
            values: npt.NDArray[Any] = np.moveaxis(file.read(), 0, -1)
    return values


def _number(text: object) -> float | None:
    """GDAL writes the value as a text."""
    try:
        value = float(str(text).strip("\0 "))
    except ValueError:
        return None
    return None if math.isnan(value) else value
