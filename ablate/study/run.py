"""``run_sweep``: trains what a sweep still lacks."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from ablate import tracking
from ablate.errors import BadInput
from ablate.executors import Tell, run_cohorts, warm_up
from ablate.plan import (
    Cohort,
    PlannedRun,
    create_run_folders,
    group_into_cohorts,
    resnet_files,
)
from ablate.runs import Failure, RunFolder, State, Store, disk
from ablate.runs.drivers import driving
from ablate.spec import Context
from ablate.study import mirror_mark
from ablate.study.cluster_jobs import noting_jobs
from ablate.study.full_disk import check_written, stops_on_a_full_disk
from ablate.study.mirror import mirror
from ablate.study.parameters import count_for_report
from ablate.study.plan import SweepPlan
from ablate.study.preflight import check_rows
from ablate.study.request import Request
from ablate.study.stopping import FirstFailure, StopCheck
from ablate.study.watching import Progress, pause_s, watching

# How often an unclaimed run is given to workers: one claims it, unless another process does.
_MOST_TRIES = 5


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
        pending: How many were to be trained, or waited for.
        spent_s: Seconds from the first cohort to the last.
        notes: What the user should know of the record of the sweep and of the MLflow mirror.
        is_cut_short: Whether the first failure has ended it (``keep_going=False``).
        is_detached: Whether the runs that were to be trained were left to a cluster.
    """

    runs: tuple[EndedRun, ...]
    pending: int
    spent_s: float
    notes: tuple[str, ...]
    is_cut_short: bool = False
    is_detached: bool = False

    def count(self, *states: State) -> int:
        """How many runs are in one of these states."""
        return sum(run.state in states for run in self.runs)

    @property
    def failed(self) -> tuple[EndedRun, ...]:
        """The runs that could not go on."""
        stopped = (State.FAILED, State.DIVERGED, State.DAMAGED)
        return tuple(run for run in self.runs if run.state in stopped)


def expect_training() -> None:
    """Has torch imported in the background while a plan is made, which takes as long.

    Where that fails, it fails again once there is something to train, and is said then.
    """
    with suppress(BadInput):
        warm_up()


def run_sweep(
    planned: SweepPlan, progress: Progress | None = None, tell: Tell = lambda notice: None
) -> Outcome:
    """Trains every run of the plan that is not done yet. Stopped or killed, it continues.

    Args:
        planned: The plan.
        progress: Called from a thread, twice a second at most, with the state of every run.
        tell: Called with one line on what jobs of a cluster wait for, or None.

    Raises:
        BadInput: If a variant is vacuous, or the store cannot be written; nothing was started.
        RunFailed: If nothing more can be written to the store; what is there continues.
        Interrupted: If a stop was requested; the state is saved.
    """
    store, request = Store(planned.request.store), planned.request
    disk.check_writable(store.root)
    with ExitStack() as shown:
        show = partial(driving, store.drivers_path, planned.plan.record_id, request.sweep)
        # A refusal makes no store; in one that is there, the preflight can be cancelled too.
        driver = shown.enter_context(show()) if store.root.is_dir() else None
        if planned.plan.pending:
            warm_up()
            check_rows(planned.plan)
        driver = driver or shown.enter_context(show())
        return _run(
            planned,
            store,
            StopCheck(planned.plan.runs, driver.is_cancelled, keep_going=request.keep_going),
            progress,
            tell,
        )


def _run(
    planned: SweepPlan,
    store: Store,
    should_stop: StopCheck,
    progress: Progress | None,
    tell: Tell,
) -> Outcome:
    """What is left of a sweep, with this process shown as its driver."""
    request = planned.request
    is_pending = bool(planned.plan.pending)
    elsewhere = planned.elsewhere if request.wait else ()
    for context in planned.plan.contexts.values():
        record_sources(request, context, store)
    damaged = store.set_damaged_record_aside(planned.plan.record_id)
    record = create_run_folders(planned.plan, store)
    started = time.monotonic()
    notes: list[str] = []
    is_detached = request.detach and (is_pending or bool(elsewhere))
    runs = planned.plan.runs
    with noting_jobs(request, record.id, store, is_detached=is_detached):
        if is_pending or elsewhere or is_mirror_unfinished(request, [record.id], store):
            count_for_report(record, store)
            with (
                stops_on_a_full_disk(),
                mirrored(request, [record.id], store, is_later=is_detached) as notes,
                watching(runs, progress),
                suppress(FirstFailure),
            ):
                train(request, runs, planned.cohorts, planned.devices, store, should_stop, tell)
    return Outcome(
        runs=ended(runs),
        pending=len(planned.plan.pending) + len(elsewhere),
        spent_s=time.monotonic() - started,
        notes=(*([damaged] if damaged else []), *notes),
        is_cut_short=should_stop.has_failed,
        is_detached=is_detached,
    )


