"""A finished run: what its numbers are made of, each file read once."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ConfigDict, ValidationError

from ablate.errors import StoreError
from ablate.runs import documents, sealing
from ablate.runs.confusions import Confusions
from ablate.runs.confusions import decode as decode_confusions
from ablate.runs.formats import Document, Provenance, Result, SpecFile
from ablate.runs.sealing import REPAIR
from ablate.spec import ENGINE_VERSION

Decode = Callable[[bytes, Path], Confusions]
"""Reads the content of a file, whose path is for messages."""

_RESULT, _SPEC = "result.json", "spec.json"


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A run with a result.

    Attributes:
        result: What it gave.
        provenance: What it was made by.
        folder: Where it lies.
        contents: What the files hold that scores are made of, by their names, and ``result.json``;
            a file that is missing is left out.
    """

    result: Result
    provenance: Provenance
    folder: Path
    contents: Mapping[str, bytes]

    def check(self) -> None:
        """Makes sure that the result and the files that it names are as they were written.

        Raises:
            StoreError: If one is missing, cannot be read, or was changed.
        """
        sealing.check(self.result, self.contents, self.folder)
        if not self.result.files:
            self.confusions()

    def confusions(self, decode: Decode = decode_confusions) -> Confusions:
        """The pixels of every validation image.

        Args:
            decode: How the file's content is read.

        Raises:
            StoreError: If they are missing or cannot be read.
        """
        return self._confusions("confusion.parquet", decode)

    def test_confusions(self, decode: Decode = decode_confusions) -> Confusions:
        """The pixels of every test image.

        Args:
            decode: How the file's content is read.

        Raises:
            StoreError: If they are missing or cannot be read.
        """
        return self._confusions("confusion-test.parquet", decode)

    def _confusions(self, name: str, decode: Decode) -> Confusions:
        path = self.folder / name
        if name not in self.contents:
            raise StoreError(f"{path} is missing", REPAIR)
        return decode(self.contents[name], path)


def read(folder: Path) -> FinishedRun | None:
    """Reads a finished run; None before there is a result.

    Raises:
        StoreError: If result or spec cannot be read, or are of another run.
    """
    content = documents.content_if_there(folder / _RESULT, REPAIR)
    if content is None:
        return None
    result, contents = result_of(content, folder / _RESULT), {_RESULT: content}
    for name in sealing.OF_SCORES:
        if (content := documents.content_if_there(folder / name, REPAIR)) is not None:
            contents[name] = content
    if _SPEC not in contents:
        raise StoreError(f"{folder / _SPEC} is missing", REPAIR)
    is_as_sealed = sealing.is_as_sealed(result, _SPEC, contents[_SPEC])
    provenance = _provenance_of(contents[_SPEC], folder / _SPEC, is_as_sealed=is_as_sealed)
    return FinishedRun(result, provenance, folder, contents)


class _Origin(Document):
    """The part of ``spec.json`` that says of which run it is, and what made that."""

    model_config = ConfigDict(extra="ignore")

    key: str
    provenance: Provenance


def _provenance_of(content: bytes, path: Path, *, is_as_sealed: bool) -> Provenance:
    """What a run was made by.

    A spec that the result has the digest of was right when the run was trained, its key too: most
    of it, which takes most of the time of a status, need not be read again.

    Raises:
        StoreError: If the spec cannot be read, or is of another run than its folder.
    """
    if is_as_sealed:
        with suppress(ValidationError):
            origin = _Origin.model_validate_json(content)
            if "schema_version" in origin.model_fields_set and origin.key == path.parent.name:
                return origin.provenance
    return spec_of(content, path, is_key_known=is_as_sealed).provenance


def result_of(content: bytes, path: Path) -> Result:
    """The result that a file holds.

    Raises:
        StoreError: If it cannot be read, or is of another run than its folder.
    """
    result = documents.from_content(Result, content, str(path), REPAIR)
    if result.key != path.parent.name:
        raise StoreError(f"{path} is of run {result.key}, not of {path.parent.name}", REPAIR)
    return result


def spec_of(content: bytes, path: Path, *, is_key_known: bool = False) -> SpecFile:
    """The spec that a file holds.

    Args:
        content: What the file holds.
        path: The file.
        is_key_known: Whether its key need not be computed. That of a run of an older engine cannot
            be computed any more.

    Raises:
        StoreError: If it cannot be read, or is of another run than its folder.
    """
    spec, key = documents.from_content(SpecFile, content, str(path), REPAIR), path.parent.name
    is_key_known |= spec.run.context.engine != ENGINE_VERSION
    computed = spec.key if is_key_known else spec.run.key
    if not spec.key == key == computed:
        wrong = spec.key if spec.key != key else computed
        raise StoreError(
            f"{path} is of run {wrong}, not of {key}", "move the folder back, or remove it"
        )
    return spec
