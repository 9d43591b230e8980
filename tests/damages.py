"""What can happen to a file of a store."""

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Takes the file, and another of its kind.
Damage = Callable[[Path, Path], None]


def half(path: Path, other: Path) -> None:
    """As after a full disk or a power cut."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def empty(path: Path, other: Path) -> None:
    """As after a power cut."""
    path.write_bytes(b"")


def flipped(path: Path, other: Path, seed: int = 0) -> None:
    """One bit is another."""
    content = bytearray(path.read_bytes())
    place = random.Random(f"{path.name} {seed}").randrange(8 * len(content))
    content[place // 8] ^= 1 << place % 8
    path.write_bytes(content)


def edited(path: Path, other: Path) -> None:
    """Valid in its syntax, with another value; what is no text gets another byte."""
    if path.suffix not in (".json", ".jsonl"):
        flipped(path, other, seed=1)
        return
    lines = path.read_text().split("\n") if path.suffix == ".jsonl" else [path.read_text()]
    path.write_text("\n".join([_with_another_number(lines[0]), *lines[1:]]))


def exchanged(path: Path, other: Path) -> None:
    """That of another run or sweep lies in its place."""
    shutil.copyfile(other, path)


def folder(path: Path, other: Path) -> None:
    """A folder lies in its place."""
    path.unlink()
    path.mkdir()


def link(path: Path, other: Path) -> None:
    """A link leads to a file of this machine that is none of the store's business."""
    path.unlink()
    path.symlink_to(outside(path))


def fifo(path: Path, other: Path) -> None:
    """What is opened for reading waits for a writer."""
    path.unlink()
    os.mkfifo(path)


def removed(path: Path, other: Path) -> None:
    """It is not there."""
    path.unlink()


DAMAGES: tuple[Damage, ...] = (
    half,
    empty,
    flipped,
    edited,
    exchanged,
    folder,
    link,
    fifo,
    removed,
)


def outside(path: Path) -> Path:
    """The file that links lead to: above the store, whose name is ``store``."""
    store = next(parent for parent in path.parents if parent.name == "store")
    return store.with_name("outside.txt")


def _with_another_number(text: str) -> str:
    """The last number of the document, however deep, is one more; without any, the last text."""
    document = json.loads(text)
    numbers = list(_values(document, int | float))
    if numbers:
        holder, key = numbers[-1]
        holder[key] += 1
    else:
        holder, key = list(_values(document, str))[-1]
        holder[key] += "x"
    return json.dumps(document)


def _values(value: Any, kind: Any) -> Iterator[tuple[Any, Any]]:
    """The places of values of a kind."""
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(each, dict | list):
            yield from _values(each, kind)
        elif isinstance(each, kind) and not isinstance(each, bool) and key != "schema_version":
            yield value, key
