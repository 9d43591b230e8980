"""Which images train and which validate."""

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol as Interface
from typing import runtime_checkable

import numpy as np

from ablate.data.folders import below
from ablate.data.images import Images
from ablate.data.pairs import some
from ablate.data.reading import SUFFIXES
from ablate.data.scaling import Ranges
from ablate.data.wording import counted
from ablate.errors import DataError
from ablate.spec import (
    DataIdentity,
    FoldersSplit,
    HoldoutSplit,
    InnerSplit,
    ListsSplit,
    Split,
    digest_of,
)

_SUFFIXES = SUFFIXES | {".h5"}
_MAX_LIST_BYTES = 2**28


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


def parts(names: Sequence[str], declared: Split, root: Path | None) -> tuple[list[int], list[int]]:
    """The training and the validation indices of a data set.

    Args:
        names: The images' names, in the data set's order.
        declared: How they are split.
        root: The data set's folder, which lists lie in; None: it has none.

    Returns:
        Indices into ``names``; shuffled for a holdout and an inner split, else in the order of
        ``names``.

    Raises:
        DataError: If a part would be empty, a list is missing or names no image of the data set, or
            an image stands in two lists.
    """
    if isinstance(declared, InnerSplit):
        return _inner(names, declared, root)
    if isinstance(declared, HoldoutSplit):
        return split(len(names), declared)
    if isinstance(declared, FoldersSplit):
        return _in_folder(names, declared, "train"), _in_folder(names, declared, "validation")
    return _listed(names, declared, root)


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


def _inner(
    names: Sequence[str], declared: InnerSplit, root: Path | None
) -> tuple[list[int], list[int]]:
    """The training images of another split, split once more."""
    outer = sorted(parts(names, declared.of, root)[0])
    share, seed = declared.validation_share, declared.seed
    if not 0 < math.floor(share * len(outer)) < len(outer):
        raise DataError(
            f"of {counted(len(outer), 'training image')}, an inner validation_share of {share} "
            "leaves none to validate on",
            "add images or raise validation_share",
        )
    holdout = HoldoutSplit(kind="holdout", seed=seed, validation_share=share, rounding="floor")
    train, validation = split(len(outer), holdout)
    return [outer[index] for index in train], [outer[index] for index in validation]


def identify(images: Images, declared: Split, root: Path | None = None) -> DataIdentity:
    """The data's part in a run's identity.

    Lists can be edited while the protocol stays the same, hence their parts are in the digest, as
    are percentiles of the training images where ``images`` are scaled by such; from here on, they
    are.

    Args:
        images: The data set.
        declared: How it is split.
        root: The data set's folder, which lists lie in; None: it has none.

    Raises:
        DataError: If a file cannot be read or a part cannot be told.
    """
    train, validation = parts(images.names, declared, root)
    if isinstance(images, FittedImages):
        images.fit(train)
    digest = images.digest()
    if isinstance(declared.of if isinstance(declared, InnerSplit) else declared, ListsSplit):
        named = {
            part: [images.names[index] for index in indices]
            for part, indices in (("train", train), ("validation", validation))
        }
        digest = digest_of({"images": digest, **named})
    return DataIdentity(
        label=images.label, digest=digest, train=len(train), validation=len(validation)
    )


def _in_folder(names: Iterable[str], declared: FoldersSplit, part: str) -> list[int]:
    folder = getattr(declared, part)
    indices = [index for index, name in enumerate(names) if name.startswith(f"{folder}/")]
    if not indices:
        folders = list(dict.fromkeys(name.rpartition("/")[0] for name in names))
        held = f"they lie in {some(folders)}" if all(folders) else "data.image has no {folder}"
        raise DataError(
            f"no image lies in the folder {folder} of split.{part}: {held}",
            f"correct split.{part}, or declare data whose image and mask have a {{folder}}",
        )
    return indices


def _listed(
    names: Sequence[str], declared: ListsSplit, root: Path | None
) -> tuple[list[int], list[int]]:
    if root is None:
        raise DataError("split lists lie in a data set's folder, and there is none", "give --data")
    files = {"train": declared.train, "validation": declared.validation, "test": declared.test}
    # In one normal form: systems write é as one letter or as two.
    places = {unicodedata.normalize("NFC", name): index for index, name in enumerate(names)}
    listed: dict[int, str] = {}
    indices: dict[str, list[int]] = {}
    for part, file in files.items():
        if file is None:
            continue
        indices[part] = sorted(_indices(below(root, file), places))
        if twice := [index for index in indices[part] if index in listed]:
            other, shown = listed[twice[0]], some([names[index] for index in twice])
            raise DataError(
                f"{counted(len(twice), 'image')} in both {other} and {file} ({shown})",
                "leave each in one list",
            )
        listed |= dict.fromkeys(indices[part], file)
    return indices["train"], indices["validation"]


def _indices(path: Path, places: dict[str, int]) -> list[int]:
    """The images that a list names."""
    lines = [line.strip() for line in _text(path).splitlines()]
    lines = [line for line in lines if line]
    if not lines:
        raise DataError(f"the list {path} is empty", "write one name a line")
    found = {line: _place(line, places) for line in lines}
    if unknown := [line for line, index in found.items() if index is None]:
        raise DataError(
            f"{len(unknown)} of {len(lines)} names in {path} are no images of the data set "
            f"({some(unknown)}), which are called {some(list(places))}",
            "correct the list",
        )
    counts = Counter(found[line] for line in lines)
    if twice := [line for line in lines if counts[found[line]] > 1]:
        raise DataError(f"{path} names an image more than once ({some(twice)})", "leave it once")
    return [index for index in counts if index is not None]


def _place(line: str, places: dict[str, int]) -> int | None:
    """The image that a line means: its name, or its file's with folder and suffix."""
    line = unicodedata.normalize("NFC", line)
    path = PurePosixPath(line.replace("\\", "/"))
    # Other endings are part of names: tile.3 is not tile.
    stem = path.with_suffix("") if path.suffix.lower() in _SUFFIXES else path
    for name in (line, stem.as_posix(), path.name, stem.name):
        if name in places:
            return places[name]
    return None


def _text(path: Path) -> str:
    if not path.is_file():
        raise DataError(
            f"there is no split list {path}",
            "write it, one name a line, or correct split.train, split.validation and split.test",
        )
    try:
        if path.stat().st_size > _MAX_LIST_BYTES:
            raise DataError(f"{path} is too large for a list of names", "name the right file")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise DataError(f"the list {path} cannot be read ({reason})", "replace it") from error
