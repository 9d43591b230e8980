"""Documents: plain values that remember the file and line of each of their parts."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# A place in a document: the keys and indices that lead to it.
Loc = tuple[str | int, ...]

# Longer texts are cut in messages.
_MAX_SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class Place:
    """A line of a file, as messages print it."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass
class Document:
    """A mapping read from a file (or laid over one read from another file).

    Attributes:
        value: The plain mapping.
        places: The place of each key, of each item and of the whole.
    """

    value: dict[str, Any]
    places: dict[Loc, Place] = field(default_factory=dict)

    def place(self, loc: Loc) -> Place:
        """The place of ``loc``, or else of the nearest thing around it."""
        while loc not in self.places and loc:
            loc = loc[:-1]
        return self.places[loc]

    def copy(self) -> "Document":
        """A document whose top-level keys and places can be altered without altering this one."""
        return Document(dict(self.value), dict(self.places))

    def over(self, parent: "Document") -> "Document":
        """This document laid over ``parent``: mappings merge, everything else replaces.

        A mapping of another ``kind`` replaces the parent's: its fields mean other things.
        """
        replaced: set[Loc] = set()
        value = _merged(parent.value, self.value, (), replaced)
        kept = {
            loc: place
            for loc, place in parent.places.items()
            if not any(loc[:end] in replaced for end in range(1, len(loc) + 1))
        }
        return Document(value, kept | self.places)


def _merged(
    below: dict[str, Any], above: dict[str, Any], loc: Loc, replaced: set[Loc]
) -> dict[str, Any]:
    """``above`` laid over ``below``; adds to ``replaced`` what of ``below`` is gone."""
    merged = dict(below)
    for key, item in above.items():
        old = below.get(key)
        if (
            isinstance(item, dict)
            and isinstance(old, dict)
            and item.get("kind", old.get("kind")) == old.get("kind")
        ):
            merged[key] = _merged(old, item, (*loc, key), replaced)
        else:
            merged[key] = item
            replaced.add((*loc, key))
    return merged


def shown(path: Path) -> str:
    """The path as messages print it: relative to the working folder where it lies below."""
    here = Path.cwd()
    return _one_line(str(path.relative_to(here) if path.is_relative_to(here) else path))


def shortened(text: str, characters: int = _MAX_SHOWN_CHARACTERS) -> str:
    """The text as messages print it: on one line, and only its beginning where it is long."""
    if len(text) <= characters:
        return _one_line(text)
    return f"{_one_line(text[:characters])}… ({len(text):,} characters)"


def _one_line(text: str) -> str:
    """The text with escapes for line breaks and for characters that steer terminals."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def shown_value(value: Any) -> str:
    """The value as messages print it: as in YAML where Python writes it differently, shortened."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return shortened(repr(value))
