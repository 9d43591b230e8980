"""Arrays of pixels from anywhere, made into the image that training would have read."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ablate.data.images import Image
from ablate.data.reading import declares_bands
from ablate.data.scaling import Ranges, scaled
from ablate.errors import DataError
from ablate.spec import CocoData, Data, FoldersData, Landslide4SenseData, LinearScale


def bands_for(data: Data, count: int, dtype: str, what: str) -> tuple[int, int, int]:
    """The bands that become red, green and blue, counted from 0, as in the training images.

    Args:
        data: What the model was trained on.
        count: How many bands there are, transparency not counted.
        dtype: NumPy's name of the type of their numbers.
        what: What messages call the image.

    Raises:
        DataError: If it is not clear which bands are meant, or how values become 0 to 255.
    """
    bands: tuple[int, int, int] | None = None
    needs_bytes = True
    if isinstance(data, Landslide4SenseData):
        bands, needs_bytes = data.channels, False
    elif isinstance(data, FoldersData | CocoData) and declares_bands(data):
        bands, needs_bytes = data.bands, data.scale is None
    described = f"{what} has {count} band{'' if count == 1 else 's'} of {dtype}"
    if np.dtype(dtype).kind not in "fiub" or (needs_bytes and dtype not in ("uint8", "bool")):
        raise DataError(
            f"{described}; the model was trained on images of 8 bits",
            "convert it to 8 bits, as the training images were",
        )
    if bands is None:
        if count not in (1, 3):
            raise DataError(
                f"{described}; the model was trained on RGB or grey images",
                "keep the bands red, green and blue, in this order",
            )
        bands = (0, 0, 0) if count == 1 else (0, 1, 2)
    if max(bands) >= count:
        raise DataError(
            f"{described}, counted from 0; the model was trained on band {max(bands)}",
            "give an image with the bands of the training images",
        )
    return bands


def as_image(
    values: npt.NDArray[Any], is_data: npt.NDArray[np.bool_], data: Data, ranges: Ranges | None
) -> Image:
    """Scales the chosen bands as the training images were; what is no data becomes black.

    Args:
        values: The bands that ``bands_for`` names, HxWx3.
        is_data: Shape HxW.
        data: What the model was trained on.
        ranges: The percentiles of the training images, where the data declare any.

    Returns:
        Shape HxWx3, RGB.
    """
    if values.dtype.kind == "f":
        is_data = is_data & np.isfinite(values).all(axis=2)
        values = np.nan_to_num(values)
    if isinstance(data, Landslide4SenseData):
        image: Image = np.clip(values * data.scale, 0, 255).astype(np.uint8)
    elif isinstance(data, FoldersData | CocoData) and data.scale is not None:
        if isinstance(data.scale, LinearScale):
            ranges = ((data.scale.low, data.scale.high),) * 3
        assert ranges is not None
        return scaled(values, is_data, ranges)
    else:
        image = values.astype(np.uint8) * (255 if values.dtype == np.bool_ else 1)
    return np.where(is_data[..., None], image, np.uint8(0))
