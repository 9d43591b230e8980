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
        """Where ``loc`` stands, or else the nearest thing around it."""
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
        merged = parent.copy()
        merged._lay(self, merged.value, self.value, ())
        merged.places[()] = self.places[()]
        return merged

    def _lay(self, top: "Document", below: dict[str, Any], value: dict[str, Any], loc: Loc) -> None:
        for key, item in value.items():
            here = (*loc, key)
            old = below.get(key)
            if (
                isinstance(item, dict)
                and isinstance(old, dict)
                and item.get("kind", old.get("kind")) == old.get("kind")
            ):
                below[key] = dict(old)
                self.places[here] = top.place(here)
                self._lay(top, below[key], item, here)
            else:
                for known in [known for known in self.places if known[: len(here)] == here]:
                    del self.places[known]
                below[key] = item
                self.places |= {k: v for k, v in top.places.items() if k[: len(here)] == here}


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
