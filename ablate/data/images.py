"""What every data set looks like from outside."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


class Images(Protocol):
    """An ordered set of images with their masks.

    Attributes:
        label: How tables and watermarks call the data.
        names: One name for each image, in the order of the authors' sorted file names.
    """

    label: str
    names: tuple[str, ...]

    def load(self, index: int) -> tuple[Image, Mask]:
        """The image with shape HxWx3 (RGB) and the mask with shape HxW (True: positive).

        Raises:
            DataError: If either is broken, or of a kind that would be misread.
        """
        ...

    def digest(self) -> str:
        """SHA-256 (64 hex digits) over everything that ``load`` can give.

        Raises:
            BadInput: If a file cannot be read.
        """
        ...
