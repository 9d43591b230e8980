"""Reading one image file; what would silently become something else is refused."""

import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml
from PIL import Image as Pillow
from PIL import ImageMode, ImageOps
from PIL.ImageFile import ImageFile

from ablate.data.images import Image
from ablate.data.rasters import check_upright, is_tiff, read_tiff, tiff_header
from ablate.errors import DataError
from ablate.spec import CocoData, FoldersData

# Raster formats alone: Pillow would start other programs for some of the others (EPS).
SUFFIXES = frozenset(
    {".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff"}
    | {".webp"}
)
_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
# What converts to RGB without a choice.
_PLAIN_MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX")
# Read as the colours that they show.
_SHOWN_MODES = ("1", "P", "PA")
_PERCENTILES = {"kind": "percentiles", "low": 2, "high": 98}

Declared = FoldersData | CocoData
"""Data sets that can declare bands and a scale."""


def check_image_header(path: Path, data: Declared | None = None) -> tuple[int, int]:
    """Refuses what the file's header alone tells, and decodes no pixel.

    Args:
        path: The file.
        data: What is declared about the data set, or can be; None: nothing can be.

    Returns:
        Height and width as they are stored, before an EXIF orientation.

    Raises:
        DataError: As ``read_image`` and ``read_bands`` do, as far as the header tells.
    """
    if is_tiff(path):
        header = tiff_header(path)
        if data is not None and declares_bands(data):
            check_upright(path, header)
            _chosen_bands(path, header.bands, header.dtype, header.has_alpha, data)
        elif not header.is_plain:
            raise _undeclared(path, header.dtype, header.bands, data)
        return header.height, header.width
    with opened(path) as image:
        if data is not None and declares_bands(data):
            mode = "RGB" if image.mode in _SHOWN_MODES else image.mode
            bands = ImageMode.getmode(mode).bands
            _chosen_bands(path, len(bands), _dtype(mode), "A" in bands, data)
        else:
            _check_plain(path, image.mode, data)
        return image.height, image.width


def declares_bands(data: Declared) -> bool:
    """Whether images are read band by band, as ``read_bands`` does."""
    return data.bands is not None or data.scale is not None


def read_image(path: Path, data: Declared | None = None) -> Image:
    """Reads an image of 8 bits a channel; grey and palette become RGB, alpha is dropped.

    It is turned as its EXIF orientation says, as viewers and annotation tools show it.

    Args:
        path: The file.
        data: What can be declared about the data set; None: nothing.

    Returns:
        Shape HxWx3, RGB.

    Raises:
        DataError: If it is unreadable, too large, or not of 8-bit grey, RGB or palette.
    """
    if is_tiff(path):
        header = tiff_header(path)
        if not header.is_plain:
            raise _undeclared(path, header.dtype, header.bands, data)
    image = decode(path)
    _check_plain(path, image.mode, data)
    return np.array(image.convert("RGB"))


def read_bands(path: Path, data: Declared) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Reads the three bands that the data set declares, as they are stored.

    Returns:
        The values, HxWx3, and where they are data, HxW.

    Raises:
        DataError: If it is unreadable, if the declaration does not fit, or if values are not
            finite.
    """
    no_data = None
    if is_tiff(path):
        header = tiff_header(path)
        values, has_alpha, no_data = read_tiff(path, header), header.has_alpha, header.no_data
    else:
        image = decode(path)
        if image.mode in _SHOWN_MODES:
            values, has_alpha = np.asarray(image.convert("RGB")), False
        else:
            values = np.asarray(image)
            values = values.reshape(*values.shape[:2], -1)
            has_alpha = "A" in image.getbands()
    bands = _chosen_bands(path, values.shape[2], values.dtype.name, has_alpha, data)
    chosen = values[..., list(bands)]
    if not np.isfinite(chosen).all():
        raise DataError(
            f"{path} holds NaN or infinite values in the bands {', '.join(map(str, bands))}",
            "replace them, or the file",
        )
    is_data = np.ones(chosen.shape[:2], dtype=np.bool_)
    if no_data is not None:
        is_data = ~(chosen == no_data).all(axis=2)
    return chosen, is_data


def declaration(data: Declared | None, **fields: object) -> str:
    """What a protocol's ``data`` is to be, in one line of YAML."""
    known = {"kind": "folders", "images": "IMAGES", "masks": "MASKS"}
    if data is not None:
        known = data.model_dump(mode="json", exclude_defaults=True)
    text = yaml.safe_dump(known | fields, default_flow_style=True, sort_keys=False, width=10**6)
    return f"data: {text.strip()}"


