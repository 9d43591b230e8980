"""Which images train, which validate, and which are kept for a test."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ablate.errors import BadInput
from ablate.spec.frozen import Frozen

SEED_LIMIT = 2**32
# More splits of one data set than any study has.
MAX_SPLITS = 1_000
MAX_PATTERN_CHARACTERS = 500
_GROUP = "(?P<group>"

Seed = Annotated[int, Field(ge=0, lt=SEED_LIMIT)]
Share = Annotated[float, Field(gt=0, lt=1)]


class HeldOutTest(Frozen):
    """Images that neither training nor the selection of an epoch sees: scored once, at the end.

    They are drawn before all else and by a seed of their own, so that all splits and seeds of a
    sweep have the same.

    Attributes:
        share: The share of all images: floor(share·n) of n; of groups, whole ones, as near to
            share·n images as they come.
        seed: Seed of the shuffle, which is that of ``HoldoutSplit``.
    """

    share: Share
    seed: Seed


def _is_none(value: object) -> bool:
    """A split without a test part is written, and digested, as if there were no such field."""
    return value is None


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
        test: Images that are set aside before; n counts those that are left. None: none are.
    """

    kind: Literal["holdout"]
    seed: Seed
    validation_share: Share
    rounding: Literal["floor", "floor-plus-one"]
    test: HeldOutTest | None = Field(default=None, exclude_if=_is_none)


class KFoldSplit(Frozen):
    """The shuffled images are cut into folds of equal size but for one image; one fold validates.

    On as many splits as there are folds every image validates once.

    Attributes:
        kind: The discriminator.
        folds: How many.
        seed: Seed of the shuffle, which is that of ``HoldoutSplit``.
        fold: Which fold validates, counted from 0; split number i validates on the i-th after it.
        test: Images that are set aside before. None: none are.
    """

    kind: Literal["kfold"]
    folds: int = Field(ge=2, le=MAX_SPLITS)
    seed: Seed
    fold: int = Field(default=0, ge=0)
    test: HeldOutTest | None = Field(default=None, exclude_if=_is_none)

    @model_validator(mode="after")
    def _fold_exists(self) -> "KFoldSplit":
        if self.fold >= self.folds:
            raise ValueError(
                f"fold {self.fold} is not one of {self.folds}, which are counted from 0"
            )
        return self


class GroupsSplit(Frozen):
    """Images that belong together, of one scene or one region, stay in one part.

    Whole groups are taken in shuffled order, each that brings the validation images nearer to their
    share; all other groups train.

    Attributes:
        kind: The discriminator.
        file: A text file below the data set's root that names the group of every image, one
            ``image,group`` a line. An edited file is another run. None: ``pattern`` is given.
        pattern: A regular expression in RE2's syntax, looked for in the name of every image; its
            one group, ``(?P<group>…)``, is the group. None: ``file`` is given.
        validation_share: The share of the images that validates.
        seed: Seed of the shuffle of the groups, in the order of their names.
        test: Groups that are set aside before; the share is that of the images that are left.
            None: none are.
    """

    kind: Literal["groups"]
    file: str | None = None
    pattern: str | None = Field(default=None, max_length=MAX_PATTERN_CHARACTERS)
    validation_share: Share
    seed: Seed
    test: HeldOutTest | None = Field(default=None, exclude_if=_is_none)

    @model_validator(mode="after")
    def _groups_are_told_once(self) -> "GroupsSplit":
        if (self.file is None) == (self.pattern is None):
            raise ValueError("give file or pattern, and not both")
        if self.pattern is not None and self.pattern.count(_GROUP) != 1:
            raise ValueError(f"pattern {self.pattern} has not exactly one {_GROUP}…)")
        return self


class ListsSplit(Frozen):
    """Text files name the images that train and those that validate; all others are left out.

    Attributes:
        kind: The discriminator.
        train: The list of the training images, below the data set's root: one name a line, the
            image's or its file's, with or without folder and suffix. An edited list is another
            run; the order of its lines does not matter.
        validation: The list of the validation images, below the data set's root.
        test: The list of images that neither training nor the selection of an epoch sees, below
            the data set's root: they are scored once, at the end. One that stands in another list
            as well is refused. None: there is none.
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


OuterSplit = Annotated[
    HoldoutSplit | KFoldSplit | GroupsSplit | ListsSplit | FoldersSplit,
    Field(discriminator="kind"),
]


class InnerSplit(Frozen):
    """The training images of another split, split once more; all its other images are left out.

    Groups stay together here too. What is chosen on an inner split can be judged on images that no
    choice has seen.

    Attributes:
        kind: The discriminator.
        of: The split whose training images these are.
        validation_share: The share of them that validates: floor(share·n) of n images; whole
            groups, as in ``GroupsSplit``, where ``of`` has groups.
        seed: Seed of the shuffle, which is that of ``HoldoutSplit``; the images are shuffled in the
            order of the data set.
    """

    kind: Literal["inner"]
    of: OuterSplit
    validation_share: Share
    seed: Seed


Split = Annotated[
    HoldoutSplit | KFoldSplit | GroupsSplit | ListsSplit | FoldersSplit | InnerSplit,
    Field(discriminator="kind"),
]


def numbered(split: Split, number: int) -> Split:
    """The split of this number, for repeats on several splits of one data set.

    Its test part is the same: only training and validation images are drawn anew.

    Args:
        split: The protocol's split, which has the number 0.
        number: At least 0: added to the seed of the shuffle, or the fold after that of ``split``.

    Raises:
        BadInput: If the parts are given and not drawn, or there is no split of this number.
    """
    if number == 0:
        return split
    match split:
        case HoldoutSplit() | GroupsSplit():
            seed = split.seed + number
            if seed >= SEED_LIMIT:
                raise BadInput(
                    f"split {number} would be drawn with seed {seed}, which is too large",
                    "choose a smaller split.seed or fewer splits",
                )
            return split.model_copy(update={"seed": seed})
        case KFoldSplit():
            if number >= split.folds:
                raise BadInput(
                    f"{split.folds} folds give {split.folds} splits and no more",
                    f"ask for {split.folds} splits at most, or raise split.folds",
                )
            return split.model_copy(update={"fold": (split.fold + number) % split.folds})
        case InnerSplit():
            return split.model_copy(update={"of": numbered(split.of, number)})
        case _:
            raise BadInput(
                f"the parts are given (split.kind: {split.kind}), so that there is one split only",
                "omit --splits, or let parts be drawn with --set 'split={kind: holdout, seed: 42, "
                "validation_share: 0.3, rounding: floor}'",
            )


def split_text(split: Split) -> str:
    """What tells a drawn split from others of its kind: ``seed 43``, or ``fold 2 of 5``."""
    match split:
        case HoldoutSplit() | GroupsSplit():
            return f"seed {split.seed}"
        case KFoldSplit():
            return f"fold {split.fold} of {split.folds}, counted from 0"
        case InnerSplit():
            return split_text(split.of)
        case _:
            return "as given"
