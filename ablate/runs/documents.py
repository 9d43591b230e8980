"""Reading the JSON documents of a store: older ones are upgraded, broken ones are one line."""

import json
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ablate.errors import StoreClosed, StoreError
from ablate.runs import plain_files
from ablate.runs.formats import SCHEMA_VERSION, Document
from ablate.runs.upgrade import UPGRADES

MOST_BYTES = 1 << 26
"""Of a run's file: a result has a few kilobytes, the events of 100,000 epochs 30 megabytes."""

_Model = TypeVar("_Model", bound=Document)


def read(model: type[_Model], path: Path, repair: str) -> _Model:
    """The document in a file.

    Args:
        model: What the file holds.
        path: The file.
        repair: What to do where it cannot be read.

    Raises:
        FileNotFoundError: If there is no such file.
        StoreError: If it cannot be read.
    """
    return from_content(model, content_of(path, repair), str(path), repair)


def content_of(path: Path, repair: str, most_bytes: int = MOST_BYTES) -> bytes:
    """What is in a file of the store.

    Args:
        path: The file.
        repair: What to do where it cannot be read.
        most_bytes: A larger file is refused before it is read.

    Raises:
        FileNotFoundError: If there is no such file.
        StoreError: If it cannot be read, or is no regular file.
    """
    try:
        return plain_files.read_bytes(path, most_bytes)
    except FileNotFoundError:
        raise
    except OSError as error:
        problem = f"{path} cannot be read: {error.strerror}"
        if error.errno in plain_files.NOT_A_FILE:
            raise StoreError(problem, repair) from error
        raise StoreClosed(problem, "check its permissions and the disk") from error


def content_if_there(path: Path, repair: str) -> bytes | None:
    """What is in a file of the store; None where there is no file (any more).

    Raises:
        StoreError: If it cannot be read, or is no regular file.
    """
    try:
        return content_of(path, repair)
    except FileNotFoundError:
        return None


def required_content(path: Path, repair: str) -> bytes:
    """What is in a file that must be there.

    Raises:
        StoreError: If it is missing, cannot be read, or is no regular file.
    """
    try:
        return content_of(path, repair)
    except FileNotFoundError as error:
        raise StoreError(f"{path} is missing", repair) from error


def check_folders(*paths: Path) -> None:
    """Refuses links in place of folders: what is written there would leave the store.

    Raises:
        StoreClosed: If there is one.
    """
    for path in paths:
        if path.is_symlink():
            raise StoreClosed(f"{path} is a link, not a folder", "put the folder in its place")


def from_content(model: type[_Model], content: bytes, where: str, repair: str) -> _Model:
    """The document that ``content`` is.

    Args:
        model: What it holds.
        content: JSON.
        where: What messages call it.
        repair: What to do where it cannot be read.

    Raises:
        StoreError: If it is no JSON object, breaks the schema, or is written in a newer one.
    """
    # Nearly every document: validated once, which takes a third of the time of what is below.
    with suppress(ValidationError):
        document = model.model_validate_json(content)
        if _is_present(document):
            return document
    return parse(model, decode(content, where, repair), where, repair)


def from_lines(
    model: type[_Model], lines: Sequence[bytes], path: Path, repair: str
) -> list[_Model]:
    """The documents of a file that has one in each line.

    Raises:
        StoreError: As ``from_content`` does, of the first line that cannot be read.
    """
    # All at once takes a quarter of the time of one by one; messages name the line.
    with suppress(ValidationError):
        found = _list_of(model).validate_json(b"[" + b",".join(lines) + b"]")
        if len(found) == len(lines) and all(map(_is_present, found)):
            return found
    return [
        from_content(model, line, f"line {number} of {path}", repair)
        for number, line in enumerate(lines, start=1)
    ]


@cache
def _list_of(model: type[_Model]) -> TypeAdapter[list[_Model]]:
    return TypeAdapter(list[model])  # type: ignore[valid-type]  # a type that is known when called


def _is_present(document: Document) -> bool:
    """Whether it says its schema: an older one has no such field, and other names of metrics."""
    return "schema_version" in document.model_fields_set


def load(path: Path, repair: str, most_bytes: int = MOST_BYTES) -> dict[str, Any]:
    """The JSON object in a file, of whatever schema.

    Raises:
        FileNotFoundError: If there is no such file.
        StoreError: If it cannot be read or is not a JSON object.
    """
    return decode(content_of(path, repair, most_bytes), str(path), repair)


def decode(content: bytes, where: str, repair: str) -> dict[str, Any]:
    """The JSON object that ``content`` is, of whatever schema.

    Raises:
        StoreError: If it is not a JSON object; it names ``where``.
    """
    try:
        document = json.loads(content)
    # ValueError: no JSON, no UTF-8, or a number of thousands of digits.
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{where} cannot be read: {error}", repair) from error
    if not isinstance(document, dict):
        raise StoreError(f"{where} cannot be read: it is not a JSON object", repair)
    return document


def schema_version(document: dict[str, Any]) -> int:
    """The schema that a document is written in; the first one has no such field.

    What is not a whole number counts as the present one, whose validation refuses it.
    """
    version = document.get("schema_version", 1)
    return version if type(version) is int else SCHEMA_VERSION


def parse(model: type[_Model], document: dict[str, Any], where: str, repair: str) -> _Model:
    """The value that a document describes, brought to the present schema.

    Args:
        model: What it holds.
        document: The JSON object.
        where: What messages call it.
        repair: What to do where it cannot be read.

    Raises:
        StoreError: If it breaks the schema, or is written in a newer one.
    """
    version = schema_version(document)
    if version > SCHEMA_VERSION:
        raise StoreClosed(
            f"{where} is written in schema {version}, newer than this ablate's {SCHEMA_VERSION}",
            "install the version of ablate that wrote it, or a newer one",
        )
    try:
        for step in range(max(version, 1), SCHEMA_VERSION):
            upgrade = UPGRADES[step].get(model.__name__, dict)
            document = upgrade(document) | {"schema_version": step + 1}
        # Through JSON: only there does a strict model take a list for a tuple.
        return model.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise StoreError(f"{where} cannot be read: {_first_problem(error)}", repair) from error
    # An older document that lacks what its own schema requires.
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise StoreError(
            f"{where} cannot be read: it breaks schema {version} ({error!r})", repair
        ) from error


def _first_problem(error: ValidationError) -> str:
    """The first of pydantic's problems in one line."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    message = first["msg"].partition("\n")[0]
    return f"{place}: {message}" if place else message
