"""From the numbers of a raster to the 0..255 of an image."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ablate.data.images import Image
from ablate.errors import DataError
from ablate.spec import PercentileScale

Ranges = tuple[tuple[float, float], ...]
"""For red, green and blue: the value that becomes 0, and the one that becomes 255."""

# Percentiles are taken of all pixels up to so many an image and so many in all.
_PIXELS_OF_IMAGE = 2**16
_PIXELS = 2**24


def scaled(values: npt.NDArray[Any], is_data: npt.NDArray[np.bool_], ranges: Ranges) -> Image:
    """Rounds to 0..255 between the ends of each band's range and clips beyond.

    Args:
        values: Shape HxWx3.
        is_data: Shape HxW; what is no data becomes black.
        ranges: One for each band.
    """
    low, high = np.array(ranges, dtype=np.float64).T
    shares = (values.astype(np.float64) - low) / (high - low)
    image: Image = np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)
    image[~is_data] = 0
    return image


def percentile_ranges(
    scale: PercentileScale,
    images: Iterable[tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]],
    count: int,
) -> Ranges:
    """The two percentiles of each band over images, which are looked at one after the other.

    Args:
        scale: Which percentiles.
        images: Values, HxWx3, and where they are data, HxW.
        count: How many images there are; of each, evenly picked pixels are taken.

    Raises:
        DataError: If a band has one value alone between the percentiles.
    """
    picked = np.concatenate(list(_picked(images, min(_PIXELS_OF_IMAGE, _PIXELS // count or 1))))
    if not len(picked):
        raise DataError("no pixel of the training images is data", "check the images")
    low, high = np.percentile(picked, (scale.low, scale.high), axis=0)
    if constant := [str(band) for band in range(3) if low[band] == high[band]]:
        raise DataError(
            f"the {scale.low:g}th and the {scale.high:g}th percentile of the training images are "
            f"both {low[int(constant[0])]:g} in the declared band number {constant[0]}",
            "declare other percentiles, or scale: {kind: linear, low: …, high: …}",
        )
    return tuple((float(a), float(b)) for a, b in zip(low, high, strict=True))


def _picked(
    images: Iterable[tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]], limit: int
) -> Iterator[npt.NDArray[np.float32]]:
    for values, is_data in images:
        pixels = values[is_data]
        step = -(-len(pixels) // limit) or 1
        yield pixels[::step].astype(np.float32)
