"""The plan of a sweep: its runs, what their folders say, and who trains them together."""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ablate.errors import BadInput
from ablate.plan.provenance import provenance
from ablate.registry import Catalogue
from ablate.runs import RunFolder, SpecFile, State, Store, SweepRecord
from ablate.spec import Context, RunSpec, Sweep

# A diverged run is left alone: the same seed would diverge again.
_TO_TRAIN = (State.NEW, State.INTERRUPTED, State.FAILED)


@dataclass(frozen=True)
class Cohort:
    """Runs that share everything but the variant, for one worker on one device."""

    folders: tuple[Path, ...]


@dataclass(frozen=True)
class PlannedRun:
    """One run, its folder and what the folder says now."""

    spec: RunSpec
    folder: RunFolder
    state: State

    @property
    def to_train(self) -> bool:
        """Whether the run is to be trained (further)."""
        return self.state in _TO_TRAIN


@dataclass(frozen=True)
class Plan:
    """A sweep under one context, run by run in the order of its table."""

    sweep: Sweep
    context: Context
    runs: tuple[PlannedRun, ...]

    @property
    def pending(self) -> tuple[PlannedRun, ...]:
        """The runs that are to be trained (further)."""
        return tuple(run for run in self.runs if run.to_train)


def sweep_runs(
    catalogue: Catalogue,
    sweep: str,
    context: Context,
    seeds: Sequence[int],
    variants: Sequence[str] = (),
) -> list[RunSpec]:
    """The runs of a sweep: variants in the table's order, each with its seeds.

    What is only evaluated has no use for a seed: it gets the lowest one.

    Args:
        catalogue: Where the variants are declared.
        sweep: The sweep's name.
        context: What all the runs share.
        seeds: The seeds.
        variants: Only these rows; empty: all.

    Raises:
        SpecError: If the sweep or one of its variants breaks rules.
        BadInput: If a name in ``variants`` is none of the rows, or a variant's backbone is not
            that of the weights.
    """
    rows = catalogue.rows(sweep, context.protocol.backbone)
    if unknown := [name for name in variants if name not in rows]:
        raise BadInput(
            f"sweep {sweep} has no row {', '.join(unknown)}", f"its rows are {', '.join(rows)}"
        )
    runs = [
        RunSpec(name=name, variant=variant, context=context, seed=seed)
        for name, variant in rows.items()
        if not variants or name in variants
        for seed in ((min(seeds),) if variant.system == "sam-zero-shot" else seeds)
    ]
    for run in runs:
        if run.backbone_name not in (None, context.weights.backbone):
            raise BadInput(
                f"variant {run.name} wants backbone {run.backbone_name}, but the weights are of "
                f"{context.weights.backbone}",
                "run it in a sweep of its own, with its own protocol and checkpoint",
            )
    return runs


def make(sweep: Sweep, context: Context, runs: Sequence[RunSpec], store: Store) -> Plan:
    """Looks up every run's folder.

    Raises:
        StoreError: If a folder cannot be read.
    """
    planned = []
    for run in runs:
        folder = store.run(run.key)
        planned.append(PlannedRun(run, folder, folder.state()))
    return Plan(sweep, context, tuple(planned))


def begin(plan: Plan, store: Store) -> SweepRecord:
    """Creates the folders of a plan's runs and records that its sweep was started."""
    origin = provenance()
    store.create_runs(
        [SpecFile(key=run.folder.key, run=run.spec, provenance=origin) for run in plan.runs]
    )
    return store.record_sweep(plan.sweep.name, plan.context, [run.spec for run in plan.runs])


def cohorts(runs: Sequence[PlannedRun], workers: int) -> list[Cohort]:
    """Groups runs for workers: by seed, and finer where they are all done sooner so.

    Args:
        runs: The runs to train.
        workers: How many work at the same time, at least 1.

    Returns:
        Cohorts in the order in which workers take them: the largest first.
    """
    by_seed: dict[int, list[Path]] = {}
    for run in runs:
        by_seed.setdefault(run.spec.seed, []).append(run.folder.path)
    largest = max(map(len, by_seed.values()), default=0)
    cuts = [_cut(by_seed.values(), -(-largest // pieces)) for pieces in range(1, workers + 1)]
    # The first of equals: the fewer cohorts, the more they share.
    return min(cuts, key=lambda groups: _longest(groups, workers))


def _cut(groups: Iterable[list[Path]], size: int) -> list[Cohort]:
    """Cuts groups into pieces of about the same length, at most ``size``; the longest first."""
    pieces = [
        Cohort(tuple(group[first::count]))
        for group in groups
        for count in [-(-len(group) // size)]
        for first in range(count)
    ]
    return sorted(pieces, key=lambda piece: -len(piece.folders))


def _longest(groups: Sequence[Cohort], workers: int) -> int:
    """How many runs the busiest worker trains, if a run takes as long as any other."""
    loads = [0] * workers
    for group in groups:
        heapq.heapreplace(loads, loads[0] + len(group.folders))
    return max(loads)
