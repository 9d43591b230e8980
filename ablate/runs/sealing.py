"""The digests that a result carries: of the files beside it, and of itself."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablate.errors import StoreError
from ablate.runs import documents, plain_files
from ablate.runs.formats import Result
from ablate.spec import digest_of

OF_SCORES = ("spec.json", "confusion.parquet", "confusion-test.parquet")
"""The files that scores are made of; the rest is compared where it is used."""

# The weights have a field of their own.
_SEALED = (*OF_SCORES, "events.jsonl")
_WEIGHTS = "weights.safetensors"
_NAME = re.compile(r"(panels/)?[^/\x00]+")
REPAIR = "start the sweep again, which sets the run's files aside and trains it anew"
"""What to do about a damaged run."""
# The length of the header, an integer of 64 bits, stands before it.
# https://huggingface.co/docs/safetensors/index#format
_LENGTH_BYTES = 8
_LONGEST_HEADER_BYTES = 100_000_000


def seal(result: Result, folder: Path) -> Result:
    """The result with the digests of the files that lie in the run's folder, and its own.

    Raises:
        OSError: If a file cannot be read.
    """
    files = {}
    for path in [*(folder / name for name in _SEALED), *sorted(folder.glob("panels/*.png"))]:
        if os.path.lexists(path):
            content = plain_files.read_bytes(path)
            files[path.relative_to(folder).as_posix()] = hashlib.sha256(content).hexdigest()
    with_files = result.model_copy(update={"files": files, "sha256": None})
    document = json.loads(with_files.model_dump_json())
    return with_files.model_copy(update={"sha256": own_digest(document)})


def check(result: Result, contents: Mapping[str, bytes], folder: Path) -> None:
    """Makes sure that a result and the files that its scores are made of are as they were written.

    Results of older versions of ablate carry no digests: they pass.

    Args:
        result: What ``result.json`` holds.
        contents: What the files hold, by their names, ``result.json`` among them.
        folder: The run's folder, for messages.

    Raises:
        StoreError: If a file is missing, or differs from what its digest says.
    """
    for name in OF_SCORES:
        if name not in result.files:
            continue
        if name not in contents:
            raise StoreError(f"{folder / name} is missing", REPAIR)
        check_content(result, name, contents[name], folder)
    if result.sha256 is not None:
        path = folder / "result.json"
        document = documents.decode(contents[path.name], str(path), REPAIR)
        if own_digest(document) != result.sha256:
            raise StoreError(f"{path} was changed after it was written", REPAIR)


def is_as_sealed(result: Result, name: str, content: bytes) -> bool:
    """Whether a result has the digest of this content."""
    return result.files.get(name) == hashlib.sha256(content).hexdigest()


def differences(result: Result, folder: Path) -> list[tuple[str, str, str]]:
    """The digests in a result that are not those of the files that are there.

    Weights have a field of their own. Files that are not there are passed over.

    Returns:
        For each file its name, the digest that the result has of it, and its own.

    Raises:
        StoreError: If a file cannot be read.
    """
    found: list[tuple[str, str, str]] = []
    for name, stored in result.files.items():
        # What a result names is a file of its folder, whatever a forged one says.
        if not _NAME.fullmatch(name) or not os.path.lexists(folder / name):
            continue
        content = documents.required_content(folder / name, REPAIR)
        if (computed := hashlib.sha256(content).hexdigest()) != stored:
            found.append((name, stored, computed))
    if result.sha256 is not None:
        path = folder / "result.json"
        computed = own_digest(documents.load(path, REPAIR)) or "none"
        if computed != result.sha256:
            found.append((path.name, result.sha256, computed))
    return found


def check_content(
    result: Result, name: str, content: bytes, folder: Path, repair: str = REPAIR
) -> None:
    """Makes sure that a file is the one that a result names.

    Args:
        result: The run's result.
        name: The file's name in the run's folder; one that the result does not name passes.
        content: What the file holds.
        folder: The run's folder.
        repair: What to do where it is another.

    Raises:
        StoreError: If it is not.
    """
    expected = result.files.get(name)
    if expected is not None and hashlib.sha256(content).hexdigest() != expected:
        raise StoreError(f"{folder / name} was changed after the run had ended", repair)


def weights_problem(folder: Path) -> str | None:
    """Why a finished run's weights cannot be used, as far as their size tells; None if they can.

    Their digest would take seconds for each run; ``ablate verify`` compares it.
    """
    path = folder / _WEIGHTS
    try:
        with plain_files.opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            if length > min(size, _LONGEST_HEADER_BYTES):
                return f"{_WEIGHTS} is damaged"
            header = json.loads(file.read(length))
        end = max((each["data_offsets"][1] for each in _tensors(header)), default=0)
    except FileNotFoundError:
        return f"{_WEIGHTS} is missing"
    except OSError as error:
        return f"{_WEIGHTS} cannot be read: {error.strerror}"
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return f"{_WEIGHTS} is damaged"
    whole = _LENGTH_BYTES + length + end
    return None if size == whole else f"{_WEIGHTS} is damaged: {size:,} of {whole:,} bytes"


def _tensors(header: dict[str, Any]) -> list[dict[str, Any]]:
    return [value for name, value in header.items() if name != "__metadata__"]


def own_digest(document: dict[str, Any]) -> str | None:
    """SHA-256 over all of a result but this digest; None where it holds what JSON does not know."""
    try:
        return digest_of({name: value for name, value in document.items() if name != "sha256"})
    except ValueError:
        return None
