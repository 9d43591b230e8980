"""The report of a sweep, as it was left in the store for its parent run."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ablate.runs import plain_files

# Beside the files that become artifacts.
NOTE_FILE = "note.md"


@dataclass(frozen=True)
class ReportCopy:
    """What a parent run shows of the report.

    Attributes:
        note: Its description, in Markdown.
        files: The whole report in several formats; they become artifacts under their names.
        digest: Differs where any of that differs.
    """

    note: str
    files: tuple[Path, ...]
    digest: str


def read_report(folder: Path) -> ReportCopy | None:
    """What was left in a folder; None where there is no report.

    Raises:
        OSError: If a file of it cannot be read.
        UnicodeError: If the note is no text.
    """
    note = folder / NOTE_FILE
    # Not what a writer that was killed has left beside them.
    files = tuple(sorted(folder.glob("report.*")))
    digest = hashlib.sha256()
    try:
        text = plain_files.read_bytes(note)
    except FileNotFoundError:
        return None
    digest.update(note.name.encode() + b"\0" + text)
    for path in files:
        digest.update(path.name.encode() + b"\0" + plain_files.read_bytes(path))
    return ReportCopy(text.decode("utf-8"), files, digest.hexdigest()[:16])
