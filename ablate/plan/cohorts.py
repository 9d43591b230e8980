"""Which runs are trained together, and in which order."""

import heapq
import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ablate.plan.plan import PlannedRun
from ablate.spec import SamVariant


@dataclass(frozen=True)
class Cohort:
    """Runs that share everything but the variant, for one worker on one device."""

    folders: tuple[Path, ...]


def group_into_cohorts(
    runs: Sequence[PlannedRun], workers: int, size: int | None = None
) -> list[Cohort]:
    """Groups runs that can be trained together, and finer where all are done sooner so.

    Args:
        runs: The runs to train.
        workers: How many workers there are at the same time, at least 1.
        size: How many runs a cohort has at most; None: as many as can be trained together.

    Returns:
        Cohorts in the order in which workers take them: the largest first.
    """
    groups: dict[Hashable, list[Path]] = {}
    for run in runs:
        groups.setdefault(_shared(run), []).append(run.folder.path)
    largest = max(map(len, groups.values()), default=0)
    limit = size or largest
    cuts = [
        _cut(groups.values(), min(limit, math.ceil(largest / pieces)))
        for pieces in range(1, workers + 1)
    ]
    # The first of equals: the fewer cohorts, the more they share.
    return min(cuts, key=lambda cohorts: _runs_of_the_busiest_worker(cohorts, workers))


def _shared(run: PlannedRun) -> Hashable:
    """What runs must have in common to be trained together.

    The runs of a cohort share one frozen image encoder and one stream of batches: the encoder's
    weights (random ones depend on the seed), the seed, the protocol, the data and their split. A
    CNN baseline has no frozen encoder, and what is only evaluated has no batches: each is alone.
    """
    spec = run.spec
    if not isinstance(spec.variant, SamVariant):
        return run.folder.path
    return (
        spec.variant.system,
        spec.backbone_name,
        spec.variant.encoder_weights,
        spec.seed,
        spec.context.id,
    )


def _cut(groups: Iterable[list[Path]], size: int) -> list[Cohort]:
    """Cuts groups into cohorts of about the same length, at most ``size``; the longest first."""
    cohorts = []
    for group in groups:
        count = math.ceil(len(group) / size)
        cohorts += [Cohort(tuple(group[first::count])) for first in range(count)]
    return sorted(cohorts, key=lambda cohort: -len(cohort.folders))


def _runs_of_the_busiest_worker(cohorts: Sequence[Cohort], workers: int) -> int:
    """How many runs the busiest worker trains, if a run takes as long as any other."""
    loads = [0] * workers
    for cohort in cohorts:
        heapq.heapreplace(loads, loads[0] + len(cohort.folders))
    return max(loads)
