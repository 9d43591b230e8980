"""Images in files whose values a reader scales."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path

from ablate.data.reader import ImageReader
from ablate.data.scaling import Ranges


class ScaledImages(ABC):
    """What image files have in common, wherever their masks come from.

    Args:
        label: How tables call the data.
        reader: Reads the files, and scales what it reads.
    """

    def __init__(self, label: str, reader: ImageReader) -> None:
        """Touches nothing."""
        self.label = label
        self._reader = reader
        # Percentiles are part of it.
        self._digest: str | None = None

    @abstractmethod
    def image_path(self, index: int) -> Path:
        """The file of an image."""

    def fit(self, train: Iterable[int]) -> None:
        """Takes the percentiles that scale the images over the training images, if declared.

        Args:
            train: Their indices; their order does not matter.

        Raises:
            DataError: If an image is broken, or if a band has no range.
        """
        self._reader.fit([self.image_path(index) for index in sorted(train)])
        self._digest = None

    def scale_by(self, ranges: Ranges) -> None:
        """Takes the percentiles of another data set's training images, if any are declared."""
        self._reader.scale_by(ranges)
        self._digest = None

    @property
    def fitted_ranges(self) -> Ranges | None:
        """The percentiles that scale the images; None: none are declared, or not known yet."""
        return self._reader.fitted_ranges
