"""Parts that are drawn by a seed: holdouts, folds and groups.

NumPy's legacy generator shuffles: its stream is promised never to change. The order follows the
paper's released code (JunchuanYu/TransLandSeg on GitHub).
"""

import math
from collections.abc import Sequence

from ablate.data.split_parts import Parts
from ablate.data.wording import counted
from ablate.errors import DataError
from ablate.spec import GroupsSplit, HeldOutTest, HoldoutSplit, KFoldSplit


def split(count: int, holdout: HoldoutSplit) -> tuple[list[int], list[int]]:
    """The holdout split: the first shuffled indices validate, all others train.

    ``floor``: floor(share·count) of them validate, ``floor-plus-one``: one more.

    Args:
        count: Number of images, without those of the test part.
        holdout: Seed, share and rounding.

    Returns:
        The training and the validation indices, both in shuffled order.

    Raises:
        DataError: If either part would be empty.
    """
    validation = _validation_size(count, holdout)
    shuffled = _shuffled(count, holdout.seed)
    return shuffled[validation:], shuffled[:validation]


def draw(count: int, declared: HoldoutSplit | KFoldSplit) -> Parts:
    """The parts of a data set whose images are drawn one by one.

    Args:
        count: Number of images.
        declared: How they are drawn.

    Raises:
        DataError: If a part would be empty.
    """
    rest, test = _without_test(count, declared.test)
    if isinstance(declared, HoldoutSplit):
        train, validation = split(len(rest), declared)
    else:
        train, validation = _fold(len(rest), declared)
    return Parts([rest[index] for index in train], [rest[index] for index in validation], test)


def drawn_sizes(count: int, declared: HoldoutSplit | KFoldSplit) -> tuple[int, int, int]:
    """How many images each part of ``draw`` has: training, validation and test. Draws nothing.

    Raises:
        DataError: As ``draw``.
    """
    test = _test_size(count, declared.test)
    rest = count - test
    if isinstance(declared, HoldoutSplit):
        validation = _validation_size(rest, declared)
    else:
        _check_folds(rest, declared)
        # The first folds have one more where they cannot all be equally large.
        validation = rest // declared.folds + (declared.fold < rest % declared.folds)
    return rest - validation, validation, test


def draw_groups(groups: Sequence[str], declared: GroupsSplit) -> Parts:
    """The parts of a data set whose groups are drawn as wholes.

    Args:
        groups: The group of each image.
        declared: How they are drawn.

    Raises:
        DataError: If a part would be empty.
    """
    rest, test = list(range(len(groups))), list[int]()
    if declared.test:
        share, seed = declared.test.share, declared.test.seed
        rest, test = divide_groups(groups, rest, share, seed, "test.share")
    train, validation = divide_groups(groups, rest, declared.validation_share, declared.seed)
    return Parts(train, validation, test)


def divide_groups(
    groups: Sequence[str],
    indices: Sequence[int],
    share: float,
    seed: int,
    field: str = "validation_share",
) -> tuple[list[int], list[int]]:
    """Takes whole groups out of some images, each that brings their number nearer to a share.

    Args:
        groups: The group of each image of the data set.
        indices: The images to divide.
        share: The share of these images that is to be taken.
        seed: Seed of the shuffle of the groups.
        field: What messages call the share.

    Returns:
        The images that are left and those that are taken, both in the order of ``indices``.

    Raises:
        DataError: If either would be empty.
    """
    sizes: dict[str, int] = {}
    for index in indices:
        sizes[groups[index]] = sizes.get(groups[index], 0) + 1
    names, wanted = sorted(sizes), share * len(indices)
    taken, count = set[str](), 0
    for place in _shuffled(len(names), seed):
        size = sizes[names[place]]
        if abs(count + size - wanted) < abs(count - wanted):
            taken.add(names[place])
            count += size
    if not 0 < len(taken) < len(names):
        raise DataError(
            f"{counted(len(names), 'group')} of {counted(len(indices), 'image')}, the largest of "
            f"{max(sizes.values(), default=0)}, cannot be divided by a {field} of {share}: one "
            "part would be empty",
            f"declare smaller groups or change split.{field}",
        )
    return (
        [index for index in indices if groups[index] not in taken],
        [index for index in indices if groups[index] in taken],
    )


def _without_test(count: int, test: HeldOutTest | None) -> tuple[list[int], list[int]]:
    """The images that are left, and the test images, both in the order of the data set."""
    if test is None:
        return list(range(count)), []
    kept = _test_size(count, test)
    shuffled = _shuffled(count, test.seed)
    return sorted(shuffled[kept:]), sorted(shuffled[:kept])


def _fold(count: int, declared: KFoldSplit) -> tuple[list[int], list[int]]:
    """The training and the validation indices, both in shuffled order."""
    _check_folds(count, declared)
    import numpy as np

    folds = np.array_split(np.array(_shuffled(count, declared.seed)), declared.folds)
    validation = folds.pop(declared.fold)
    return np.concatenate(folds).tolist(), validation.tolist()


def _test_size(count: int, test: HeldOutTest | None) -> int:
    if test is None:
        return 0
    kept = math.floor(test.share * count)
    if not 0 < kept < count:
        raise DataError(
            f"of {count} images, a test share of {test.share} leaves none to test on",
            "add images or raise split.test.share",
        )
    return kept


def _validation_size(count: int, holdout: HoldoutSplit) -> int:
    validation = math.floor(holdout.validation_share * count)
    validation += holdout.rounding == "floor-plus-one"
    if not 0 < validation < count:
        missing = "train" if validation else "validate"
        raise DataError(
            f"of {count} images, validation_share {holdout.validation_share} leaves none to "
            f"{missing} on",
            "add images or change split.validation_share",
        )
    return validation


def _check_folds(count: int, declared: KFoldSplit) -> None:
    if count < declared.folds:
        raise DataError(
            f"{counted(count, 'image')} cannot be cut into {declared.folds} folds",
            "add images or lower split.folds",
        )


def _shuffled(count: int, seed: int) -> list[int]:
    # A plan asks for ``drawn_sizes`` alone, and NumPy takes as long to import as it to make.
    import numpy as np

    indices = np.arange(count)
    np.random.RandomState(seed).shuffle(indices)
    shuffled: list[int] = indices.tolist()
    return shuffled
