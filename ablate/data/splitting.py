"""Which images train and which validate."""

import math

import numpy as np

from ablate.data.images import Images
from ablate.errors import DataError
from ablate.spec import DataIdentity, HoldoutSplit


def split(count: int, holdout: HoldoutSplit) -> tuple[list[int], list[int]]:
    """The holdout split: the first shuffled indices validate, all others train.

    ``floor``: floor(share·count) of them validate, ``floor-plus-one``: one more. NumPy's legacy
    generator shuffles: its stream is promised never to change. The order follows the paper's
    released code (JunchuanYu/TransLandSeg on GitHub).

    Args:
        count: Number of images.
        holdout: Seed, share and rounding.

    Returns:
        The training and the validation indices, both in shuffled order.

    Raises:
        DataError: If either part would be empty.
    """
    shuffled = np.arange(count)
    np.random.RandomState(holdout.seed).shuffle(shuffled)
    validation = math.floor(holdout.validation_share * count)
    validation += holdout.rounding == "floor-plus-one"
    if not 0 < validation < count:
        missing = "train" if validation else "validate"
        raise DataError(
            f"of {count} images, validation_share {holdout.validation_share} leaves none to "
            f"{missing} on",
            "add images or change split.validation_share",
        )
    return shuffled[validation:].tolist(), shuffled[:validation].tolist()


def identify(images: Images, holdout: HoldoutSplit) -> DataIdentity:
    """The data's part in a run's identity.

    Raises:
        DataError: If a file cannot be read or a side of the split would be empty.
    """
    train, validation = split(len(images.names), holdout)
    return DataIdentity(
        label=images.label, digest=images.digest(), train=len(train), validation=len(validation)
    )
