"""Which images belong together: by a file of groups, or by a pattern of their names."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from ablate.data.folders import below
from ablate.data.lists import place_of, places_of, text_of
from ablate.data.pairs import some
from ablate.data.wording import counted
from ablate.errors import DataError
from ablate.spec import GroupsSplit

_HEADINGS = {("image", "group"), ("name", "group"), ("file", "group")}
_FILE = "write it, one image,group a line, or correct split.file"


def groups_of(names: Sequence[str], declared: GroupsSplit, root: Path | None) -> tuple[str, ...]:
    """The group of each image.

    Args:
        names: The images' names, in the data set's order.
        declared: Where the groups stand.
        root: The data set's folder, which the file lies in; None: it has none.

    Raises:
        DataError: If the file or the pattern does not give every image one group.
    """
    if declared.pattern is not None:
        return _by_pattern(names, declared.pattern)
    if root is None:
        raise DataError(
            f"the file of groups {declared.file} lies in a data set's folder, and there is none",
            "give --data, or split.pattern in place of split.file",
        )
    return _by_file(names, below(root, str(declared.file)))


def _by_pattern(names: Sequence[str], pattern: str) -> tuple[str, ...]:
    """Groups by RE2, which takes time in proportion to a name's length, whatever the pattern.

    Python's own expressions can take for ever.
    """
    import pyarrow
    from pyarrow import compute

    try:
        # A byte of a name that is not UTF-8 is no letter of a pattern.
        array = pyarrow.array(
            [name.encode("utf-8", "replace").decode() for name in names], pyarrow.string()
        )
        found = compute.extract_regex(array, pattern=pattern).to_pylist()
    except pyarrow.ArrowInvalid as error:
        reason = str(error).removeprefix("Invalid regular expression: ")
        raise DataError(
            f"split.pattern {pattern} cannot be used: {reason}",
            "give one (?P<group>…) in RE2's syntax; other brackets are (?:…)",
        ) from error
    groups = ["" if each is None else each["group"] for each in found]
    if lacking := [name for name, group in zip(names, groups, strict=True) if not group]:
        raise DataError(
            f"split.pattern {pattern} gives {counted(len(lacking), 'image')} of {len(names)} no "
            f"group ({some(lacking)})",
            "let it fit every name",
        )
    return tuple(groups)


def _by_file(names: Sequence[str], path: Path) -> tuple[str, ...]:
    places, groups = places_of(names), dict[int, str]()
    for number, row in _rows(path):
        if len(row) != 2 or not all(row):
            raise DataError(
                f"line {number} of {path} is not an image and its group ({','.join(row)[:80]})",
                "write image,group",
            )
        name, group = row
        index = place_of(name, places)
        if index is None:
            if not groups and (name.lower(), group.lower()) in _HEADINGS:
                continue
            raise DataError(
                f"line {number} of {path}: {name} is no image of the data set, whose images are "
                f"called {some(names)}",
                "correct or remove the line",
            )
        if groups.setdefault(index, group) != group:
            raise DataError(
                f"{path} puts {name} into the groups {groups[index]} and {group}",
                "keep one of them",
            )
    if lacking := [name for index, name in enumerate(names) if index not in groups]:
        raise DataError(
            f"{path} names no group of {counted(len(lacking), 'image')} of {len(names)} "
            f"({some(lacking)})",
            "add a line for each",
        )
    return tuple(groups[index] for index in range(len(names)))


def _rows(path: Path) -> Iterable[tuple[int, list[str]]]:
    """The lines that are not empty, by number, cut at commas, or at tabs where there are such."""
    text = text_of(path, "file of groups", _FILE)
    delimiter = "\t" if "\t" in text.partition("\n")[0] else ","
    rows = csv.reader(text.splitlines(), delimiter=delimiter)
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield rows.line_num, cells
    except csv.Error as error:
        raise DataError(
            f"line {rows.line_num} of {path} cannot be read ({error})", "write image,group"
        ) from error
