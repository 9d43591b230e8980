"""The plan of a sweep: its runs and what their folders say."""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ablate.errors import BadInput
from ablate.plan.provenance import provenance, with_packages_of
from ablate.runs import MatchedRow, RunFolder, SpecFile, State, Store, SweepRecord
from ablate.spec import Context, RunSpec, SamVariant, Sweep, Variant

# A diverged run is left alone: the same seed would diverge again. The files of a damaged one are
# set aside when its folder is created again.
_TO_TRAIN = (State.NEW, State.INTERRUPTED, State.FAILED, State.DAMAGED)
_SEED_LIMIT = 2**32


class Retry(StrEnum):
    """Which of the runs that could not go on are tried again, from their last checkpoint.

    A diverged run never is, a damaged one always.

    Attributes:
        FAILED: Those that have failed, by an error or with their worker.
        NONE: None: only what was never tried, or was interrupted, is trained.
    """

    FAILED = "failed"
    NONE = "none"


@dataclass(frozen=True)
class PlannedRun:
    """One run, its folder and what the folder says now.

    Attributes:
        spec: The run.
        folder: Its folder.
        state: What the folder says.
        retry: Whether it is tried again where it could not go on.
    """

    spec: RunSpec
    folder: RunFolder
    state: State
    retry: Retry = Retry.FAILED

    @property
    def to_train(self) -> bool:
        """Whether the run is to be trained (further)."""
        if self.state is State.FAILED and self.retry is Retry.NONE:
            return False
        return self.state in _TO_TRAIN


@dataclass(frozen=True)
class Plan:
    """A sweep under one context, run by run in the order of its table.

    Attributes:
        sweep: The sweep.
        context: What all its runs on the protocol's own split share.
        runs: The runs.
        matched: The rows that got a value by their ``match``, by name.
    """

    sweep: Sweep
    context: Context
    runs: tuple[PlannedRun, ...]
    matched: Mapping[str, MatchedRow] = field(default_factory=dict)

    @property
    def record_id(self) -> str:
        """The name of the record that its start leaves in the store."""
        return f"{self.sweep.name}-{self.context.id}"

    @property
    def contexts(self) -> dict[int, Context]:
        """What the runs on each split share, by the split's number."""
        contexts = {run.spec.split: run.spec.context for run in self.runs}
        return dict(sorted(contexts.items()))

    @property
    def pending(self) -> tuple[PlannedRun, ...]:
        """The runs that are to be trained (further)."""
        return tuple(run for run in self.runs if run.to_train)


def sweep_runs(
    rows: Mapping[str, Variant],
    context: Context,
    seeds: Sequence[int],
    names: Sequence[str] = (),
    further: Sequence[Context] = (),
) -> list[RunSpec]:
    """The runs of a sweep: variants in the table's order, each on its splits with its seeds.

    What is only evaluated does not depend on a seed: it runs once on a split, with the lowest one.

    Args:
        rows: The sweep's variants by name, in the table's order.
        context: What all the runs on the protocol's own split share.
        seeds: The seeds.
        names: Only these rows; empty: all.
        further: What the runs on splits 1, 2 and so on share.

    Raises:
        BadInput: If a name is not a row, a seed is out of range, or a variant requires another
            backbone than that of the weights, or an adapter cannot be built on it.
    """
    if unknown := [name for name in names if name not in rows]:
        raise BadInput(
            f"not a row of the sweep: {', '.join(unknown)}", f"its rows are {', '.join(rows)}"
        )
    if unusable := [str(seed) for seed in seeds if not 0 <= seed < _SEED_LIMIT]:
        raise BadInput(
            f"not a seed: {', '.join(unusable)}", f"seeds are from 0 to {_SEED_LIMIT - 1}"
        )
    runs = [
        RunSpec(name=name, variant=variant, context=own, seed=seed, split=split)
        for name, variant in rows.items()
        if not names or name in names
        for split, own in enumerate((context, *further))
        for seed in (seeds if variant.is_trained else (min(seeds),))
    ]
    for run in runs:
        if run.backbone_name not in (None, context.weights.backbone):
            raise BadInput(
                f"variant {run.name} requires backbone {run.backbone_name}, but the weights are "
                f"of {context.weights.backbone}",
                "run it in a sweep of its own, with its own protocol and checkpoint",
            )
        _check_adapter(run)
    return runs


def _check_adapter(run: RunSpec) -> None:
    """Refuses now what would only fail when the model is built.

    Raises:
        BadInput: If the adapter has no place in the encoder, or needs a package that is missing.
    """
    if not isinstance(run.variant, SamVariant):
        return
    try:
        run.variant.check_backbone(run.context.weights.backbone)
    except BadInput as error:
        problem, repair = error.parts
        raise BadInput(f"variant {run.name}: {problem}", repair) from None
    for package in run.variant.packages:
        if importlib.util.find_spec(package) is None:
            raise BadInput(
                f"variant {run.name} needs the package {package}, which is not installed",
                f"pip install 'ablate[{package}]', or leave the variant out",
            )


def build_plan(
    sweep: Sweep,
    context: Context,
    runs: Sequence[RunSpec],
    store: Store,
    matched: Mapping[str, MatchedRow] | None = None,
    retry: Retry = Retry.FAILED,
) -> Plan:
    """Looks up every run's folder.

    Args:
        sweep: The sweep.
        context: What all its runs on the protocol's own split share.
        runs: The runs, in the order of the table.
        store: Where their folders lie.
        matched: The rows that got a value by their ``match``, by name.
        retry: Which runs that could not go on are tried again.

    Raises:
        StoreError: If a folder cannot be read.
    """
    planned = []
    for run in runs:
        folder = store.run(run.key)
        planned.append(PlannedRun(run, folder, folder.state(), retry))
    return Plan(sweep, context, tuple(planned), matched or {})


def create_run_folders(plan: Plan, store: Store) -> SweepRecord:
    """Creates the folders of a plan's runs and records that its sweep was started."""
    create_folders([run.spec for run in plan.runs], store)
    runs = [run.spec for run in plan.runs]
    return store.record_sweep(plan.sweep, plan.context, runs, plan.matched)


def create_folders(runs: Sequence[RunSpec], store: Store) -> None:
    """Creates the folders of runs, those that are not there yet."""
    origin = provenance()
    store.create_runs(
        [
            SpecFile(key=run.key, run=run, provenance=with_packages_of(run.variant, origin))
            for run in runs
        ]
    )


def look_up(
    runs: Sequence[RunSpec], store: Store, retry: Retry = Retry.FAILED
) -> tuple[PlannedRun, ...]:
    """The runs with what their folders say, each key once.

    Raises:
        StoreError: If a folder cannot be read.
    """
    planned = {}
    for run in runs:
        if run.key not in planned:
            folder = store.run(run.key)
            planned[run.key] = PlannedRun(run, folder, folder.state(), retry)
    return tuple(planned.values())
