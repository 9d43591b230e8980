"""What the scale of Landslide4Sense does to the values of its files."""

from dataclasses import dataclass

import numpy as np

from ablate.data.images import Images
from ablate.data.landslide4sense import Landslide4SenseImages


@dataclass(frozen=True)
class ChannelScale:
    """One channel over all images of a data set.

    Attributes:
        channel: Its number in the file.
        lowest: The lowest value before scaling.
        highest: The highest value before scaling.
        clipped_low: How many values are below 0 and become 0.
        clipped_high: How many values are above 255 once scaled and become 255.
    """

    channel: int
    lowest: float
    highest: float
    clipped_low: int
    clipped_high: int


@dataclass(frozen=True)
class ScaleReport:
    """What a scale does to a data set.

    Attributes:
        scale: The factor that makes a value a brightness of 0 to 255.
        count: How many values each channel has.
        channels: The channels that are shown, in the order red, green, blue.
    """

    scale: float
    count: int
    channels: tuple[ChannelScale, ...]


def scale_report(images: Images) -> ScaleReport | None:
    """Reads every image of Landslide4Sense once; None for any other data.

    Raises:
        DataError: If an image cannot be read or has values that are not finite.
    """
    if not isinstance(images, Landslide4SenseImages):
        return None
    numbers, scale = images.data.channels, images.data.scale
    lowest, highest = np.full(len(numbers), np.inf), np.full(len(numbers), -np.inf)
    low, high = (np.zeros(len(numbers), np.int64) for _ in range(2))
    count = 0
    for index in range(len(images.names)):
        values = images.values(index).reshape(-1, len(numbers))
        lowest = np.minimum(lowest, values.min(axis=0))
        highest = np.maximum(highest, values.max(axis=0))
        low += (values < 0).sum(axis=0)
        high += (values * scale > 255).sum(axis=0)
        count += len(values)
    return ScaleReport(
        scale,
        count,
        tuple(
            ChannelScale(number, float(lowest[at]), float(highest[at]), int(low[at]), int(high[at]))
            for at, number in enumerate(numbers)
        ),
    )
