"""Keeps Optuna's storage equal to the record of a tuning, for the tools of Optuna's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ablate.runs import State, Store, Trial
from ablate.study.tuning_ledger import Ledger
from ablate.study.tuning_plan import TuningPlan

if TYPE_CHECKING:
    from ablate.tune.storage import RowStudy, StoredTrial


class Studies:
    """One study for each row.

    Args:
        studies: By row.
        ledger: What they are to show.
    """

    def __init__(self, studies: dict[str, RowStudy], ledger: Ledger) -> None:
        """Changes nothing yet."""
        self._studies = studies
        self._ledger = ledger
        self.notes: list[str] = []

    @contextmanager
    def showing(self, pending: set[str]) -> Iterator[None]:
        """While this is open, trials that have not ended are running; none is after that.

        What ends meanwhile is told, whatever ends it. What does not end waits for the next start.

        Args:
            pending: Keys of the runs that are going to be trained, some of which failed before.
        """
        self._update(lambda study, row: study.begin(self._trials(row, pending)))
        try:
            yield
        finally:
            self._update(lambda study, row: study.end(self._trials(row, set())))

    def _trials(self, row: str, pending: set[str]) -> list[StoredTrial]:
        return [self._stored(trial, pending) for trial in self._ledger.record.trials_of(row)]

    def _stored(self, trial: Trial, pending: set[str]) -> StoredTrial:
        from ablate.tune.storage import Ending, StoredTrial

        value = self._ledger.value(trial)
        ending = Ending.NOT_YET
        if trial.run.key not in pending:
            match self._ledger.state(trial):
                case State.DONE:
                    ending = Ending.FAILED if value is None else Ending.DONE
                case State.FAILED | State.DIVERGED:
                    ending = Ending.FAILED
        return StoredTrial(trial.number, trial.setting, trial.run.key, ending, value)

    def _update(self, change: Callable[[RowStudy, str], None]) -> None:
        try:
            for row, study in self._studies.items():
                change(study, row)
        # Whatever it is (a server that is gone, a full disk), the runs go on: they and the record
        # decide, and the next start completes the storage.
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            note = f"Optuna's storage had trouble ({reason}); the next start completes it"
            if note not in self.notes:
                self.notes.append(note)


def open_studies(planned: TuningPlan, ledger: Ledger, store: Store) -> Studies:
    """Opens the storage, in the store or where the user wants it.

    Raises:
        StoreError: If it cannot be used.
    """
    from ablate.tune.storage import RowStudy, open_database, open_journal

    if planned.storage is None:
        storage = open_journal(store.tunings_path / f"{ledger.record.id}.journal")
    else:
        storage = open_database(planned.storage)
    spaces = {row: planned.settings.space_of(row) for row in planned.rows}
    names = ledger.study_names
    studies = {row: RowStudy(storage, names[row], space) for row, space in spaces.items()}
    return Studies(studies, ledger)
