"""YAML files as plain values that remember where each of them stands."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ablate.errors import SpecError

# A place in a document: the keys and indices that lead to it.
Loc = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """The safe loader, with YAML 1.2's floats: ``2e-4`` is a number, not a text."""

    yaml_implicit_resolvers = dict(yaml.SafeLoader.yaml_implicit_resolvers)  # noqa: RUF012


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)$"),
    list("-+.0123456789"),
)


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
        places: Where each key, item and the whole stand.
    """

    value: dict[str, Any]
    places: dict[Loc, Place] = field(default_factory=dict)

    def place(self, loc: Loc) -> Place:
        """Where ``loc`` stands, or else the nearest thing around it."""
        while loc not in self.places and loc:
            loc = loc[:-1]
        return self.places[loc]

    def over(self, parent: "Document") -> "Document":
        """This document laid over ``parent``: mappings merge, everything else replaces.

        A mapping of another ``kind`` replaces the parent's: its fields mean other things.
        """
        merged = Document(dict(parent.value), dict(parent.places))
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
                self.places[here] = top.places[here]
                self._lay(top, below[key], item, here)
            else:
                for known in [known for known in self.places if known[: len(here)] == here]:
                    del self.places[known]
                below[key] = item
                self.places |= {k: v for k, v in top.places.items() if k[: len(here)] == here}


def shown(path: Path) -> str:
    """The path as messages print it: relative to the working folder where it lies below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def read(path: Path) -> Document:
    """Reads one YAML mapping.

    Raises:
        SpecError: If the file is unreadable, not YAML, not a mapping, or repeats a key.
    """
    name = shown(path)
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=_Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError([f"{name}: cannot be read: {error}"]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 0
        problem = getattr(error, "problem", None) or str(error).replace("\n", " ")
        raise SpecError([f"{Place(name, line)}: not YAML: {problem}; repair the syntax"]) from error
    if not isinstance(root, yaml.MappingNode):
        raise SpecError([f"{name}: holds no mapping; write `key: value` lines"])
    places: dict[Loc, Place] = {}
    problems: list[str] = []
    value = _plain(root, (), name, places, problems)
    if problems:
        raise SpecError(problems)
    return Document(value, places)


def parse_value(text: str) -> Any:
    """The value of ``--set KEY=VALUE``, read as YAML.

    Raises:
        yaml.YAMLError: If it is not YAML.
    """
    return yaml.load(text, Loader=_Loader)


def _plain(
    node: yaml.Node, loc: Loc, file: str, places: dict[Loc, Place], problems: list[str]
) -> Any:
    """The node as a plain value; notes places, and keys that stand twice or are no text."""
    places[loc] = Place(file, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [
            _plain(item, (*loc, index), file, places, problems)
            for index, item in enumerate(node.value)
        ]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(node)
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        place = Place(file, key_node.start_mark.line + 1)
        key = key_node.value
        if not isinstance(key, str):
            problems.append(f"{place}: a key must be a text; write `name: value`")
            continue
        if key in mapping:
            first = places[(*loc, key)].line
            problems.append(
                f"{place}: key {key!r} stands twice (first on line {first}); remove one"
            )
            continue
        mapping[key] = _plain(value_node, (*loc, key), file, places, problems)
        places[(*loc, key)] = place
    return mapping


def _scalar(node: yaml.Node) -> Any:
    value = _construct(node)
    # Dates and binaries have no place in a spec: keep the text that the user wrote.
    return value if isinstance(value, str | int | float | bool | None) else node.value


def _construct(node: yaml.Node) -> Any:
    loader = _Loader("")
    try:
        return loader.construct_object(node)
    finally:
        loader.dispose()
