"""A tuning in Optuna's own storage, for optuna-dashboard and other tools of Optuna's. Loads optuna.

The storage is filled by ask and tell, but decides nothing: the record and the runs' folders do. It
may be removed at any time; the next start fills it again.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import optuna
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from ablate.errors import StoreError
from ablate.runs import Setting, locks, plain_files
from ablate.tune.proposals import quiet
from ablate.tune.space import Space, distributions

_TRIAL = "ablate.trial"
_RUN = "ablate.run"


class Ending(Enum):
    """How far a trial is."""

    NOT_YET = "not yet"
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True)
class StoredTrial:
    """A trial as the storage is to show it.

    Attributes:
        number: Counted from 1.
        setting: The values.
        key: Of its run.
        ending: How far it is.
        value: The score of a trial that is done.
    """

    number: int
    setting: Setting
    key: str
    ending: Ending = Ending.NOT_YET
    value: float | None = None


class _FileLock:
    """Optuna's lock of a journal; the system releases it with the process, and it needs no links.

    Args:
        path: The journal.
    """

    def __init__(self, path: Path) -> None:
        self._lock = locks.file_lock(path.with_name(f".{path.name}.lock"))

    def acquire(self) -> bool:
        """Waits until no other process writes."""
        self._lock.acquire()
        return True

    def release(self) -> None:
        """Lets the next one write."""
        self._lock.release()


def open_journal(path: Path) -> BaseStorage:
    """The storage in a file; a last line that a kill cut short is removed.

    Raises:
        StoreError: If it cannot be read or written.
    """
    lock = _FileLock(path)
    with _problems(str(path), "remove the file: the next start fills it again"):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        try:
            _remove_half_line(path)
        finally:
            lock.release()
        return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))  # type: ignore[arg-type]


def _remove_half_line(path: Path) -> None:
    try:
        content = plain_files.read_bytes(path)
    except FileNotFoundError:
        return
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        with path.open("r+b") as file:
            file.truncate(len(whole))


def open_database(url: str) -> BaseStorage:
    """The storage in a database, such as ``sqlite:///tuning.db``.

    Raises:
        StoreError: If there is no such database, or its driver is not installed.
    """
    check_url(url)
    shown = make_url(url).render_as_string(hide_password=True)
    with _problems(shown, "correct --storage, or omit it for a file in the store"):
        return RDBStorage(url)


def check_url(url: str) -> None:
    """Looks at a URL; opens nothing.

    Raises:
        StoreError: If it is none of a database, or its driver is not installed.
    """
    repair = "give a URL such as sqlite:///tuning.db, or omit it for a file in the store"
    try:
        make_url(url).get_dialect().import_dbapi()
    # ValueError: a port that is no number.
    except (SQLAlchemyError, ImportError, ValueError) as error:
        reason = _first_line(error)
        raise StoreError(f"--storage cannot be used ({reason})", repair) from error


@contextmanager
def _problems(place: str, repair: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, OSError, ValueError, RuntimeError) as error:
        raise StoreError(f"Optuna's storage {place}: {_first_line(error)}", repair) from error


def _first_line(error: Exception) -> str:
    """The first line; of a database's error, the database's own words."""
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]


class RowStudy:
    """One row's study in the storage.

    Args:
        storage: Where it lies.
        name: Its name, with all in it that a study cannot change.
        space: The fields of this row.
    """

    def __init__(self, storage: BaseStorage, name: str, space: Space) -> None:
        """Finds or creates the study."""
        self._storage = storage
        self._distributions = distributions(space)
        with quiet():
            # Which setting is tried is decided elsewhere: this sampler is never asked.
            self._study = optuna.create_study(
                storage=storage,
                study_name=name,
                direction="maximize",
                sampler=RandomSampler(seed=0),
                load_if_exists=True,
            )

    def begin(self, trials: Iterable[StoredTrial]) -> None:
        """Lets the storage show these trials, those that have not ended as running.

        Trials that a killed process has left running are taken up again. One that had failed and
        is tried once more is a new trial of the storage with the same number.
        """
        with quiet():
            known = self._latest()
            for trial in trials:
                found = known.get(trial.number)
                is_over = found is not None and (
                    found.user_attrs.get(_RUN) != trial.key
                    or (found.state is TrialState.FAIL and trial.ending is not Ending.FAILED)
                )
                if found is None or is_over:
                    attributes = {_TRIAL: trial.number, _RUN: trial.key}
                    self._study.enqueue_trial(dict(trial.setting), user_attrs=attributes)
                elif found.state is TrialState.RUNNING:
                    self._set_waiting(found)
            while self._in_state(TrialState.WAITING):
                self._study.ask(self._distributions)

    def end(self, trials: Iterable[StoredTrial]) -> None:
        """Tells what came of trials that have ended; puts the others back into the queue.

        No trial is left running.
        """
        by_number = {trial.number: trial for trial in trials}
        with quiet():
            latest = {found.number for found in self._latest().values()}
            for found in self._in_state(TrialState.RUNNING):
                trial = by_number.get(found.user_attrs.get(_TRIAL, 0))
                # Trials that another program queued are not part of this tuning's budget.
                if found.number not in latest or trial is None or trial.ending is Ending.FAILED:
                    self._study.tell(found.number, state=TrialState.FAIL)
                elif trial.ending is Ending.DONE:
                    self._study.tell(found.number, trial.value)
                else:
                    self._set_waiting(found)

    def _set_waiting(self, found: FrozenTrial) -> None:
        self._storage.set_trial_state_values(found._trial_id, TrialState.WAITING)

    def _in_state(self, *states: TrialState) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=states)

    def _latest(self) -> dict[int, FrozenTrial]:
        """The storage's last trial of each number."""
        return {
            found.user_attrs[_TRIAL]: found
            for found in self._study.get_trials(deepcopy=False)
            if _TRIAL in found.user_attrs
        }
