"""A finished run: what its numbers are made of, each file read once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ablate.errors import StoreError
from ablate.runs import confusions, sealing
from ablate.runs.confusions import Confusions
from ablate.runs.formats import Result, SpecFile


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
            raise StoreError(f"{path} is missing", sealing.REPAIR)
        return confusions.decode(self.contents[name], path)
