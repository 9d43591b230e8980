"""Reads YAML 1.2's core schema from input of bounded size and keeps the line of every value.

What YAML 1.1 and 1.2 read differently (``yes``, ``010``, ``1:30``, ``1_000``, a date) is refused:
no reading of it is what everybody means. Tags and merge keys are refused too; anchors are read.
"""

import math
import re
import stat
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from ablate.errors import SpecError
from ablate.registry.source import Document, Loc, Place, shortened, shown

# Bounds, so that no input takes longer than seconds. The largest shipped file has 4 kB, 130 values,
# and is nested 3 deep.
MAX_FILE_BYTES = 256 * 1024
MAX_VALUES = 5_000
MAX_DEPTH = 20
# Of one number. A float of 64 bits is exact with 17 digits.
MAX_NUMBER_CHARACTERS = 40
# Of one file, as messages list them.
MAX_PROBLEMS = 50

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_NAMED_VALUES = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}

# None where PyYAML was built without it.
_LIBYAML: Any = getattr(yaml, "CSafeLoader", None)
# Question marks, and a comment right behind the mark of a block.
_READ_OTHERWISE = re.compile(r"\?|[|>]\S*#")

_TAGS = "tag:yaml.org,2002:"
_RESOLVER: Any = yaml.resolver.Resolver()
_QUOTE = "quote it if it is a text"
# What to write instead, by the type that YAML 1.1 sees.
_REPAIRS = {
    "bool": f"write true or false, or {_QUOTE}",
    "int": f"write a decimal number, or {_QUOTE}",
    "float": f"write a decimal number, or {_QUOTE}",
}


def read(path: Path) -> Document:
    """Reads one YAML mapping.

    Raises:
        SpecError: If the file is unreadable, too large, not YAML, not a mapping, repeats a key, or
            holds a value that is not of YAML 1.2's core schema.
    """
    return _document(_text_of(path), shown(path)).copy()


# A report reads a published table, and the variants that it names, several times over.
@lru_cache(maxsize=128)
def _document(text: str, name: str) -> Document:
    value, places = _parsed(text, lambda line: Place(name, line))
    if not isinstance(value, dict):
        raise SpecError([f"{name}: is not a mapping; write `key: value` lines"])
    return Document(value, places)


def parse_value(text: str, place: Place) -> Any:
    """The value of ``--set KEY=VALUE``, by the same rules as a file's.

    Args:
        text: The value, as YAML.
        place: What messages name as its place.

    Raises:
        SpecError: As ``read``.
    """
    return _Reader(text, lambda line: place).value()


def _parsed(text: str, place: Callable[[int], Place]) -> tuple[Any, dict[Loc, Place]]:
    """The value of a text, and the places of its parts.

    libyaml takes a tenth of the time. What it refuses, or may read in another way, PyYAML's own
    parser reads, whose words are those of all messages.

    Raises:
        SpecError: As ``read``.
    """
    if _LIBYAML and _is_read_alike(text):
        reader = _Reader(text, place, _LIBYAML)
        with suppress(SpecError):
            return reader.value(), reader.places
    reader = _Reader(text, place)
    return reader.value(), reader.places


def _is_read_alike(text: str) -> bool:
    """Whether libyaml reads this as PyYAML's own parser does, unless either refuses it.

    They differ in tabs, byte order marks, rare line breaks, and the lines of an end without one.
    """
    return (
        text.endswith("\n")
        and text.replace("\n", "").isprintable()
        and not _READ_OTHERWISE.search(text)
    )