def decode(path: Path) -> ImageFile:
    """Decodes the whole file once its header has passed, and turns it upright.

    Raises:
        DataError: If it is unreadable, too large, of several pages, or of colours of 16 bits.
    """
    with opened(path) as image:
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
    # Of no use here, and Pillow warns about it when it converts palettes.
    image.info.pop("transparency", None)
    return image


@contextmanager
def opened(path: Path) -> Iterator[ImageFile]:
    """The file once its header has passed; what is raised while it is open becomes one line.

    Raises:
        DataError: If it is unreadable, too large, of several pages, or of colours of 16 bits.
    """
    # Decoders raise errors of many kinds on broken files, hence the wide net. Their warnings
    # about odd metadata do not matter here, except for the one about size, which Pillow gives
    # from the header alone.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Pillow.DecompressionBombWarning)
        try:
            # To open a pipe would be to wait for a writer.
            if not stat.S_ISREG(path.stat().st_mode):
                raise DataError(f"{path} is not a regular file", "replace or remove it")
            with Pillow.open(path, formats=_FORMATS) as image:
                # A JPEG may carry previews; of a TIFF the pages are counted elsewhere.
                frames = 1 if image.format in ("MPO", "TIFF") else getattr(image, "n_frames", 1)
                if frames > 1:
                    raise DataError(f"{path} has {frames} pages", "keep one of them")
                if _has_deep_colours(image):
                    raise DataError(
                        f"{path} has more than 8 bits a channel (mode {image.mode}), which are "
                        "read from TIFF alone",
                        "convert it to 8 bits, or to TIFF",
                    )
                yield image
        except DataError:
            raise
        except (Pillow.DecompressionBombWarning, Pillow.DecompressionBombError) as error:
            raise DataError(
                f"{path} declares more than {Pillow.MAX_IMAGE_PIXELS} pixels",
                "cut it into tiles",
            ) from error
        except Exception as error:
            raise DataError(
                f"{path} cannot be read as an image ({' '.join(str(error).split())})",
                "replace the file",
            ) from error


def _check_plain(path: Path, mode: str, data: Declared | None) -> None:
    """Refuses a Pillow mode that does not convert to RGB without a choice."""
    if mode not in _PLAIN_MODES:
        if mode.startswith(("I", "F")):
            raise _undeclared(path, _dtype(mode), 1, data)
        raise DataError(f"{path} is in the colours {mode}", "convert it to RGB")


def _chosen_bands(
    path: Path, count: int, dtype: str, has_alpha: bool, data: Declared
) -> tuple[int, int, int]:
    """The bands that become red, green and blue."""
    bands = data.bands
    if bands is None:
        colours = count - has_alpha
        if colours not in (1, 3):
            raise _undeclared(path, dtype, count, data)
        bands = (0, 0, 0) if colours == 1 else (0, 1, 2)
    if max(bands) >= count:
        raise DataError(
            f"{path} has {count} bands, counted from 0; the protocol declares band {max(bands)}",
            "correct data.bands",
        )
    if np.dtype(dtype).kind not in "fiub" or (data.scale is None and dtype != "uint8"):
        raise _undeclared(path, dtype, count, data)
    return bands


def _dtype(mode: str) -> str:
    """NumPy's name of the numbers of a Pillow mode."""
    return np.dtype(ImageMode.getmode(mode).typestr).name


def _undeclared(path: Path, dtype: str, bands: int, data: Declared | None) -> DataError:
    """The error of an image that only a declaration makes clear."""
    problem = (
        f"{path} has {bands} band{'' if bands == 1 else 's'} of {dtype}, not 8-bit grey or RGB"
    )
    if data is None:
        return DataError(problem, "convert it to 8-bit grey or RGB")
    fields: dict[str, object] = {}
    if bands != 1:
        fields["bands"] = [0, 1, 2] if bands > 2 else [0, 0, 0]
    if dtype != "uint8":
        fields["scale"] = _PERCENTILES
    return DataError(
        problem,
        "declare in the protocol which bands are red, green and blue and how values become 0 to "
        f"255, such as {declaration(data, **fields)}",
    )


def _has_deep_colours(image: ImageFile) -> bool:
    """Whether the file has several channels of more than 8 bits.

    Pillow reduces them to 8 bits silently; only the decoder's arguments show it.
    """
    grey = image.mode.startswith(("I", "F"))
    return not grey and any(";16" in str(tile[3]) for tile in image.tile)
