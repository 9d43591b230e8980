"""``tune_sweep``: tries settings for every row, and trains each row's best anew."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from types import FrameType

from ablate.errors import Interrupted, stop_signals
from ablate.executors import Tell, warm_up
from ablate.plan import (
    PlannedRun,
    create_folders,
    create_run_folders,
    group_into_cohorts,
    look_up,
)
from ablate.runs import State, Store, TuningRecord, disk
from ablate.runs.drivers import driving
from ablate.spec import RunSpec
from ablate.study.cluster_jobs import noting_jobs
from ablate.study.full_disk import stops_on_a_full_disk
from ablate.study.parameters import count_for_report
from ablate.study.preflight import check_rows
from ablate.study.run import EndedRun, ended, is_mirror_unfinished, mirrored, record_sources, train
from ablate.study.stopping import FirstFailure, StopCheck
from ablate.study.tuning_ledger import Ledger, RowTrials, only_tuning
from ablate.study.tuning_plan import TuningPlan
from ablate.study.tuning_storage import Studies, open_studies
from ablate.study.watching import Progress, RunProgress, watching
from ablate.tracking import group_id


@dataclass(frozen=True)
class TuningProgress:
    """How far a tuning is.

    Attributes:
        is_final: Whether the best settings are being trained anew, after the trials.
        runs: The runs of this stage; while a sampler goes on, more are added at the end.
        rows: What the trials of each row have come to so far.
    """

    is_final: bool
    runs: Sequence[RunProgress]
    rows: tuple[RowTrials, ...]


@dataclass(frozen=True)
class TuningOutcome:
    """How a tuning ended.

    Attributes:
        record: What is kept of it.
        rows: What the trials of each row came to, in the table's order.
        trials: How the run of every trial ended.
        runs: How the runs of the sweep itself and of each row's best setting ended.
        pending: How many runs were to be trained.
        spent_s: Seconds from the first cohort to the last.
        began_anew: Whether the store held a tuning of another space, sampler or split.
        notes: What the user should know of the sweep's record, of MLflow and of Optuna's storage.
        is_cut_short: Whether the first failure has ended it (``keep_going=False``).
    """

    record: TuningRecord
    rows: tuple[RowTrials, ...]
    trials: tuple[EndedRun, ...]
    runs: tuple[EndedRun, ...]
    pending: int
    spent_s: float
    began_anew: bool
    notes: tuple[str, ...]
    is_cut_short: bool = False

    @property
    def failed(self) -> tuple[EndedRun, ...]:
        """The runs that could not go on. A trial that diverged is not one: it is an outcome."""
        stopped = (State.FAILED, State.DIVERGED, State.DAMAGED)
        trials = [run for run in self.trials if run.state is State.FAILED]
        return (*trials, *(run for run in self.runs if run.state in stopped))

    @property
    def without_choice(self) -> tuple[str, ...]:
        """The rows of which no trial gave a score."""
        return tuple(row.row for row in self.rows if row.ended == row.trials and row.best is None)


Watcher = Callable[[TuningProgress], None]


def tune_sweep(
    planned: TuningPlan, progress: Watcher | None = None, tell: Tell = lambda notice: None
) -> TuningOutcome:
    """Tries settings for every row and trains each row's best anew, beside the row as declared.

    Stopped or killed, it continues: no run is trained twice.

    Args:
        planned: The plan.
        progress: Called from a thread, twice a second at most.
        tell: Called with one line on what jobs of a cluster wait for, or None.

    Raises:
        BadInput: If a variant is vacuous, the store or Optuna's storage cannot be written, or
            another process is tuning this sweep; nothing was started.
        Interrupted: If a stop was requested; the state is saved.
    """
    store = Store(planned.sweep.request.store)
    with _interruptible():
        ledger = Ledger(planned, store)
        tuning = _Tuning(planned, store, ledger, progress, tell)
        if tuning.is_settled():
            # The storage alone may have been removed, or be another than before.
            with only_tuning(store, ledger.record.id):
                studies = open_studies(planned, ledger, store)
                with studies.showing(set()):
                    notes = _complete_mirror(planned, ledger, store)
                    return tuning.outcome(0.0, [*notes, *studies.notes])
        disk.check_writable(store.root)
        with ExitStack() as shown:
            sweep = planned.sweep.request.sweep
            show = partial(driving, store.drivers_path, ledger.record.id, sweep)
            # As a sweep does it.
            driver = shown.enter_context(show()) if store.root.is_dir() else None
            warm_up()
            check_rows(planned.sweep.plan)
            shown.enter_context(only_tuning(store, ledger.record.id))
            # A merge, or a tuning that has ended since, may have written more.
            ledger.read()
            driver = driver or shown.enter_context(show())
            tuning.is_cancelled = driver.is_cancelled
            return _tune(planned, store, ledger, tuning)


def _complete_mirror(planned: TuningPlan, ledger: Ledger, store: Store) -> list[str]:
    """Makes the last pass that a kill may have prevented, though nothing is left to train."""
    request, ids = planned.sweep.request, [ledger.record.id, group_id(ledger.record)]
    if not is_mirror_unfinished(request, ids, store):
        return []
    with mirrored(request, ids, store) as notes:
        pass
    return notes


def _tune(planned: TuningPlan, store: Store, ledger: Ledger, tuning: "_Tuning") -> TuningOutcome:
    """What is left of a tuning."""
    plan, request = planned.sweep.plan, planned.sweep.request
    studies = open_studies(planned, ledger, store)
    record_sources(request, plan.context, store)
    record_sources(request, planned.inner, store)
    damaged = store.set_damaged_record_aside(plan.record_id)
    record = create_run_folders(plan, store)
    count_for_report(record, store)
    ledger.ask()
    started = time.monotonic()
    with (
        stops_on_a_full_disk(),
        mirrored(request, [record.id, group_id(ledger.record)], store) as notes,
        noting_jobs(request, record.id, store),
        suppress(FirstFailure),
    ):
        tuning.run_trials(studies)
        ledger.choose()
        tuning.run_rows()
    notes = [*([damaged] if damaged else []), *notes, *studies.notes]
    return tuning.outcome(time.monotonic() - started, notes)


@contextmanager
def _interruptible() -> Iterator[None]:
    """While this is open, signals that would end the process at once raise Interrupted instead.

    Between the trainings, too, there is something to leave in order: Optuna's storage. Ctrl-C
    raises KeyboardInterrupt, as everywhere.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Interrupted("the state of every run is saved")

    numbers = [number for number in stop_signals() if number is not signal.SIGINT]
    before = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


