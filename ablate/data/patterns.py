"""Image files and mask files that a protocol declares by patterns of their names."""

import re
import unicodedata
from collections.abc import Collection, Iterator
from pathlib import Path

from ablate.data.fetched import check_file, named
from ablate.data.pairs import listing, some
from ablate.errors import DataError

_ANY_SUFFIX = ".*"
_PLACEHOLDER = re.compile(r"\{(stem|folder)\}")


class Pattern:
    """A declared pattern, such as ``{folder}/{stem}_label.png``.

    Args:
        text: The pattern, as a spec has checked it.
        suffixes: What ``.*`` at its end stands for, in lower case.
        folders: What ``{folder}`` may be; empty: any folder.
    """

    def __init__(self, text: str, suffixes: Collection[str], folders: Collection[str]) -> None:
        """Makes an expression for each part of the path."""
        self.text = text
        self._folders = frozenset(folders)
        ending = "|".join(re.escape(suffix) for suffix in sorted(suffixes))
        self._parts = [_expression(part) for part in text.removesuffix(_ANY_SUFFIX).split("/")]
        if text.endswith(_ANY_SUFFIX):
            self._parts[-1] += f"(?i:{ending})"

    @property
    def fixed(self) -> int:
        """How many letters of it are no placeholder."""
        return len(_PLACEHOLDER.sub("", self.text.removesuffix(_ANY_SUFFIX)))

    def files(self, folder: Path) -> Iterator[tuple[str, Path]]:
        """The files below a folder that fit, each with its image's name, in the paths' order.

        Raises:
            DataError: If a folder cannot be read.
        """
        return self._walk(folder, 0, {})

    def _walk(self, folder: Path, depth: int, known: dict[str, str]) -> Iterator[tuple[str, Path]]:
        is_last = depth == len(self._parts) - 1
        for path in listing(folder):
            fields = self._fields(unicodedata.normalize("NFC", named(path)), depth, known)
            if fields is None:
                continue
            if is_last and not path.is_dir():
                check_file(path)
                yield "/".join(fields[each] for each in ("folder", "stem") if each in fields), path
            elif not is_last and path.is_dir():
                yield from self._walk(path, depth + 1, fields)

    def _fields(self, name: str, depth: int, known: dict[str, str]) -> dict[str, str] | None:
        """What the placeholders stand for up to this part of a path; None: it does not fit."""
        match = re.fullmatch(self._parts[depth], name, re.DOTALL)
        if match is None:
            return None
        fields = match.groupdict()
        if any(known.get(each, value) != value for each, value in fields.items()):
            return None
        if self._folders and "folder" in fields and fields["folder"] not in self._folders:
            return None
        return known | fields


def find_files(
    images: tuple[Path, Pattern], masks: tuple[Path, Pattern]
) -> tuple[dict[str, Path], dict[str, Path]]:
    """The image files and the mask files by their images' names, in the order of their paths.

    Args:
        images: The folder and the pattern of the images.
        masks: The folder and the pattern of the masks.

    Raises:
        DataError: If there are none, two have the same name, or a file fits both patterns alike.
    """
    found = [list(pattern.files(folder)) for folder, pattern in (images, masks)]
    both = {path for _, path in found[0]} & {path for _, path in found[1]}
    fixed = images[1].fixed, masks[1].fixed
    if both and fixed[0] == fixed[1]:
        raise DataError(
            f"{some(sorted(path.name for path in both))} in {images[0]} may be image or mask: both "
            f"{images[1].text} and {masks[1].text} fit",
            "declare image and mask in the protocol's data by patterns that tell them apart",
        )
    loser = int(fixed[0] > fixed[1])
    found[loser] = [each for each in found[loser] if each[1] not in both]
    return _by_name(found[0], "image", *images), _by_name(found[1], "mask", *masks)


def _expression(part: str) -> str:
    """The regular expression of one part of a path; a placeholder that returns must be the same."""
    expression, end, seen = "", 0, set()
    for match in _PLACEHOLDER.finditer(part):
        field = match[1]
        expression += re.escape(part[end : match.start()])
        expression += f"(?P={field})" if field in seen else f"(?P<{field}>.+)"
        seen.add(field)
        end = match.end()
    return expression + re.escape(part[end:])


def _by_name(
    files: list[tuple[str, Path]], what: str, folder: Path, pattern: Pattern
) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for name, path in files:
        if name in found:
            raise DataError(f"{found[name]} and {path} are both {what} {name}", "keep one of them")
        found[name] = path
    if not found:
        held = some([path.name for path in listing(folder)])
        raise DataError(
            f"no {what} in {folder} is called {pattern.text}: it holds {held or 'nothing'}",
            f"correct data.{what} in the protocol, or put the files there",
        )
    return found
