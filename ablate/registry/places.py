"""Where the catalogue lies: the user's working folder first, then what ships with ablate."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from ablate.registry.source import shown

# What a variant, sweep or protocol may be called.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_DIGITS = re.compile(r"(\d+)")

_PACKAGE = Path(__file__).parent.parent
_only: ContextVar[Path | None] = ContextVar("_only", default=None)


def shipped(part: str) -> Path:
    """A folder that ships with ablate: ``variants``, ``sweeps`` or ``reports/published``.

    A wheel carries it inside the package, a checkout at its top level.
    """
    inside = _PACKAGE / "_catalogue"
    return (inside if inside.exists() else _PACKAGE.parent) / part


def search_path(part: str) -> list[Path]:
    """The folders to look in for ``part``; of two files of one name, the first is read."""
    if (folder := _only.get()) is not None:
        return [folder / part]
    return [Path(part).absolute(), shipped(part)]


@contextmanager
def only_in(folder: Path) -> Iterator[None]:
    """While this is open, a folder is the whole catalogue: a bundle brings its own.

    Args:
        folder: The folder, which may hold ``variants``, ``sweeps`` and ``reports/published``.
    """
    token = _only.set(folder.absolute())
    try:
        yield
    finally:
        _only.reset(token)


def named_files(folders: Iterable[Path]) -> dict[str, Path]:
    """The YAML files of the folders by name, in natural order (x-2 before x-10).

    Of two files of one name, the first is kept. Hidden files (editors' locks and the like) are
    skipped, and so is what cannot be a name, see ``misnamed``.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        for path in _yaml_files(folder):
            if NAME.fullmatch(path.stem):
                found.setdefault(path.stem, path)
    return {name: found[name] for name in sorted(found, key=_natural)}


def misnamed(folders: Iterable[Path]) -> list[str]:
    """A line for each YAML file whose name cannot be used."""
    rule = "a name holds only letters, digits, '.', '_' and '-'; rename it"
    return [
        f"{shown(path)}: {rule}"
        for folder in folders
        for path in sorted(_yaml_files(folder))
        if not NAME.fullmatch(path.stem)
    ]


def _yaml_files(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*.yaml") if not path.name.startswith(".")]


def _natural(name: str) -> list[tuple[int, str]]:
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(name) if part
    ]
