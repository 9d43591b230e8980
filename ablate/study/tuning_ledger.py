"""What a tuning has tried and what came of it: its record, and the folders of its runs."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ablate.errors import StoreError
from ablate.plan import PlannedRun, look_up
from ablate.runs import (
    Result,
    RunFolder,
    Setting,
    State,
    Store,
    Trial,
    TunedRow,
    TuningRecord,
    locks,
)
from ablate.spec import digest_of
from ablate.study.tuning_plan import TuningPlan, continues, recorded, space_record
from ablate.study.watching import TERMINAL_STATES
from ablate.tune import Attempt


@dataclass(frozen=True)
class RowTrials:
    """What the trials of one row have come to.

    Attributes:
        row: The variant's name.
        trials: How many there are.
        ended: How many of them have ended.
        done: How many of these gave a score.
        spent_s: Device seconds of those that are done.
        best: The number of the best; None: none is done.
        value: Its score on the inner validation images, a fraction.
        setting: Its setting.
    """

    row: str
    trials: int
    ended: int
    done: int
    spent_s: float
    best: int | None
    value: float | None
    setting: Setting | None


class Ledger:
    """The record of a tuning and the folders of its runs: all that is needed to go on.

    Args:
        planned: The tuning.
        store: Where it is kept.
    """

    def __init__(self, planned: TuningPlan, store: Store) -> None:
        """Reads the record of an earlier start; see ``read``."""
        self._planned = planned
        self._store = store
        self._values: dict[str, tuple[float | None, float]] = {}
        self.read()

    def read(self) -> None:
        """Reads the record of an earlier start; begins anew where that was another tuning.

        ``is_recorded`` is False where the record does not say all of this yet.
        """
        planned, store = self._planned, self._store
        context = planned.sweep.plan.context
        record = TuningRecord(
            sweep=planned.sweep.plan.sweep,
            context=context,
            inner=planned.inner,
            sampler=planned.sampler_record(),
            space=space_record(planned),
            budget=planned.trials,
            metric=planned.settings.tuning.metric,
            trials=(),
            updated=time.time(),
        )
        earlier = store.tuning(record.id)
        self.began_anew = bool(earlier and earlier.trials and not continues(earlier, planned))
        self.is_recorded = False
        if earlier is not None and not self.began_anew:
            self.is_recorded = earlier.budget == planned.trials
            kept = [trial for trial in earlier.trials if self._still_holds(trial)]
            record = record.model_copy(update={"trials": tuple(kept)})
            tuned = [
                row for row in earlier.tuned if len(record.trials_of(row.row)) == record.budget
            ]
            record = record.model_copy(update={"tuned": tuple(tuned)})
        self.record = record

    def _still_holds(self, trial: Trial) -> bool:
        """Whether a recorded trial is within the budget, of a row that is as it was."""
        row = trial.run.name
        if trial.number > self._planned.trials or row not in self._planned.table:
            return False
        if row not in self._planned.rows:
            return True
        return self._planned.trial_spec_of(trial).key == trial.run.key

    @property
    def study_names(self) -> dict[str, str]:
        """The name of each row's study in Optuna's storage."""
        record = self.record
        decisive = [
            record.sampler.model_dump(mode="json", exclude={"library"}),
            record.space,
            record.inner.id,
            record.metric,
        ]
        stem = f"{record.id}-{digest_of(decisive)[:8]}"
        return {row: f"{stem}/{row}" for row in self._planned.rows}

    # Trials -------------------------------------------------------------------------------

    def ask(self) -> None:
        """Adds all trials whose settings can be told now, and writes the record."""
        planned, budget = self._planned, self._planned.trials
        fresh: list[Trial] = []
        if planned.sampler.is_adaptive:
            for row in planned.rows:
                trials = self.record.trials_of(row)
                if len(trials) < budget and self.has_ended(trials):
                    attempts = [Attempt(each.setting, self.value(each)) for each in trials]
                    setting = planned.next_setting(row, attempts)
                    fresh.append(self._trial(row, len(trials) + 1, setting))
        elif any(len(self.record.trials_of(row)) < budget for row in planned.rows):
            for row, settings in planned.settings_by_row(budget).items():
                known = len(self.record.trials_of(row))
                fresh += [
                    self._trial(row, number, setting)
                    for number, setting in enumerate(settings, start=1)
                    if number > known
                ]
        self._write(trials=self._in_order([*self.record.trials, *fresh]))

    def _trial(self, row: str, number: int, setting: Setting) -> Trial:
        run = recorded(self._planned.trial_spec(row, setting))
        return Trial(number=number, setting=setting, run=run)

    def _in_order(self, trials: Iterable[Trial]) -> tuple[Trial, ...]:
        table = self._planned.table
        return tuple(sorted(trials, key=lambda each: (table.index(each.run.name), each.number)))

    def can_ask(self) -> bool:
        """Whether there are trials to ask for."""
        for row in self._planned.rows:
            trials = self.record.trials_of(row)
            if len(trials) < self._planned.trials and (
                not self._planned.sampler.is_adaptive or self.has_ended(trials)
            ):
                return True
        return False

    def trials(self) -> list[Trial]:
        """The trials of the rows that are tuned now, by number, then in the table's order."""
        rows = self._planned.rows
        mine = [trial for trial in self.record.trials if trial.run.name in rows]
        return sorted(mine, key=lambda trial: trial.number)

    def runs(self) -> tuple[PlannedRun, ...]:
        """The runs of these trials. One run may be several trials: it is here once."""
        specs = [self._planned.trial_spec_of(trial) for trial in self.trials()]
        return look_up(specs, self._store, self._planned.sweep.request.retry)

    # What came of them --------------------------------------------------------------------

    def state(self, trial: Trial) -> State:
        """What the folder of a trial's run says."""
        return State.DONE if trial.run.key in self._values else self._folder(trial).state()

    def has_ended(self, trials: Sequence[Trial]) -> bool:
        """Whether all of them have."""
        return all(self.state(trial) in TERMINAL_STATES for trial in trials)

    def value(self, trial: Trial) -> float | None:
        """The score of a trial; None: it has none (yet)."""
        return self._ending(trial)[0]

    def _ending(self, trial: Trial) -> tuple[float | None, float]:
        """Score and device seconds."""
        key = trial.run.key
        if key not in self._values:
            result = self._result(trial)
            if result is None:
                return None, 0.0
            score = result.metrics[self.record.metric]
            self._values[key] = score if math.isfinite(score) else None, result.train_s
        return self._values[key]

    def _result(self, trial: Trial) -> Result | None:
        """None also for one that is damaged, which is trained again."""
        with suppress(StoreError):
            return self._folder(trial).result()
        return None

    def _folder(self, trial: Trial) -> RunFolder:
        return self._store.run(trial.run.key)

    def best(self, row: str) -> Trial | None:
        """The trial with the highest score; of equal ones the first."""
        done = [trial for trial in self.record.trials_of(row) if self.value(trial) is not None]
        return max(done, key=lambda trial: (self.value(trial) or 0.0, -trial.number), default=None)

    def summary(self) -> tuple[RowTrials, ...]:
        """All rows that are tuned, in the table's order."""
        return tuple(self._summary_of(row) for row in self._planned.rows)

    def _summary_of(self, row: str) -> RowTrials:
        trials, best = self.record.trials_of(row), self.best(row)
        seconds = {trial.run.key: self._ending(trial)[1] for trial in trials}
        return RowTrials(
            row=row,
            trials=len(trials),
            ended=sum(self.state(trial) in TERMINAL_STATES for trial in trials),
            done=sum(self.value(trial) is not None for trial in trials),
            spent_s=sum(seconds.values()),
            best=best.number if best else None,
            value=self.value(best) if best else None,
            setting=best.setting if best else None,
        )

    # The choice ---------------------------------------------------------------------------

    def choose(self) -> None:
        """Records the best setting of every row whose trials have all ended."""
        planned = self._planned
        tuned = {row.row: row for row in self.record.tuned if row.row not in planned.rows}
        for row in planned.rows:
            trials, best = self.record.trials_of(row), self.best(row)
            if best and len(trials) == planned.trials and self.has_ended(trials):
                runs = tuple(recorded(run) for run in planned.tuned_specs(row, best.setting))
                tuned[row] = TunedRow(row=row, trial=best.number, setting=best.setting, runs=runs)
        table = planned.table
        self._write(tuned=tuple(sorted(tuned.values(), key=lambda row: table.index(row.row))))

    def _write(self, **update: object) -> None:
        self.record = self.record.model_copy(update=update)
        self._store.record_tuning(self.record)


@contextmanager
def only_tuning(store: Store, record_id: str) -> Iterator[None]:
    """Holds the right to tune a sweep; the system releases it with the process.

    Raises:
        StoreError: If another process is tuning it.
    """
    store.tunings_path.mkdir(parents=True, exist_ok=True)
    with locks.held(store.tunings_path / f".{record_id}.lock", 0) as alone:
        if not alone:
            raise StoreError(
                f"another process is tuning this sweep in {store.root}", "wait until it has ended"
            )
        yield