class _Tuning:
    """The stages of a tuning.

    Attributes:
        is_cancelled: Whether another process has asked this one to stop.

    Args:
        planned: The plan.
        store: Where it is kept.
        ledger: What was tried.
        progress: Who wants to know.
        tell: See ``tune_sweep``.
    """

    def __init__(
        self,
        planned: TuningPlan,
        store: Store,
        ledger: Ledger,
        progress: Watcher | None,
        tell: Tell,
    ) -> None:
        self._planned = planned
        self._store = store
        self._ledger = ledger
        self._progress = progress
        self._tell = tell
        self._pending = 0
        self._is_cut_short = False
        self.is_cancelled: Callable[[], bool] = lambda: False

    def is_settled(self) -> bool:
        """Whether nothing is left to be tried or trained."""
        ledger = self._ledger
        if not ledger.is_recorded or ledger.can_ask():
            return False
        tuned = {row.row: row.trial for row in ledger.record.tuned}
        is_chosen = all(row.best == tuned.get(row.row) for row in ledger.summary())
        runs = (*ledger.runs(), *self._rows())
        return is_chosen and not any(run.to_train or run.state is State.RUNNING for run in runs)

    def run_trials(self, studies: Studies) -> None:
        """Trains all trials, round by round where settings depend on earlier outcomes.

        Raises:
            Interrupted: If a stop was requested; the state is saved.
            FirstFailure: If a run has failed and the others are not to go on.
        """
        ledger = self._ledger
        tried: set[str] = set()
        while True:
            runs = ledger.runs()
            create_folders([run.spec for run in runs], self._store)
            # A run that failed in this start is not tried again before the next.
            pending = [run for run in runs if run.to_train and run.folder.key not in tried]
            with studies.showing({run.folder.key for run in pending}):
                self._train(pending, [self._as_trial(run) for run in runs], is_final=False)
            tried |= {run.folder.key for run in pending}
            if not ledger.can_ask():
                return
            ledger.ask()

    def run_rows(self) -> None:
        """Trains the rows as declared and with their best settings, on the sweep's own split.

        Raises:
            Interrupted: If a stop was requested; the state is saved.
            FirstFailure: If a run has failed and the others are not to go on.
        """
        runs = self._rows()
        create_folders([run.spec for run in runs], self._store)
        declared = {run.spec.key for run in self._planned.sweep.plan.runs}
        shown = [run if run.folder.key in declared else _named(run, "tuned") for run in runs]
        self._train([run for run in runs if run.to_train], shown, is_final=True)

    def outcome(self, spent_s: float, notes: Sequence[str]) -> TuningOutcome:
        """Reads from the folders how every run ended."""
        ledger = self._ledger
        return TuningOutcome(
            record=ledger.record,
            rows=ledger.summary(),
            trials=ended([self._as_trial(run) for run in ledger.runs()]),
            runs=ended(self._rows()),
            pending=self._pending,
            spent_s=spent_s,
            began_anew=ledger.began_anew,
            notes=tuple(notes),
            is_cut_short=self._is_cut_short,
        )

    def _rows(self) -> tuple[PlannedRun, ...]:
        """The sweep's own runs, and those of the best settings of the rows that are tuned."""
        specs: list[RunSpec] = [run.spec for run in self._planned.sweep.plan.runs]
        for row in self._ledger.record.tuned:
            if row.row in self._planned.rows:
                specs += self._planned.tuned_specs(row.row, row.setting)
        return look_up(specs, self._store, self._planned.sweep.request.retry)

    def _as_trial(self, run: PlannedRun) -> PlannedRun:
        """A run under the number of the first trial that it is."""
        keys = ((trial.run.key, trial.number) for trial in self._ledger.trials())
        number = next(number for key, number in keys if key == run.folder.key)
        return _named(run, f"trial {number}")

    def _train(
        self, pending: Sequence[PlannedRun], shown: Sequence[PlannedRun], *, is_final: bool
    ) -> None:
        if not pending and not any(run.state is State.RUNNING for run in shown):
            return
        sweep = self._planned.sweep
        self._pending += len(pending)
        cohorts = group_into_cohorts(pending, len(sweep.devices), sweep.request.cohort_size)
        # A trial that diverges is an outcome.
        should_stop = StopCheck(
            shown,
            self.is_cancelled,
            keep_going=sweep.request.keep_going,
            ignores_divergence=not is_final,
        )
        try:
            with watching(shown, self._watcher(is_final=is_final)):
                devices, store = sweep.devices, self._store
                train(sweep.request, shown, cohorts, devices, store, should_stop, self._tell)
        finally:
            self._is_cut_short = should_stop.has_failed

    def _watcher(self, *, is_final: bool) -> Progress | None:
        progress = self._progress
        if progress is None:
            return None
        return lambda runs: progress(TuningProgress(is_final, runs, self._ledger.summary()))


def _named(run: PlannedRun, what: str) -> PlannedRun:
    """A run under a name for displays that tells it from the row's other runs."""
    return replace(run, spec=run.spec.model_copy(update={"name": f"{run.spec.name} · {what}"}))
