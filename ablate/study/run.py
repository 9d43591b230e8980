"""``run_sweep``: trains what a sweep still lacks."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ablate.executors import run_cohorts, warm_up
from ablate.plan import Cohort, PlannedRun, create_run_folders, resnet_files
from ablate.runs import Failure, RunFolder, State, Store
from ablate.spec import Context
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
        split: The number of the split.
    """

    name: str
    seed: int
    state: State
    folder: RunFolder
    failure: Failure | None
    split: int = 0


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
    for context in planned.plan.contexts.values():
        record_sources(planned.request, context, store)
    record = create_run_folders(planned.plan, store)
    started = time.monotonic()
    notes: list[str] = []
    if is_pending:
        count_for_report(record, store)
        with (
            mirrored(planned.request, [record.id], store) as notes,
            watching(planned.plan.runs, progress),
        ):
            train(planned.request, planned.cohorts, planned.devices, store)
    spent_s = time.monotonic() - started
    return Outcome(ended(planned.plan.runs), len(planned.plan.pending), spent_s, tuple(notes))


def record_sources(request: Request, context: Context, store: Store) -> None:
    """Notes in the store where data and weights lie, for the workers."""
    if request.data is not None:
        store.remember_source(context.data.digest, request.data)
    if request.checkpoint is not None:
        store.remember_source(context.weights.sha256, request.checkpoint)
    for resnet, path in resnet_files(request.backbone_weights).items():
        store.remember_source(context.resnets[resnet].sha256, path)


@contextmanager
def mirrored(request: Request, ids: Sequence[str], store: Store) -> Iterator[list[str]]:
    """Mirrors these sweeps and tunings into MLflow while this is open, if that is wanted."""
    if not request.track:
        yield []
        return
    with mirror(store, ids, request.tracking_uri) as notes:
        yield notes


def train(
    request: Request, cohorts: Sequence[Cohort], devices: Sequence[str], store: Store
) -> None:
    """Hands the cohorts to the executor and waits.

    Raises:
        Interrupted: If a stop was requested; the state is saved.
    """
    run_cohorts(
        request.executor,
        cohorts,
        devices=devices,
        logs=store.logs_path,
        settings=request.executor_settings,
    )


def ended(runs: Sequence[PlannedRun]) -> tuple[EndedRun, ...]:
    """Reads from the folders how every run ended."""
    found = []
    for run in runs:
        spec, state, failure = run.spec, run.folder.state(), run.folder.failure()
        found.append(EndedRun(spec.name, spec.seed, state, run.folder, failure, spec.split))
    return tuple(found)
