"""Which images train and which validate."""

import math

import numpy as np

from ablate.data.images import Images
from ablate.errors import DataError
from ablate.spec import DataIdentity, Split


def split(count: int, split: Split) -> tuple[list[int], list[int]]:
    """The holdout split: the first floor(share·count) shuffled indices validate, or one more.

    NumPy's legacy generator shuffles: its stream is promised never to change. The order follows
    the paper's released code (JunchuanYu/TransLandSeg on GitHub).

    Args:
        count: Number of images.
        split: Seed, share and rounding.

    Returns:
        The training and the validation indices, both in shuffled order.

    Raises:
        DataError: If either part would be empty.
    """
    shuffled = np.arange(count)
    np.random.RandomState(split.seed).shuffle(shuffled)
    validation = math.floor(split.validation_share * count) + (split.rounding == "floor-plus-one")
    if not 0 < validation < count:
        missing = "train" if validation else "validate"
        raise DataError(
            f"of {count} images, validation_share {split.validation_share} leaves none to "
            f"{missing} on",
            "add images or change split.validation_share",
        )
    return shuffled[validation:].tolist(), shuffled[:validation].tolist()


def identify(images: Images, split_: Split) -> DataIdentity:
    """The part of a run's identity that is its data.

    Raises:
        DataError: If a file cannot be read or a side of the split would be empty.
    """
    train, validation = split(len(images.names), split_)
    return DataIdentity(
        label=images.label, digest=images.digest(), train=len(train), validation=len(validation)
    )
