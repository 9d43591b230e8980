"""``damaged-N`` of a run's folder: damaged files, set aside by a later start."""

from collections.abc import Iterable
from pathlib import Path

from ablate.runs import atomic
from ablate.runs.staging import Writer

_PREFIX = "damaged-"


def folders(run: Path) -> list[Path]:
    """Those that are there."""
    return [path for path in run.iterdir() if path.name.startswith(_PREFIX)]


def move(files: Iterable[Path], run: Path, writer: Writer) -> None:
    """Moves files and folders into a new one, in this order.

    Each gets a second name there before it loses the first, so that a kill loses none, and who was
    taken for dead moves nothing away from who has taken over.

    Raises:
        TakenOver: If another process has taken over.
    """
    target = run / f"{_PREFIX}{len(folders(run)) + 1}"
    target.mkdir()
    for path in files:
        atomic.add_name(path, target / path.name)
        writer.remove(path)
    atomic.sync_folder(run)
