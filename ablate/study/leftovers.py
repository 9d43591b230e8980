"""``find_leftovers``, ``remove_leftovers``: what no sweep of a store names, or needs any more."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ablate.errors import BadInput, StoreError
from ablate.runs import RunFolder, Store, locks, shown, submitted
from ablate.runs.copying import MERGE_LOCK
from ablate.runs.data_check import data_check_id
from ablate.runs.drivers import driver_files, no_new_drivers, wait_for_signs
from ablate.spec import Context, InnerSplit
from ablate.tracking.deleted import deleted_artifacts

Kind = Literal[
    "run",
    "checkpoint",
    "damaged",
    "cache",
    "source",
    "data-check",
    "log",
    "mlflow",
    "temporary",
]

# While a process trains or evaluates, it may use what no record names.
_WAITING_KINDS = ("run", "cache", "source", "data-check", "log")
# A removal renames first: a kill leaves what was begun under this name.
_REMOVED = ".removed-"
_KEY = re.compile("[0-9a-f]{16}")
_CACHE = re.compile(r"([0-9a-f]{64})-([0-9]+)px((?:\.[0-9a-f]{8})?\.partial)?")
_DIGEST = re.compile(r"([0-9a-f]{64})\.json")
_DATA_CHECK = re.compile(r"([0-9a-f]{16})\.json")
_TEMPORARY = re.compile(r"\.[0-9]+-([0-9a-f]{8}-)?[0-9a-f]{8}\.tmp")
# What a finished run had while it was trained.
_OF_TRAINING = re.compile(r"checkpoint-[0-9]+\.(pt|sha256)|progress\.json|failure\.json")
_DAMAGED = re.compile("damaged-[0-9]+")
_CLAIM = re.compile(r"claim|claim\.lock|\.claim-[0-9a-f]+")
# With these, the digest of a run's data is not that of the images alone, which a cache is named by.
_SPLITS_BY_FILES = ("groups", "lists")
MOST_DAYS = 36_500


@dataclass(frozen=True)
class Leftover:
    """Something that may be removed.

    Attributes:
        kind: What it is.
        path: A file or a folder.
        size_bytes: What it takes.
        reason: Why it may be removed.
    """

    kind: Kind
    path: Path
    size_bytes: int
    reason: str


@dataclass(frozen=True)
class Leftovers:
    """What a store holds in vain.

    Attributes:
        found: What may be removed.
        notes: What was not looked at, and why.
    """

    found: tuple[Leftover, ...]
    notes: tuple[str, ...]

    @property
    def size_bytes(self) -> int:
        """What all of it takes."""
        return sum(each.size_bytes for each in self.found)


@dataclass
class _Named:
    """What the records of a store name.

    Attributes:
        runs: Keys.
        sources: Digests of data and weights.
        data_checks: Names of the outcomes of checks of data.
        caches: Digest of the images and size in pixels.
        all_caches: Whether a cache may be named by a digest that no record holds.
    """

    runs: set[str] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)
    data_checks: set[str] = field(default_factory=set)
    caches: set[tuple[str, int]] = field(default_factory=set)
    all_caches: bool = False

    def add_context(self, context: Context) -> None:
        """What runs under this context need."""
        protocol, digest = context.protocol, context.data.digest
        resnets = {each.sha256 for each in context.resnets.values()}
        self.sources |= {digest, context.weights.sha256} | resnets
        self.data_checks.add(data_check_id(digest, protocol.split))
        self.caches.add((digest, protocol.image_size_px))
        split = protocol.split
        outer = split.of if isinstance(split, InnerSplit) else split
        self.all_caches |= outer.kind in _SPLITS_BY_FILES


def find_leftovers(store: Path, older_than_days: int = 0) -> Leftovers:
    """Lists what may be removed from a store. Writes nothing.

    Args:
        store: The store.
        older_than_days: Only what was last changed so many days ago.

    Raises:
        StoreError: If there is no such store.
        BadInput: If the number of days is out of range.
    """
    opened = Store(store)
    if not opened.root.is_dir():
        raise StoreError(f"there is no store {opened.root}", "name another with --store")
    if isinstance(older_than_days, bool) or not 0 <= older_than_days <= MOST_DAYS:
        raise BadInput(
            f"{str(older_than_days)[:20]} days are out of range", f"give 0 to {MOST_DAYS}"
        )
    problems: list[str] = []
    named = _named(opened, problems)
    notes = list(problems)
    left_out: tuple[str, ...] = ()
    if problems:
        left_out = _WAITING_KINDS
        notes.append("what sweeps may name is kept: not all of their records can be read")
    for processes in _living(opened):
        left_out = _WAITING_KINDS
        notes.append(f"{processes} here: what sweeps may name is kept meanwhile")
    if waiting := {each.sweep for each in submitted.noted(opened.drivers_path)}:
        left_out = _WAITING_KINDS
        notes.append(
            f"{', '.join(sorted(map(shown, waiting)))} may have jobs in a cluster: what sweeps may "
            "name is kept meanwhile (`ablate status`, `ablate cancel`)"
        )
    if _is_locked(opened.root / MERGE_LOCK):
        left_out = _WAITING_KINDS
        notes.append("a merge is under way: what sweeps may name is kept meanwhile")
    latest = time.time() - older_than_days * 86_400
    found = [
        each
        for each in _leftovers(opened, named, notes)
        if each.kind not in left_out and (not older_than_days or _changed(each.path) <= latest)
    ]
    return Leftovers(tuple(found), tuple(notes))


def _living(store: Store) -> Iterator[str]:
    """The processes that train or evaluate in a store, in words."""
    drivers = [file.read() for file in driver_files(store.drivers_path) if file.lives()]
    evaluate = sum(driver is not None and driver.work == "evaluation" for driver in drivers)
    # One whose file cannot be read may train.
    for count, verb in ((len(drivers) - evaluate, "train"), (evaluate, "evaluate")):
        if count:
            yield f"a process {verb}s" if count == 1 else f"{count} processes {verb}"


def remove_leftovers(store: Path, older_than_days: int = 0) -> Leftovers:
    """Removes what ``find_leftovers`` lists; killed meanwhile, the next call goes on.

    No sweep starts in the store before it has ended.

    Returns:
        What was removed; the notes also name what could not be.

    Raises:
        StoreError: If there is no such store, or its file system has no locks.
        BadInput: If the number of days is out of range.
    """
    if not (listed := find_leftovers(store, older_than_days)).found:
        return listed
    opened = Store(store)
    removed: list[Leftover] = []
    wait_for_signs(opened.drivers_path)
    with no_new_drivers(opened.drivers_path):
        listed = find_leftovers(store, older_than_days)
        notes = list(listed.notes)
        for each in listed.found:
            try:
                is_removed = _remove(each, opened)
            except (OSError, StoreError) as error:
                notes.append(f"{each.path} cannot be removed: {error}")
                continue
            if is_removed:
                removed.append(each)
            else:
                notes.append(f"{each.path} is kept: a process works on it")
    return Leftovers(tuple(removed), tuple(notes))


# What is named ------------------------------------------------------------------------------


def _named(store: Store, problems: list[str]) -> _Named:
    named = _Named()
    for record in store.sweep_records(problems=problems):
        named.runs |= {run.key for run in record.runs}
        for split in record.splits or (0,):
            named.add_context(record.context_of(split))
    for tuning in store.tunings(problems):
        named.runs |= tuning.run_keys
        for context in (tuning.context, tuning.inner):
            named.add_context(context)
    return named


# What is not --------------------------------------------------------------------------------


def _leftovers(store: Store, named: _Named, notes: list[str]) -> Iterator[Leftover]:
    yield from _in_runs(store, named)
    yield from _in_cache(store, named)
    for path in _entries(store.root / "sources"):
        if (match := _DIGEST.fullmatch(path.name)) and match[1] not in named.sources:
            yield _leftover("source", path, "no sweep names its data or weights")
    for path in _entries(store.root / "data-checks"):
        if (match := _DATA_CHECK.fullmatch(path.name)) and match[1] not in named.data_checks:
            yield _leftover("data-check", path, "no sweep names this data under this split")
    try:
        for path in deleted_artifacts(store):
            yield _leftover("mlflow", path, "its run was deleted in MLflow")
    except StoreError as error:
        notes.append(str(error))
    kept = _logs_that_tell(store, named)
    for path in _entries(store.logs_path):
        if path.suffix == ".log" and path.name not in kept:
            yield _leftover("log", path, "no unfinished run of a sweep has printed to it")
    for file in driver_files(store.drivers_path):
        if not file.lives():
            for path in filter(os.path.lexists, file.files()):
                yield _leftover("temporary", path, "its process has ended")
    for name in ("sweeps", "tunings"):
        for path in _entries(store.root / name):
            if _DAMAGED.fullmatch(path.name):
                yield _leftover("damaged", path, "set aside by a later start")
    for folder in ("", "sweeps", "tunings", "sources", "data-checks", "drivers", "cache"):
        yield from _temporary_files(store.root / folder)


def _in_runs(store: Store, named: _Named) -> Iterator[Leftover]:
    for path in _entries(store.root / "runs"):
        if path.name.startswith((_REMOVED, ".merge-new-")):
            # A copy that is under way holds the lock of its merge.
            if not _is_locked(store.root / MERGE_LOCK):
                yield _leftover("temporary", path, "its process has ended")
            continue
        if not _KEY.fullmatch(path.name) or path.is_symlink() or not path.is_dir():
            continue
        if _is_claimed(path):
            continue
        if path.name not in named.runs:
            yield _leftover("run", path, "no sweep and no tuning names it")
            continue
        entries = _entries(path)
        is_finished = any(each.name == "result.json" for each in entries)
        for each in entries:
            if _DAMAGED.fullmatch(each.name):
                yield _leftover("damaged", each, "set aside by a later start")
            elif is_finished and _OF_TRAINING.fullmatch(each.name):
                yield _leftover("checkpoint", each, "the run is done")
            elif is_finished and _CLAIM.fullmatch(each.name):
                yield _leftover("temporary", each, "its process has ended")
        for each in _entries(path / "evaluations"):
            if _DAMAGED.fullmatch(each.name):
                yield _leftover("damaged", each, "set aside by a later start")
        for folder in (path, path / "attempts", path / "evaluations", path / "panels"):
            yield from _temporary_files(folder)


def _in_cache(store: Store, named: _Named) -> Iterator[Leftover]:
    for path in _entries(store.cache_path):
        if path.name.startswith(_REMOVED):
            yield _leftover("cache", path, "its removal was not finished")
            continue
        if path.name == "files":
            for file in _entries(path):
                if (match := _DIGEST.fullmatch(file.name)) and match[1] not in named.sources:
                    yield _leftover("cache", file, "no sweep names this data")
            continue
        match = _CACHE.fullmatch(path.name)
        if match is None or _is_locked(path.with_name(f"{match[1]}-{match[2]}px.lock")):
            continue
        if match[3]:
            yield _leftover("cache", path, "its process has ended")
        elif not named.all_caches and (match[1], int(match[2])) not in named.caches:
            yield _leftover("cache", path, "no sweep names these images at this size")


def _logs_that_tell(store: Store, named: _Named) -> set[str]:
    """The logs of the last attempts at runs that have no result: ``ablate logs`` shows them."""
    kept: set[str] = set()
    for key in named.runs:
        folder = store.run(key)
        if not folder.has_result():
            with suppress(StoreError):
                kept |= {each.log for each in folder.attempts()[-1:] if each.log}
    return kept


def _temporary_files(folder: Path) -> Iterator[Leftover]:
    for path in _entries(folder):
        if _TEMPORARY.fullmatch(path.name) and not _is_locked(path):
            yield _leftover("temporary", path, "its process has ended")


def _leftover(kind: Kind, path: Path, reason: str) -> Leftover:
    return Leftover(kind, path, _size(path), reason)


def _entries(folder: Path) -> list[Path]:
    """What is in a folder, by name; nothing in a link, which may lead out of the store."""
    if folder.is_symlink():
        return []
    with suppress(OSError):
        return sorted(folder.iterdir())
    return []


def _is_locked(path: Path) -> bool:
    with suppress(StoreError):
        return locks.is_held(path)
    return False


def _is_claimed(path: Path) -> bool:
    try:
        return RunFolder(path).is_claimed()
    except StoreError:
        # What is there instead of a lock holds nothing.
        return False


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; links are not followed."""
    total = 0
    if path.is_symlink() or not path.is_dir():
        with suppress(OSError):
            total = path.lstat().st_size
        return total
    for folder, _, files in os.walk(path):
        for name in files:
            with suppress(OSError):
                total += (Path(folder) / name).lstat().st_size
    return total


def _changed(path: Path) -> float:
    """When something was last written there; Unix seconds."""
    with suppress(OSError):
        return path.lstat().st_mtime
    return time.time()


# Removing -----------------------------------------------------------------------------------


def _remove(leftover: Leftover, store: Store) -> bool:
    """Removes it unless a process works on it.

    Raises:
        OSError: If it cannot be removed.
    """
    path = leftover.path
    runs = store.root / "runs"
    run = next((each for each in (path, *path.parents) if each.parent == runs), None)
    if run is None or not _KEY.fullmatch(run.name):
        _delete(path)
        return True
    with RunFolder(run).claim() as claimed:
        if claimed:
            _delete(path)
    return claimed


def _delete(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    if not path.name.startswith(_REMOVED):
        target = path.with_name(f"{_REMOVED}{path.name}")
        if target.exists():
            shutil.rmtree(target)
        path = path.rename(target)
    shutil.rmtree(path)
