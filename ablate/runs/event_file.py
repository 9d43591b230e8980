"""``events.jsonl``: one line for each epoch."""

import hashlib
from pathlib import Path

from ablate.errors import StoreError
from ablate.runs import documents, plain_files, sealing
from ablate.runs.formats import Event, Result
from ablate.runs.staging import Writer

# Scores are not made of events: such a run is not trained again by itself.
_REPAIR = "remove the run's folder and run again"


class EventFile:
    """The epochs of one run on disk.

    Args:
        path: The file; it need not exist yet.
        writer: Of the run's folder.
    """

    def __init__(self, path: Path, writer: Writer) -> None:
        """Touches nothing."""
        self.path = path
        self._writer = writer

    def append(self, event: Event) -> None:
        """Adds the end of an epoch, by writing the file anew.

        To a file that is open for appending, a process whose run was taken over could still write.
        The name may be lost with the power: a checkpoint, which is written next, forces it to the
        disk, and without one the epoch is trained again.

        Raises:
            OSError: If something that is no file lies there, or it cannot be written.
        """
        try:
            content = plain_files.read_bytes(self.path, documents.MOST_BYTES)
        except FileNotFoundError:
            content = b""
        # A line that an older ablate has half written is no event.
        whole = content[: content.rfind(b"\n") + 1]
        line = f"{event.model_dump_json()}\n".encode()
        self._writer.replace(self.path, whole + line, force_name=False)

    def read(self, result: Result | None = None) -> list[Event]:
        """All whole lines, in order; a line that a kill cut short is left out.

        Args:
            result: The result of the run, whose digest the file must have; None: it has none yet.

        Raises:
            StoreError: If a whole line cannot be read, or the file was changed.
        """
        try:
            content = documents.content_of(self.path, _REPAIR)
        except FileNotFoundError as error:
            if result is not None and self.path.name in result.files:
                raise StoreError(f"{self.path} is missing", _REPAIR) from error
            return []
        if result is not None:
            sealing.check_content(result, self.path.name, content, self.path.parent, _REPAIR)
        return documents.from_lines(Event, content.split(b"\n")[:-1], self.path, _REPAIR)

    def sha256(self) -> str:
        """Of the file as it is; of nothing where there is none.

        Raises:
            StoreError: If it cannot be read.
        """
        content = documents.content_if_there(self.path, _REPAIR) or b""
        return hashlib.sha256(content).hexdigest()

    def cut(self, last_epoch: int, sha256: str | None = None) -> None:
        """Removes what came after ``last_epoch``.

        Args:
            last_epoch: The last epoch to keep.
            sha256: Of what is to be left; None: not known.

        Raises:
            StoreError: If a whole line cannot be read, an epoch before is missing, or what would
                be left is something else.
        """
        kept = [event for event in self.read() if event.epoch <= last_epoch]
        if [event.epoch for event in kept] != list(range(1, last_epoch + 1)):
            raise StoreError(f"{self.path} lacks epochs up to {last_epoch}", sealing.REPAIR)
        lines = "".join(event.model_dump_json() + "\n" for event in kept).encode()
        if sha256 not in (None, hashlib.sha256(lines).hexdigest()):
            raise StoreError(f"{self.path} was changed", sealing.REPAIR)
        self._writer.replace(self.path, lines)
