"""Which images train, which validate, and which are kept for a test."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, runtime_checkable
from typing import Protocol as Interface

from ablate.data.drawing import divide_groups, draw, draw_groups, drawn_sizes, split
from ablate.data.split_parts import Parts
from ablate.data.wording import counted
from ablate.errors import DataError
from ablate.spec import (
    DataIdentity,
    FoldersSplit,
    GroupsSplit,
    HoldoutSplit,
    InnerSplit,
    KFoldSplit,
    ListsSplit,
    Split,
    digest_of,
)

# What reads files of the data's folder is imported where it is used: a plan of generated scenes
# needs neither NumPy nor Pillow.
if TYPE_CHECKING:
    from ablate.data.images import Images
    from ablate.data.scaling import Ranges


@runtime_checkable
class FittedImages(Interface):
    """Images whose values may be scaled by what the training images hold."""

    @property
    def fitted_ranges(self) -> Ranges | None:
        """What ``fit`` took, for red, green and blue; None: nothing is taken, or not yet."""
        ...

    def fit(self, train: Iterable[int]) -> None:
        """Looks at the training images, by their indices; changes ``load`` and ``digest``."""
        ...

    def scale_by(self, ranges: Ranges) -> None:
        """Takes ranges that are known already in place of those of ``fit``."""
        ...


def parts(names: Sequence[str], declared: Split, root: Path | None) -> Parts:
    """The training, the validation and the test images of a data set.

    Args:
        names: The images' names, in the data set's order.
        declared: How they are split.
        root: The data set's folder, which lists and groups lie in; None: it has none.

    Returns:
        Indices into ``names``; shuffled where they are drawn one by one, else in the order of
        ``names``.

    Raises:
        DataError: If a part would be empty, a list is missing or names no image of the data set, an
            image stands in two lists, or the group of one cannot be told.
    """
    match declared:
        case HoldoutSplit() | KFoldSplit():
            return draw(len(names), declared)
        case GroupsSplit():
            from ablate.data.groups import groups_of

            return draw_groups(groups_of(names, declared, root), declared)
        case ListsSplit():
            from ablate.data.lists import listed_parts

            return listed_parts(names, declared, root)
        case FoldersSplit():
            train, validation = (
                _in_folder(names, declared, part) for part in ("train", "validation")
            )
            return Parts(train, validation)
        case InnerSplit():
            return _inner(names, declared, root)


def groups_in(names: Sequence[str], declared: Split, root: Path | None) -> tuple[str, ...] | None:
    """The group of each image; None where the split knows no groups.

    Raises:
        DataError: If the group of an image cannot be told.
    """
    outer = declared.of if isinstance(declared, InnerSplit) else declared
    if not isinstance(outer, GroupsSplit):
        return None
    from ablate.data.groups import groups_of

    return groups_of(names, outer, root)


def _inner(names: Sequence[str], declared: InnerSplit, root: Path | None) -> Parts:
    """The training images of another split, split once more."""
    outer = sorted(parts(names, declared.of, root).train)
    share, seed = declared.validation_share, declared.seed
    if (groups := groups_in(names, declared, root)) is not None:
        return Parts(*divide_groups(groups, outer, share, seed))
    if not 0 < math.floor(share * len(outer)) < len(outer):
        raise DataError(
            f"of {counted(len(outer), 'training image')}, an inner validation_share of {share} "
            "leaves none to validate on",
            "add images or raise validation_share",
        )
    holdout = HoldoutSplit(kind="holdout", seed=seed, validation_share=share, rounding="floor")
    train, validation = split(len(outer), holdout)
    return Parts([outer[index] for index in train], [outer[index] for index in validation])


def identify(images: Images, declared: Split, root: Path | None = None) -> DataIdentity:
    """The data's part in a run's identity.

    Files can be edited while the protocol stays the same, hence the parts that lists name and the
    groups are in the digest, as are percentiles of the training images where ``images`` are scaled
    by such; from here on, they are.

    Args:
        images: The data set.
        declared: How it is split.
        root: The data set's folder, which lists and groups lie in; None: it has none.

    Raises:
        DataError: If a file cannot be read or a part cannot be told.
    """
    if isinstance(declared, HoldoutSplit | KFoldSplit) and not isinstance(images, FittedImages):
        # An identity holds the sizes of the parts; which images they have follows from the spec.
        train, validation, test = drawn_sizes(len(images.names), declared)
        return DataIdentity(
            label=images.label,
            digest=images.digest(),
            train=train,
            validation=validation,
            test=test,
        )
    found = parts(images.names, declared, root)
    if isinstance(images, FittedImages):
        images.fit(found.train)
    digest = images.digest()
    if isinstance(declared.of if isinstance(declared, InnerSplit) else declared, ListsSplit):
        # Without a test list the digest is what it was before such were scored.
        named = {
            part: [images.names[index] for index in indices]
            for part, indices in found._asdict().items()
            if part != "test" or indices
        }
        digest = digest_of({"images": digest, **named})
    elif (groups := groups_in(images.names, declared, root)) is not None:
        digest = digest_of({"images": digest, "groups": groups})
    return DataIdentity(
        label=images.label,
        digest=digest,
        train=len(found.train),
        validation=len(found.validation),
        test=len(found.test),
    )


def _in_folder(names: Iterable[str], declared: FoldersSplit, part: str) -> list[int]:
    folder = getattr(declared, part)
    indices = [index for index, name in enumerate(names) if name.startswith(f"{folder}/")]
    if not indices:
        from ablate.data.pairs import some

        folders = list(dict.fromkeys(name.rpartition("/")[0] for name in names))
        held = f"they lie in {some(folders)}" if all(folders) else "data.image has no {folder}"
        raise DataError(
            f"no image lies in the folder {folder} of split.{part}: {held}",
            f"correct split.{part}, or declare data whose image and mask have a {{folder}}",
        )
    return indices