def record_sources(request: Request, context: Context, store: Store) -> None:
    """Notes in the store where data and weights lie, for the workers."""
    if request.data is not None:
        store.remember_source(context.data.digest, request.data)
    if request.checkpoint is not None:
        store.remember_source(context.weights.sha256, request.checkpoint)
    for resnet, path in resnet_files(request.backbone_weights).items():
        store.remember_source(context.resnets[resnet].sha256, path)


@contextmanager
def mirrored(
    request: Request, ids: Sequence[str], store: Store, *, is_later: bool = False
) -> Iterator[list[str]]:
    """Mirrors these sweeps and tunings into MLflow while this is open, if it is wanted and there.

    Args:
        request: Whether it is, and where.
        ids: Their ids.
        store: Where they lie.
        is_later: Whether only to note that it is to be done, by a later start or `ablate sync`.

    Yields:
        A list that holds, once this is closed, what the user should know.
    """
    if is_later and request.track:
        mirror_mark.mark(store, ids, request.tracking_uri)
    if is_later or not request.track:
        yield []
        return
    if not tracking.is_installed():
        # Once it is installed, the same command completes the mirror.
        mirror_mark.mark(store, ids, request.tracking_uri)
        install = f"{tracking.INSTALL} and `ablate sync` make up for it"
        yield [f"MLflow is not installed, so nothing is mirrored into it; {install}"]
        return
    with mirror(store, ids, request.tracking_uri) as notes:
        yield notes


def is_mirror_unfinished(request: Request, ids: Sequence[str], store: Store) -> bool:
    """Whether MLflow is wanted and lacks the end of what an earlier start has trained."""
    return (
        request.track
        and tracking.is_installed()
        and mirror_mark.is_marked(store, ids, request.tracking_uri)
    )


def train(
    request: Request,
    runs: Sequence[PlannedRun],
    cohorts: Sequence[Cohort],
    devices: Sequence[str],
    store: Store,
    should_stop: StopCheck,
    tell: Tell = lambda notice: None,
) -> None:
    """Hands the cohorts to the executor and waits; also for what other processes train.

    What they drop is taken over, as often as some of it gets further.

    Args:
        request: With ``wait`` False, what others train is left to them.
        runs: All runs that are to be done in the end.
        cohorts: Those of them that are to be trained, grouped.
        devices: Where.
        store: Where the runs lie.
        should_stop: What ends it early, besides signals.
        tell: Is told what jobs of a cluster wait for.

    Raises:
        RunFailed: If nothing more can be written to the store.
        Interrupted: If a stop was requested; the state is saved.
        FirstFailure: If a run has failed and the others are not to go on; their state is saved.
    """
    tries: Counter[str] = Counter()
    running = [run.folder.path for run in runs if request.wait and run.state is State.RUNNING]
    while True:
        should_stop.raise_if_stopped()
        if cohorts or running:
            run_cohorts(
                request.executor,
                cohorts,
                devices=devices,
                logs=store.logs_path,
                settings=request.executor_settings,
                should_stop=should_stop,
                running=running,
                detach=request.detach,
                tell=tell,
            )
            if request.detach:
                return
            running = []
            should_stop.raise_if_stopped()
            check_written(cohorts, store)
        if not request.wait:
            return
        dropped = [
            run
            for run in _dropped_by_others(runs, should_stop)
            if tries[run.folder.key] < _MOST_TRIES
        ]
        if not dropped:
            return
        tries.update(run.folder.key for run in dropped)
        cohorts = group_into_cohorts(dropped, len(devices), request.cohort_size)


def _dropped_by_others(runs: Sequence[PlannedRun], should_stop: StopCheck) -> list[PlannedRun]:
    """Waits for other processes, until a run is left that none of them works on.

    What has failed was tried to its end, and is left to the next start.

    Returns:
        Those runs; none once all have ended.

    Raises:
        FirstFailure: If one of them has failed, and the others are not to go on.
    """
    while True:
        should_stop.raise_if_stopped()
        began = time.monotonic()
        states = [(run, run.folder.state()) for run in runs]
        idle = (State.NEW, State.INTERRUPTED)
        dropped = [run for run, state in states if state in idle and run.folder.is_left()]
        runs = [run for run, state in states if state in (State.RUNNING, *idle)]
        if dropped or not runs:
            return dropped
        time.sleep(pause_s(time.monotonic() - began))


def ended(runs: Sequence[PlannedRun]) -> tuple[EndedRun, ...]:
    """Reads from the folders how every run ended."""
    return tuple(_ended(run) for run in runs)


def _ended(run: PlannedRun) -> EndedRun:
    state = run.folder.state()
    failure = None
    if state in (State.FAILED, State.DIVERGED):
        failure = run.folder.failure()
    elif state is State.DAMAGED:
        message = run.folder.damage() or "its files were damaged"
        failure = Failure(kind="error", message=message, detail="", time=time.time())
    spec = run.spec
    return EndedRun(spec.name, spec.seed, state, run.folder, failure, spec.split)
