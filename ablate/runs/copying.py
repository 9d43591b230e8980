"""Copies a run's folder from one store to another, whole or not at all."""

import errno
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ablate.errors import StoreError
from ablate.runs import atomic
from ablate.runs.folder import RunFolder
from ablate.runs.formats import Result

MERGE_LOCK = ".merge.lock"
"""In a store, held while others are joined into it."""

# Hidden, so that no reader takes them for runs.
_NEW, _OLD = ".merge-new-", ".merge-old-"
# Of a process that works, not of the run.
_LEFT_OUT = ("claim", "claim.lock", "progress.json")
_NOT_EMPTY = (errno.ENOTEMPTY, errno.EEXIST)


def place_copy(folder: RunFolder, target: Path, others: Sequence[RunFolder]) -> bool:
    """Puts a copy of a run's folder at ``target``, where there is none.

    Args:
        folder: The run.
        target: Where its copy is to lie.
        others: The same run in other stores: what it has cost there, and what the same weights
            were scored on, goes into the copy.

    Returns:
        False where a folder has been made there meanwhile, which is left as it is.

    Raises:
        StoreError: If the folder holds anything but files and folders, or a process has begun to
            work on the run meanwhile.
    """
    with _copied(folder, target, others) as new:
        return _renamed(new, target)


def replace_by_copy(folder: RunFolder, target: Path, others: Sequence[RunFolder]) -> None:
    """Puts a copy of a run's folder in place of the one at ``target``, whose claim must be held.

    Args:
        folder: The run.
        target: Where it lies in another store.
        others: As for ``place_copy``.

    Raises:
        StoreError: As ``place_copy``.
    """
    old = target.with_name(f"{_OLD}{target.name}")
    with _copied(folder, target, others) as new:
        # Nothing is forced to the disk in between: for that long there would be no folder.
        target.replace(old)
        while not _renamed(new, target):
            # A sweep that starts now has made the folder anew, with nothing but a spec in it.
            made = new.with_name(f"{new.name}-made")
            target.replace(made)
            shutil.rmtree(made)
        shutil.rmtree(old)


def add_from(others: Sequence[RunFolder], folder: RunFolder, result: Result | None) -> None:
    """Adds what a run has cost in other stores, and what the same weights were scored on there.

    Args:
        others: The run in other stores.
        folder: The run, which no other process may work on.
        result: What it gave; None: it is not done.
    """
    for other in others:
        folder.add_attempts(other.attempts())
        if result is not None:
            folder.evaluations.add(other.evaluations, result.weights_sha256)


@contextmanager
def _copied(folder: RunFolder, target: Path, others: Sequence[RunFolder]) -> Iterator[Path]:
    """A copy of a run beside ``target``, which is removed at the end if it is still there."""
    new = target.with_name(f"{_NEW}{target.name}")
    atomic.make_folder(new.parent)
    new.mkdir()
    try:
        _copy(folder.path, new)
        if folder.is_claimed():
            raise StoreError(f"{folder.path} is being worked on", "wait until its sweep has ended")
        add_from(others, RunFolder(new), folder.result())
        yield new
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _renamed(new: Path, target: Path) -> bool:
    """Whether a folder has this name now; False: another one has it."""
    try:
        atomic.rename(new, target)
    except OSError as error:
        if error.errno in _NOT_EMPTY:
            return False
        raise
    return True


def remove_leftovers(runs: Path) -> None:
    """Undoes what a copy that was killed has left in a store's folder of runs.

    No other copy into this store may be under way.
    """
    for old in runs.glob(f"{_OLD}*"):
        if not _renamed(old, old.with_name(old.name.removeprefix(_OLD))):
            shutil.rmtree(old)
    for new in runs.glob(f"{_NEW}*"):
        shutil.rmtree(new)


def _copy(source: Path, target: Path) -> None:
    for path in sorted(source.iterdir()):
        if path.name in _LEFT_OUT or path.name.startswith(".") or path.suffix == ".tmp":
            continue
        copy, mode = target / path.name, path.lstat().st_mode
        if stat.S_ISDIR(mode):
            copy.mkdir()
            _copy(path, copy)
        elif stat.S_ISREG(mode):
            shutil.copyfile(path, copy, follow_symlinks=False)
            atomic.sync_file(copy)
        else:
            # A link could lead to any file of this machine.
            raise StoreError(f"{path} is neither a file nor a folder", "remove it")
    atomic.sync_folder(target)
