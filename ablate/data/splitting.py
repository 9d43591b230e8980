"""Which images train and which validate."""

import math

import numpy as np

from ablate.data.images import Images
from ablate.errors import DataError
from ablate.spec import DataIdentity, Split

_SEED_LIMIT = 2**32  # of NumPy's legacy generator


def split(count: int, split: Split) -> tuple[list[int], list[int]]:
    """The authors' split: the first floor(share·count) + 1 of the shuffled indices validate.

    NumPy's legacy generator shuffles: its stream is promised never to change. The order follows
    the paper's released code (JunchuanYu/TransLandSeg on GitHub).

    Args:
        count: Number of images.
        split: Seed and share.

    Returns:
        The training and the validation indices, both in shuffled order.

    Raises:
        DataError: If either side would be empty, or if the seed is too large.
    """
    if split.seed >= _SEED_LIMIT:
        raise DataError(f"split.seed is {split.seed}", f"give one below {_SEED_LIMIT}")
    shuffled = np.arange(count)
    np.random.RandomState(split.seed).shuffle(shuffled)
    validation = math.floor(split.validation_share * count) + 1
    if validation >= count:
        raise DataError(
            f"of {count} images, validation_share {split.validation_share} leaves none to train on",
            "add images or lower split.validation_share",
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
