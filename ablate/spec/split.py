"""Which images train and which validate."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ablate.errors import BadInput
from ablate.spec.frozen import Frozen

SEED_LIMIT = 2**32
# More splits of one data set than any study has.
MAX_SPLITS = 1_000

Seed = Annotated[int, Field(ge=0, lt=SEED_LIMIT)]
Share = Annotated[float, Field(gt=0, lt=1)]


class HoldoutSplit(Frozen):
    """The first shuffled images validate, all others train.

    Names are sorted and their indices shuffled by NumPy's legacy generator, as in the authors'
    public code.

    Attributes:
        kind: The discriminator.
        seed: Seed of the shuffle.
        validation_share: f, of n images.
        rounding: How many images validate. ``floor``: floor(f·n), as in the paper's printed
            tables; ``floor-plus-one``: floor(f·n) + 1, as in the authors' public code.
    """

    kind: Literal["holdout"]
    seed: Seed
    validation_share: Share
    rounding: Literal["floor", "floor-plus-one"]


class ListsSplit(Frozen):
    """Text files name the images that train and those that validate; all others are left out.

    Attributes:
        kind: The discriminator.
        train: The list of the training images, below the data set's root: one name a line, the
            image's or its file's, with or without folder and suffix. An edited list is another
            run; the order of its lines does not matter.
        validation: The list of the validation images, below the data set's root.
        test: The list of images that no run sees, below the data set's root: one that stands in
            another list as well is refused. None: there is none.
    """

    kind: Literal["lists"]
    train: str = "train.txt"
    validation: str = "val.txt"
    test: str | None = None


class FoldersSplit(Frozen):
    """The folders that the images lie in are the parts, as their authors made them.

    Attributes:
        kind: The discriminator.
        train: The folder of the training images: what ``{folder}`` stands for in the data's
            patterns. Images in folders of neither part are left out.
        validation: The folder of the validation images.
    """

    kind: Literal["folders"]
    train: str = "train"
    validation: str = "val"

    @model_validator(mode="after")
    def _parts_differ(self) -> "FoldersSplit":
        if self.train == self.validation:
            raise ValueError(f"train and validation are the same folder, {self.train}")
        return self


OuterSplit = Annotated[HoldoutSplit | ListsSplit | FoldersSplit, Field(discriminator="kind")]


class InnerSplit(Frozen):
    """The training images of another split, split once more; its validation images are left out.

    What is chosen on an inner split can be judged on images that no choice has seen.

    Attributes:
        kind: The discriminator.
        of: The split whose training images these are.
        validation_share: The share of them that validates: floor(share·n) of n images.
        seed: Seed of the shuffle, which is that of ``HoldoutSplit``; the images are shuffled in the
            order of the data set.
    """

    kind: Literal["inner"]
    of: OuterSplit
    validation_share: Share
    seed: Seed


Split = Annotated[
    HoldoutSplit | ListsSplit | FoldersSplit | InnerSplit, Field(discriminator="kind")
]


def numbered(split: Split, number: int) -> Split:
    """The split of this number, for repeats on several splits of one data set.

    Args:
        split: The protocol's split, which has the number 0.
        number: At least 0; it is added to the seed of the shuffle that draws the parts.

    Raises:
        BadInput: If the parts are given and not drawn, or there is no split of this number.
    """
    if number == 0:
        return split
    match split:
        case HoldoutSplit():
            seed = split.seed + number
            if seed >= SEED_LIMIT:
                raise BadInput(
                    f"split {number} would be drawn with seed {seed}, which is too large",
                    "choose a smaller split.seed or fewer splits",
                )
            return split.model_copy(update={"seed": seed})
        case InnerSplit():
            return split.model_copy(update={"of": numbered(split.of, number)})
        case _:
            raise BadInput(
                f"the parts are given (split.kind: {split.kind}), so that there is one split only",
                "omit --splits, or let parts be drawn with --set 'split={kind: holdout, seed: 42, "
                "validation_share: 0.3, rounding: floor}'",
            )
