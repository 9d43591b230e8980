"""``run_sweep``: trains what a sweep still lacks."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ablate.executors import run_cohorts, warm_up
from ablate.plan import create_run_folders, resnet_files
from ablate.runs import Failure, RunFolder, State, Store, SweepRecord
from ablate.study.mirror import mirror
from ablate.study.parameters import count_for_report
from ablate.study.plan import SweepPlan
from ablate.study.preflight import check_rows
from ablate.study.request import Request
from ablate.study.watching import Progress, watching


@dataclass(frozen=True)
class EndedRun:
    """How a run of the sweep ended.

    Attributes:
        name: The variant's name.
        seed: The seed.
        state: What its folder says.
        folder: The folder.
        failure: Why it could not go on; None if it could.
    """

    name: str
    seed: int
    state: State
    folder: RunFolder
    failure: Failure | None


@dataclass(frozen=True)
class Outcome:
    """How a sweep ended.

    Attributes:
        runs: All its runs, in the table's order.
        pending: How many were to be trained.
        spent_s: Seconds from the first cohort to the last.
        notes: What the user should know of the MLflow mirror.
    """

    runs: tuple[EndedRun, ...]
    pending: int
    spent_s: float
    notes: tuple[str, ...]

    def count(self, *states: State) -> int:
        """How many runs are in one of these states."""
        return sum(run.state in states for run in self.runs)

    @property
    def failed(self) -> tuple[EndedRun, ...]:
        """The runs that could not go on."""
        return tuple(run for run in self.runs if run.state in (State.FAILED, State.DIVERGED))


def run_sweep(planned: SweepPlan, progress: Progress | None = None) -> Outcome:
    """Trains every run of the plan that is not done yet. Stopped or killed, it continues.

    Args:
        planned: The plan.
        progress: Called from a thread, twice a second at most, with the state of every run.

    Raises:
        BadInput: If a variant is vacuous, or the store cannot be written; nothing was started.
        Interrupted: If a stop was requested; the state is saved.
    """
    store = Store(planned.request.store)
    is_pending = bool(planned.plan.pending)
    if is_pending:
        warm_up()
        check_rows(planned.plan)
    record_sources(planned, store)
    record = create_run_folders(planned.plan, store)
    started = time.monotonic()
    notes: list[str] = []
    if is_pending:
        count_for_report(record, store)
        with mirrored(planned.request, record, store) as notes, watching(planned.plan, progress):
            train(planned, store)
    return conclude(planned, time.monotonic() - started, notes)


def record_sources(planned: SweepPlan, store: Store) -> None:
    """Notes in the store where data and weights lie, for the workers."""
    request, context = planned.request, planned.plan.context
    if request.data is not None:
        store.remember_source(context.data.digest, request.data)
    if request.checkpoint is not None:
        store.remember_source(context.weights.sha256, request.checkpoint)
    for resnet, path in resnet_files(request.backbone_weights).items():
        store.remember_source(context.resnets[resnet].sha256, path)


@contextmanager
def mirrored(request: Request, record: SweepRecord, store: Store) -> Iterator[list[str]]:
    """Mirrors the sweep into MLflow while this is open, if that is wanted."""
    if not request.track:
        yield []
        return
    with mirror(store, record, request.tracking_uri) as notes:
        yield notes


def train(planned: SweepPlan, store: Store) -> None:
    """Hands the cohorts to the executor and waits.

    Raises:
        Interrupted: If a stop was requested; the state is saved.
    """
    run_cohorts(
        planned.request.executor,
        planned.cohorts,
        devices=planned.devices,
        logs=store.logs_path,
        settings=planned.request.executor_settings,
    )


def conclude(planned: SweepPlan, spent_s: float, notes: list[str]) -> Outcome:
    """Reads from the folders how every run ended."""
    ended = []
    for run in planned.plan.runs:
        state, failure = run.folder.state(), run.folder.failure()
        ended.append(EndedRun(run.spec.name, run.spec.seed, state, run.folder, failure))
    return Outcome(tuple(ended), len(planned.plan.pending), spent_s, tuple(notes))
