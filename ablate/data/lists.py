"""Text files that name images: the lists of a split."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ablate.data.folders import below
from ablate.data.pairs import some
from ablate.data.reading import SUFFIXES
from ablate.data.split_parts import Parts
from ablate.data.wording import counted
from ablate.errors import DataError
from ablate.spec import ListsSplit

_SUFFIXES = SUFFIXES | {".h5"}
_MAX_LIST_BYTES = 2**28
_LIST = "write it, one name a line, or correct split.train, split.validation and split.test"


def listed_parts(names: Sequence[str], declared: ListsSplit, root: Path | None) -> Parts:
    """The parts that lists name.

    Args:
        names: The images' names, in the data set's order.
        declared: Which lists.
        root: The data set's folder, which they lie in; None: it has none.

    Raises:
        DataError: If a list is missing, is empty, names what is not an image of the data set, or
            names an image of another list.
    """
    if root is None:
        raise DataError("split lists lie in a data set's folder, and there is none", "give --data")
    files = {"train": declared.train, "validation": declared.validation, "test": declared.test}
    places = places_of(names)
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
    return Parts(indices["train"], indices["validation"], indices.get("test", ()))


def places_of(names: Sequence[str]) -> dict[str, int]:
    """The images by name, in one normal form: systems write é as one letter or as two."""
    return {unicodedata.normalize("NFC", name): index for index, name in enumerate(names)}


def _indices(path: Path, places: dict[str, int]) -> list[int]:
    """The images that a list names."""
    lines = [line.strip() for line in text_of(path, "split list", _LIST).splitlines()]
    lines = [line for line in lines if line]
    if not lines:
        raise DataError(f"the list {path} is empty", "write one name a line")
    found = {line: place_of(line, places) for line in lines}
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


def place_of(line: str, places: dict[str, int]) -> int | None:
    """The image that a line means: its name, or its file's with folder and suffix."""
    line = unicodedata.normalize("NFC", line)
    path = PurePosixPath(line.replace("\\", "/"))
    # Other endings are part of names: tile.3 is not tile.
    stem = path.with_suffix("") if path.suffix.lower() in _SUFFIXES else path
    for name in (line, stem.as_posix(), path.name, stem.name):
        if name in places:
            return places[name]
    return None


def text_of(path: Path, what: str, missing: str) -> str:
    """What a text file holds.

    Args:
        path: The file.
        what: What messages call it.
        missing: What to do where there is none.

    Raises:
        DataError: If it is missing, too large, or not text in UTF-8.
    """
    if not path.is_file():
        raise DataError(f"there is no {what} {path}", missing)
    try:
        if path.stat().st_size > _MAX_LIST_BYTES:
            raise DataError(f"the {what} {path} is too large", "name the right file")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise DataError(f"the {what} {path} cannot be read ({reason})", "replace it") from error