def _text_of(path: Path) -> str:
    """The text of a file of ordinary size; a pipe or a device is not opened, it may never end."""
    name = shown(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise SpecError([f"{name}: is not a file; remove it, or rename it without .yaml"])
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        problem = error.strerror or str(error)
        raise SpecError([f"{name}: cannot be read: {problem}; repair or remove it"]) from error
    if len(content) > MAX_FILE_BYTES:
        raise SpecError([f"{name}: is larger than {MAX_FILE_BYTES // 1024} KiB; shorten it"])
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SpecError([f"{name}:{line}: is not UTF-8 text; save it as UTF-8"]) from error


class _Reader:
    """Turns YAML's events into plain values.

    Attributes:
        places: The place of each key, of each item and of the whole.
    """

    def __init__(
        self, text: str, place: Callable[[int], Place], parser: Any = yaml.SafeLoader
    ) -> None:
        """Reads nothing yet; ``place`` makes the place of a line, counted from 1."""
        self.places: dict[Loc, Place] = {}
        self._place = place
        # ``Any``: the stubs know neither the marks nor the tags of events.
        self._events: Iterator[Any] = yaml.parse(text, Loader=parser)
        self._problems: list[str] = []
        self._count = 0
        # Values with the number of values in them; None: its end is not read yet.
        self._anchors: dict[str, tuple[Any, int] | None] = {}

    def value(self) -> Any:
        """The value of the one document; None where there is none.

        Raises:
            SpecError: With a line for every problem.
        """
        try:
            value = self._document()
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or str(error).splitlines()[0]
            place = self._place(mark.line + 1 if mark else 0)
            line = f"{place}: not YAML: {shortened(problem)}; repair the syntax, or quote the text"
            raise SpecError([line]) from error
        if self._problems:
            raise SpecError(limited(self._problems))
        return value

    def _document(self) -> Any:
        value = None
        read = False
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if read:
                    raise SpecError([f"{self._at(event)}: a second document begins; keep one"])
                value, read = self._value(next(self._events), ()), True
        return value

    def _at(self, event: Any) -> Place:
        return self._place(event.start_mark.line + 1)

    def _report(self, event: Any, loc: Loc, problem: str) -> None:
        name = shortened(".".join(map(str, loc)))
        self._problems.append(f"{self._at(event)}: {name + ': ' if name else ''}{problem}")

    def _add(self, event: Any, count: int) -> None:
        """Counts values, those that an alias repeats included."""
        self._count += count
        if self._count > MAX_VALUES:
            problem = f"more than {MAX_VALUES:,} values, aliases written out; shorten it"
            raise SpecError([f"{self._at(event)}: {problem}"])

    def _value(self, event: Any, loc: Loc) -> Any:
        """The plain value that begins with ``event``, all of its events read."""
        self.places[loc] = self._at(event)
        if len(loc) > MAX_DEPTH:
            problem = f"nested more than {MAX_DEPTH} deep; make it flatter"
            raise SpecError([f"{self._at(event)}: {problem}"])
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, loc)
        self._add(event, 1)
        self._refuse_tag(event, loc)
        if event.anchor is None:
            return self._content(event, loc)
        before = self._count
        self._anchors[event.anchor] = None
        value = self._content(event, loc)
        self._anchors[event.anchor] = (value, self._count - before + 1)
        return value

    def _refuse_tag(self, event: Any, loc: Loc) -> None:
        if event.tag is not None:
            tag = shortened(event.tag.replace(_TAGS, "!!"))
            self._report(
                event, loc, f"the tag {tag} is not supported; remove it, or quote the text"
            )

    def _content(self, event: Any, loc: Loc) -> Any:
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(loc)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Any] = []
            while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
                items.append(self._value(item, (*loc, len(items))))
            return items
        return self._scalar(event, loc)

    def _alias(self, event: Any, loc: Loc) -> Any:
        name = shortened(event.anchor)
        if event.anchor not in self._anchors:
            self._report(event, loc, f"there is no anchor &{name} above; write the value out")
            return None
        anchored = self._anchors[event.anchor]
        if anchored is None:
            self._report(event, loc, f"the anchor &{name} holds itself; write the value out")
            return None
        value, count = anchored
        self._add(event, count)
        return value

    def _mapping(self, loc: Loc) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or not event.value:
                self._report(event, loc, "a key must be a text; write `name: value`")
                self._value(event, (*loc, "?"))
                self._value(next(self._events), (*loc, "?"))
                continue
            key = event.value
            here = (*loc, key)
            if key == "<<" and not event.style:
                self._report(event, loc, "merge keys (<<) are not supported; write the keys out")
            elif key in mapping:
                first = self.places[here].line
                since = f" (first on line {first})" if first else ""
                self._problems.append(
                    f"{self._at(event)}: key {shortened(key)!r} appears twice{since}; remove one"
                )
                here = (*loc, "?")
            self._refuse_tag(event, loc)
            self._text(event, loc)
            value = self._value(next(self._events), here)
            if here[-1] == key:
                mapping[key] = value
                self.places[here] = self._at(event)
        return mapping

    def _scalar(self, event: Any, loc: Loc) -> Any:
        text = event.value
        # None; of libyaml, an empty text.
        if event.style:
            return self._text(event, loc)
        if text in _NAMED_VALUES:
            return _NAMED_VALUES[text]
        has_leading_zero = _LEADING_ZERO.fullmatch(text) is not None
        if _FLOAT.fullmatch(text) and not has_leading_zero:
            return self._number(event, loc)
        if _NOT_FINITE.fullmatch(text):
            self._report(event, loc, f"{text} is not a finite number; give one")
            return None
        legacy = _type_in_yaml_1_1(text)
        if has_leading_zero:
            legacy = "int"
        if legacy != "str":
            problem = f"{shortened(text)} means different things in YAML 1.1 and 1.2"
            self._report(event, loc, f"{problem}; {_REPAIRS.get(legacy, _QUOTE)}")
            return None
        return self._text(event, loc)

    def _number(self, event: Any, loc: Loc) -> int | float | None:
        text = event.value
        if len(text) > MAX_NUMBER_CHARACTERS:
            problem = f"{shortened(text)} is longer than {MAX_NUMBER_CHARACTERS} characters"
            self._report(event, loc, f"{problem}; give a shorter number")
            return None
        if _INTEGER.fullmatch(text):
            return int(text)
        number = float(text)
        if not math.isfinite(number):
            self._report(event, loc, f"{text} is too large for a number; give a smaller one")
            return None
        return number

    def _text(self, event: Any, loc: Loc) -> str:
        """The scalar's text; characters that steer terminals, or are none, are refused."""
        text: str = event.value
        if text.isprintable():
            # So nearly every text is, and its characters need not be looked at one by one.
            return text
        for character in text:
            if character not in "\n\t" and unicodedata.category(character) in {"Cc", "Cs"}:
                self._report(event, loc, f"holds the character U+{ord(character):04X}; remove it")
                break
        return text


def _type_in_yaml_1_1(text: str) -> str:
    """``bool``, ``int``, ``timestamp`` …: what a plain scalar was before YAML 1.2."""
    tag: str = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))
    return tag.removeprefix(_TAGS)


def limited(problems: list[str]) -> list[str]:
    """The problems of one file, each once; of very many, the first."""
    unique = list(dict.fromkeys(problems))
    if len(unique) <= MAX_PROBLEMS:
        return unique
    file = unique[0].partition(":")[0]
    rest = len(unique) - MAX_PROBLEMS
    return [*unique[:MAX_PROBLEMS], f"{file}: and {rest:,} more problems; fix these first"]
