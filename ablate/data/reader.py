"""Reading the image files of one data set, all in the way that it declares."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ablate.data.images import Image
from ablate.data.reading import (
    Declared,
    check_image_header,
    declares_bands,
    read_bands,
    read_image,
)
from ablate.data.scaling import Ranges, percentile_ranges, scaled
from ablate.errors import DataError
from ablate.spec import LinearScale, PercentileScale


class ImageReader:
    """Reads image files; values are scaled as declared, or by percentiles once these are taken.

    Args:
        label: How tables call the data.
        data: What is declared about the images, or can be; None: nothing can.
    """

    def __init__(self, label: str, data: Declared | None) -> None:
        """Opens no file."""
        self._label = label
        self._data = data
        self._ranges: Ranges | None = None
        if data is not None and isinstance(data.scale, LinearScale):
            self._ranges = ((data.scale.low, data.scale.high),) * 3

    @property
    def fitted_ranges(self) -> Ranges | None:
        """The percentiles that were taken; None: none are declared, or they are not known yet."""
        is_fitted = self._data is not None and isinstance(self._data.scale, PercentileScale)
        return self._ranges if is_fitted else None

    def fit(self, train: Sequence[Path]) -> None:
        """Takes the percentiles that scale the images over training images, if declared.

        Args:
            train: Their files, in an order that depends on nothing else.

        Raises:
            DataError: If an image is broken, or if a band has no range.
        """
        if self._data is not None and isinstance(self._data.scale, PercentileScale):
            images = (self._stored(path) for path in train)
            self._ranges = percentile_ranges(self._data.scale, images, len(train))

    def scale_by(self, ranges: Ranges) -> None:
        """Takes percentiles that are known already, if any are declared."""
        if self._data is not None and isinstance(self._data.scale, PercentileScale):
            self._ranges = ranges

    def read(self, path: Path) -> Image:
        """The image with shape HxWx3 (RGB).

        Raises:
            DataError: If it is broken or of a kind that would be misread, or if percentiles are
                declared and not known.
        """
        if self._data is None or not declares_bands(self._data):
            return read_image(path, self._data)
        values, is_data = self._stored(path)
        if self._data.scale is None:
            return scaled(values, is_data, ((0, 255),) * 3)
        if self._ranges is None:
            raise DataError(
                f"the percentiles that scale {self._label} are not known before its split is",
                "split it first",
            )
        return scaled(values, is_data, self._ranges)

    def size(self, path: Path) -> tuple[int, int]:
        """Height and width of an image that is read as ``read`` does, but needs no percentiles.

        Raises:
            DataError: If it is broken or of a kind that would be misread.
        """
        if self._data is None or not declares_bands(self._data):
            height, width = read_image(path, self._data).shape[:2]
        else:
            height, width = self._stored(path)[1].shape
        return height, width

    def header_size(self, path: Path) -> tuple[int, int]:
        """Height and width as they are stored; refuses what the header alone tells.

        Raises:
            DataError: As ``read`` does, as far as the header tells.
        """
        return check_image_header(path, self._data)

    def identity(self) -> dict[str, Any]:
        """What decides the pixels besides the files; empty where nothing is declared."""
        if self._data is None or not declares_bands(self._data):
            return {}
        declared = self._data.model_dump(
            mode="json", include={"bands", "scale"}, exclude_defaults=True
        )
        return {"ranges": self._ranges, **declared}

    def _stored(self, path: Path) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
        assert self._data is not None
        return read_bands(path, self._data)
