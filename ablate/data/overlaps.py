"""Images that were cut from one scene and overlap in part.

Two images at the same ground resolution are laid over each other where their phase correlation
peaks, and compared by the correlation of their grey values there. Of the 296,065 pairs of the
Bijie data set it names 80, each of two images of one region with numbers next or nearly next to
each other, and no other pair.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from scipy import fft

from ablate.data.images import Image

# The median image is reduced to this side, every other one by the same factor.
_SIDE_PX = 56
# Of a larger image only this corner is compared, on a canvas that leaves room for shifts.
_CORNER_PX, _CANVAS_PX = 72, 96
_LEAST_SIDE_PX = 8
_KEPT_SIDE_PX = 256
_BATCH = 64
# Spatial frequencies that are compared, in cycles per pixel: neither brightness nor noise.
_LOWEST, _HIGHEST = 0.01, 0.3
# A peak of the phase correlation in standard deviations; correlation and share of the overlap.
_MIN_PEAK, _MIN_CORRELATION, _MIN_OVERLAP = 8.0, 0.9, 0.3
# Below this standard deviation (of 255) there is nothing to compare.
_FLAT = 2.0

_Grey = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Thumbnail:
    """A grey image, reduced.

    Attributes:
        grey: Shape hxw, uint8.
        longest_px: The longer side of the image itself.
    """

    grey: npt.NDArray[np.uint8]
    longest_px: int


def thumbnail(image: Image) -> Thumbnail:
    """The thumbnail of an image of shape HxWx3."""
    grey = Pillow.fromarray(image).convert("L")
    grey.thumbnail((_KEPT_SIDE_PX, _KEPT_SIDE_PX), Pillow.Resampling.BILINEAR)
    return Thumbnail(np.asarray(grey), max(image.shape[:2]))


def overlapping_pairs(thumbnails: Mapping[int, Thumbnail]) -> list[tuple[int, int]]:
    """Pairs of images that show the same ground in 30 % of the smaller one or more.

    Turned or mirrored images are not found, nor what lies far from the upper left corner of images
    that are much larger than the others. The time grows with the square of the number of images:
    about half a minute for 800.

    Args:
        thumbnails: By position in the data set.
    """
    if len(thumbnails) < 2:
        return []
    median_px = float(np.median([each.longest_px for each in thumbnails.values()]))
    greys = {
        index: grey
        for index, each in thumbnails.items()
        if min((grey := _at_scale(each, median_px)).shape) >= _LEAST_SIDE_PX
    }
    positions = list(greys)
    pairs = []
    for first, second, shift in _shifts(list(greys.values())):
        one, other = positions[first], positions[second]
        if _is_same_ground(greys[one], greys[other], shift):
            pairs.append((one, other))
    return pairs


def _at_scale(thumbnail: Thumbnail, median_px: float) -> _Grey:
    """The image's corner at the common scale."""
    height, width = thumbnail.grey.shape
    factor = thumbnail.longest_px / max(height, width) * _SIDE_PX / median_px
    size = max(1, round(width * factor)), max(1, round(height * factor))
    resized = Pillow.fromarray(thumbnail.grey).resize(size, Pillow.Resampling.BILINEAR)
    return np.asarray(resized, np.float32)[:_CORNER_PX, :_CORNER_PX]


def _shifts(greys: list[_Grey]) -> Iterator[tuple[int, int, tuple[int, int]]]:
    """For each pair of positions in the list, how far (down, right) the first lies in the second.

    A point (y, x) of the first is the point (y + down, x + right) of the second.
    """
    size = (_CANVAS_PX, _CANVAS_PX)
    spectra = np.stack([_phases(grey) for grey in greys]) if greys else np.empty((0, 0, 0))
    for first in range(len(greys) - 1):
        for start in range(first + 1, len(greys), _BATCH):
            products = spectra[start : start + _BATCH] * np.conj(spectra[first])
            correlation = fft.irfft2(products, s=size).reshape(len(products), -1)
            peaks = correlation.argmax(axis=1)
            heights = np.take_along_axis(correlation, peaks[:, None], axis=1)[:, 0]
            is_sharp = heights > _MIN_PEAK * correlation.std(axis=1)
            for offset in np.flatnonzero(is_sharp).tolist():
                peak = int(peaks[offset])
                shift = [
                    each - _CANVAS_PX * (each > _CANVAS_PX // 2)
                    for each in divmod(peak, _CANVAS_PX)
                ]
                yield first, start + offset, (shift[0], shift[1])


def _phases(grey: _Grey) -> npt.NDArray[np.complex64]:
    """The phases of an image's spectrum, without what is outside of the compared frequencies."""
    height, width = grey.shape
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1]) ** 0.5
    canvas = np.zeros((_CANVAS_PX, _CANVAS_PX), np.float32)
    canvas[:height, :width] = (grey - grey.mean()) * window
    spectrum = fft.rfft2(canvas)
    frequency = np.hypot(fft.fftfreq(_CANVAS_PX)[:, None], fft.rfftfreq(_CANVAS_PX)[None])
    kept = (frequency > _LOWEST) & (frequency < _HIGHEST)
    return np.asarray(kept * spectrum / (np.abs(spectrum) + 1e-3), np.complex64)


def _is_same_ground(one: _Grey, other: _Grey, shift: tuple[int, int]) -> bool:
    """Whether two images agree where they overlap after a shift."""
    tops = [max(0, -each) for each in shift]
    ends = [
        min(length, beside - each)
        for length, beside, each in zip(one.shape, other.shape, shift, strict=True)
    ]
    height, width = (end - top for top, end in zip(tops, ends, strict=True))
    if min(height, width) < _LEAST_SIDE_PX:
        return False
    if height * width < _MIN_OVERLAP * min(one.size, other.size):
        return False
    (top, left), (down, right) = tops, shift
    first = one[top : top + height, left : left + width].ravel()
    second = other[top + down : top + down + height, left + right : left + right + width].ravel()
    if min(first.std(), second.std()) < _FLAT:
        return False
    return float(np.corrcoef(first, second)[0, 1]) > _MIN_CORRELATION
