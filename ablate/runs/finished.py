"""A finished run: what its numbers are made of, each file read once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ablate.errors import StoreError
from ablate.runs import confusions, documents, sealing
from ablate.runs.confusions import Confusions
from ablate.runs.formats import Result, SpecFile
from ablate.runs.sealing import REPAIR
from ablate.spec import ENGINE_VERSION

_RESULT, _SPEC = "result.json", "spec.json"


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A run with a result.

    Attributes:
        result: What it gave.
        spec: What it is.
        folder: Where it lies.
        contents: What the files hold that scores are made of, by their names, and ``result.json``;
            a file that is missing is left out.
    """

    result: Result
    spec: SpecFile
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

    def confusions(self) -> Confusions:
        """The pixels of every validation image.

        Raises:
            StoreError: If they are missing or cannot be read.
        """
        return self._confusions("confusion.parquet")

    def test_confusions(self) -> Confusions:
        """The pixels of every test image.

        Raises:
            StoreError: If they are missing or cannot be read.
        """
        return self._confusions("confusion-test.parquet")

    def _confusions(self, name: str) -> Confusions:
        path = self.folder / name
        if name not in self.contents:
            raise StoreError(f"{path} is missing", REPAIR)
        return confusions.decode(self.contents[name], path)


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
    # The key of a spec that the result has the digest of was right when the run was trained.
    is_as_sealed = sealing.is_as_sealed(result, _SPEC, contents[_SPEC])
    spec = spec_of(contents[_SPEC], folder / _SPEC, is_key_known=is_as_sealed)
    return FinishedRun(result, spec, folder, contents)


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
