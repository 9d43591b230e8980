"""Copies a run's folder from one store to another, whole or not at all."""

import shutil
import stat
from pathlib import Path

from ablate.errors import StoreError
from ablate.runs import atomic
from ablate.runs.folder import RunFolder

# Hidden, so that no reader takes them for runs.
_NEW, _OLD = ".merge-new-", ".merge-old-"
# Of a process that works, not of the run.
_LEFT_OUT = ("claim", "claim.lock", "progress.json")


def copy_folder(folder: RunFolder, target: Path) -> None:
    """Puts a copy of a run's folder at ``target``, in place of what is there.

    Raises:
        StoreError: If the folder holds anything but files and folders, or a process has begun to
            work on the run meanwhile.
    """
    new, old = (target.with_name(f"{mark}{target.name}") for mark in (_NEW, _OLD))
    atomic.make_folder(new.parent)
    new.mkdir()
    try:
        _copy(folder.path, new)
        if folder.is_claimed():
            raise StoreError(f"{folder.path} is being worked on", "wait until its sweep has ended")
        if target.exists():
            atomic.rename(target, old)
        atomic.rename(new, target)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def remove_leftovers(runs: Path) -> None:
    """Undoes what a copy that was killed has left in a store's folder of runs.

    No other copy into this store may be under way.
    """
    for old in runs.glob(f"{_OLD}*"):
        target = old.with_name(old.name.removeprefix(_OLD))
        if target.exists():
            shutil.rmtree(old)
        else:
            atomic.rename(old, target)
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
