"""``merge_stores``: joins the stores of several machines, or refuses with every reason."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from ablate.errors import BadInput, StoreError, StoresDiffer
from ablate.report.verification import check_folder
from ablate.runs import (
    PartScores,
    Result,
    RunFolder,
    State,
    Store,
    SweepRecord,
    TuningRecord,
    joined_tunings,
    locks,
)
from ablate.runs.copying import (
    MERGE_LOCK,
    add_from,
    place_copy,
    remove_leftovers,
    replace_by_copy,
)
from ablate.runs.drivers import no_new_drivers
from ablate.study.tuning_ledger import only_tuning

# What one store knows of a run is better than what another knows, from the left to the right.
_RANKS = (State.NEW, State.INTERRUPTED, State.FAILED, State.DIVERGED, State.DONE)
# What two results of one run must have in common; when and where it was computed may differ.
_SAME = ("epoch", "epochs", "steps", "confusion", "metrics", "test", "parameters", "weights_sha256")
# As many as make a difference to a disk.
_COPIES_AT_ONCE = 8


@dataclass(frozen=True)
class MergeOutcome:
    """What a merge has done.

    Attributes:
        target: The store that now has everything.
        sweeps: The names of the sweeps' records that were joined.
        copied: Keys of runs that the target did not have.
        replaced: Keys of runs that another store knew more of.
        kept: Runs of other stores that the target knew as much of.
        left: Keys of runs that a process works on in the target: what other stores have of them
            was not joined.
        notes: What else was not joined, and why.
    """

    target: Path
    sweeps: tuple[str, ...]
    copied: tuple[str, ...]
    replaced: tuple[str, ...]
    kept: int
    left: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def merge_stores(stores: Sequence[Path], into: Path) -> MergeOutcome:
    """Joins stores: runs' folders, records of sweeps and tunings, outcomes of data checks.

    A folder is copied whole or not at all, and a killed merge is completed by the next one. Where
    two stores have the same run, the one that is further stays; what its attempts have cost is
    kept of both. Merged twice, nothing changes. The mirror in MLflow, caches and the places of
    data on other machines are not copied.

    Others may train in the target meanwhile: a run that a process works on there is left to it,
    and so is the record of a tuning under way; the outcome names them.

    Args:
        stores: The stores to join; none of them is changed.
        into: The store that gets everything; it need not exist yet, and may be one of them.

    Raises:
        BadInput: If there is nothing to join, or a folder is not a store.
        StoresDiffer: If the stores contradict each other, a run of a store that is to be joined
            is under way, or a folder is damaged; nothing was copied.
    """
    target = Store(into)
    sources = _opened(stores, target)
    with _alone(target):
        best, left, problems = _best_folders(target, sources)
        problems += _record_problems(target, sources)
        tunings, more = _joined_tunings(target, sources)
        if problems := [*problems, *more]:
            raise StoresDiffer(problems)
        return _join(target, sources, best, left, tunings)


def _opened(stores: Sequence[Path], target: Store) -> list[Store]:
    sources: dict[Path, Store] = {}
    for path in stores:
        store = Store(path)
        if not (store.root / "runs").is_dir() or not (store.root / "sweeps").is_dir():
            raise BadInput(f"{path} is not a store of ablate", "give a folder that holds runs")
        if store.root.resolve() != target.root.resolve():
            sources[store.root.resolve()] = store
    if not sources:
        raise BadInput("there is nothing to merge", "name a store besides that of --into")
    return list(sources.values())


@contextmanager
def _alone(target: Store) -> Iterator[None]:
    """Keeps other merges out of the target; a target that gets nothing is not left behind."""
    is_new = not target.root.exists()
    target.root.mkdir(parents=True, exist_ok=True)
    try:
        with locks.held(target.root / MERGE_LOCK, 0, leaves_file=False) as alone:
            if not alone:
                raise StoreError(f"another merge into {target.root} is under way", "wait for it")
            _wait_for_removals(target)
            remove_leftovers(target.root / "runs")
            yield
    finally:
        if is_new and not any(target.root.iterdir()):
            target.root.rmdir()


def _wait_for_removals(target: Store) -> None:
    """Lets an `ablate gc` end that has begun before this merge: later ones leave it what it needs.

    Raises:
        StoreError: If that takes long.
    """
    if target.drivers_path.is_dir():
        with no_new_drivers(target.drivers_path):
            pass


# What speaks against it -------------------------------------------------------------------


@dataclass(frozen=True)
class _Found:
    """A run in one of the stores."""

    folder: RunFolder
    state: State
    result: Result | None


def _best_folders(
    target: Store, sources: Sequence[Store]
) -> tuple[dict[str, _Found], set[str], list[str]]:
    """For every run of the sources the folder that is furthest, the target's first among equals.

    Returns:
        The folders by key; the keys of runs that a process works on in the target; every reason
        why they cannot be joined.
    """
    best: dict[str, _Found] = {}
    left: set[str] = set()
    problems: list[str] = []
    for store in sources:
        problems += _missing_specs(store)
        for folder in store.runs():
            key = folder.key
            own = target.run(key)
            if key not in best and own.path.is_dir():
                noted: list[str] = []
                known = _read(own, target, noted)
                if known is not None:
                    best[key] = known
                elif own.is_claimed():
                    left.add(key)
                else:
                    problems += noted
            found = _read(folder, store, problems)
            if found is None:
                continue
            other = best.setdefault(key, found)
            if other.result is not None and found.result is not None:
                problems += _contradiction(other, found)
            elif _RANKS.index(found.state) > _RANKS.index(other.state):
                best[key] = found
    return best, left, list(dict.fromkeys(problems))


def _read(folder: RunFolder, store: Store, problems: list[str]) -> _Found | None:
    """A run as its folder shows it; None where that cannot be joined, for a noted reason."""
    try:
        disagreements, state = check_folder(folder, store), folder.state()
        result = folder.result()
        # They are read when all is copied.
        folder.attempts()
    except (StoreError, OSError) as error:
        problems.append(" ".join(str(error).split()))
        return None
    if state is State.DAMAGED and not disagreements:
        problems.append(folder.damage() or f"{folder.path} is damaged")
        return None
    if state is State.RUNNING:
        problems.append(f"{folder.path} is being worked on; wait until its sweep has ended")
        return None
    for each in disagreements:
        what = each.note or f"{each.what} is {each.stored}, recomputed {each.recomputed}"
        problems.append(f"{store.root}/{each.file}: {what}; remove the run's folder and run again")
    return None if disagreements else _Found(folder, state, result)


def _missing_specs(store: Store) -> list[str]:
    """Folders of recorded runs without a spec, which a list of runs passes over."""
    known = {folder.key for folder in store.runs()}
    keys = dict.fromkeys(run.key for record in store.sweep_records() for run in record.runs)
    folders = [store.run(key) for key in keys if key not in known]
    return [
        f"{folder.path}/spec.json is missing; remove the folder and run again"
        for folder in folders
        if folder.path.is_dir()
    ]


def _contradiction(one: _Found, other: _Found) -> list[str]:
    """Two results of one run that are not the same, both named."""
    for field in _SAME:
        ours, theirs = getattr(one.result, field), getattr(other.result, field)
        if ours == theirs:
            continue
        if isinstance(ours, PartScores) and isinstance(theirs, PartScores):
            ours, theirs = ({**each.confusion, **each.metrics} for each in (ours, theirs))
        if isinstance(ours, dict):
            name = next(name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name))
            field, ours, theirs = f"{field}.{name}", ours.get(name), theirs.get(name)
        return [
            f"{one.folder.path} and {other.folder.path} are one run with two results: {field} is "
            f"{ours} and {theirs}; keep one of the folders"
        ]
    return []


def _record_problems(target: Store, sources: Sequence[Store]) -> list[str]:
    """Sweeps whose runs would not be comparable: of other engines, or of other splits."""
    engines: dict[str, tuple[int, Path]] = {}
    splits: dict[tuple[str, int], tuple[object, Path]] = {}
    problems = []
    for store in (target, *sources):
        latest: dict[str, SweepRecord] = {}
        for record in store.sweep_records():
            latest.setdefault(record.sweep.name, record)
            for split in record.numbered:
                place = record.id, split.number
                known, where = splits.setdefault(place, (split, store.root))
                if known != split:
                    problems.append(
                        f"split {split.number} of {record.id} is another one in {where} and in "
                        f"{store.root}; merge stores with the same splits"
                    )
        for name, record in latest.items():
            engine, where = engines.setdefault(name, (record.context.engine, store.root))
            if engine != record.context.engine:
                problems.append(
                    f"{name} was run by engine {engine} in {where} and by engine "
                    f"{record.context.engine} in {store.root}; merge stores of one engine"
                )
    return problems


def _joined_tunings(
    target: Store, sources: Sequence[Store]
) -> tuple[dict[str, TuningRecord], list[str]]:
    tunings: dict[str, TuningRecord] = {}
    problems: list[str] = []
    for store in (target, *sources):
        for tuning in store.tunings():
            known = tunings.setdefault(tuning.id, tuning)
            try:
                tunings[tuning.id] = joined_tunings(known, tuning)
            except StoreError as error:
                problems.append(f"{store.root}: {error}")
    return tunings, problems


# Joining ----------------------------------------------------------------------------------


def _join(
    target: Store,
    sources: Sequence[Store],
    best: Mapping[str, _Found],
    left: set[str],
    tunings: Mapping[str, TuningRecord],
) -> MergeOutcome:
    """Runs first, records last: a record never names runs that are still to come."""
    chosen = {key: found for key, found in best.items() if key not in left}
    with ThreadPoolExecutor(_COPIES_AT_ONCE) as pool:
        joined = pool.map(lambda found: _join_run(found, target, sources), chosen.values())
        ends = dict(zip(chosen, joined, strict=True)) | dict.fromkeys(sorted(left), _End.LEFT)
    notes = [note for tuning in tunings.values() if (note := _join_tuning(tuning, target))]
    sweeps: list[str] = []
    for store in sources:
        for record in store.sweep_records():
            _join_data_checks(record, store, target)
            sweeps.append(target.add_record(record).id)
    return MergeOutcome(
        target=target.root,
        sweeps=tuple(dict.fromkeys(sweeps)),
        copied=tuple(key for key, end in ends.items() if end is _End.COPIED),
        replaced=tuple(key for key, end in ends.items() if end is _End.REPLACED),
        kept=sum(end is _End.KEPT for end in ends.values()),
        left=tuple(key for key, end in ends.items() if end is _End.LEFT),
        notes=tuple(notes),
    )


class _End(Enum):
    """What became of a run in the target."""

    COPIED = auto()
    REPLACED = auto()
    KEPT = auto()
    LEFT = auto()


def _join_run(found: _Found, target: Store, sources: Sequence[Store]) -> _End:
    """Puts what is known of a run into the target, unless a process works on it there."""
    key = found.folder.key
    own, others = target.run(key), [store.run(key) for store in sources]
    if not own.path.is_dir() and place_copy(found.folder, own.path, others):
        return _End.COPIED
    with own.claim() as is_mine:
        if not is_mine:
            return _End.LEFT
        # It may be further by now than when it was looked at.
        state = own.state()
        if state is State.DAMAGED:
            return _End.LEFT
        if _RANKS.index(found.state) > _RANKS.index(state):
            replace_by_copy(found.folder, own.path, [own, *others])
            return _End.REPLACED
        add_from(others, own, own.result())
    return _End.KEPT


def _join_tuning(tuning: TuningRecord, target: Store) -> str | None:
    """Joins the record of a tuning with the target's; what prevents it is said in one line."""
    try:
        with only_tuning(target, tuning.id):
            own = target.tuning(tuning.id)
            target.record_tuning(joined_tunings(own, tuning) if own else tuning)
    except StoreError as error:
        return f"the tuning {tuning.id} is left as it is: {error}, then merge again"
    return None


def _join_data_checks(record: SweepRecord, store: Store, target: Store) -> None:
    """Keeps the later check of the data under every split of a sweep."""
    for split in record.splits:
        context = record.context_of(split)
        place = context.data.digest, context.protocol.split
        theirs, ours = store.data_check(*place), target.data_check(*place)
        if theirs is not None and (ours is None or ours.checked < theirs.checked):
            target.record_data_check(theirs)
