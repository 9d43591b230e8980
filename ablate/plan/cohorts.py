"""Which runs are trained together, and in which order."""

import heapq
import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ablate.plan.plan import PlannedRun
from ablate.spec import Repeat, SamVariant


@dataclass(frozen=True)
class Cohort:
    """Runs that share everything but the variant, for one worker on one device."""

    folders: tuple[Path, ...]


class _Group(NamedTuple):
    """Runs that can be trained together: all of one repeat."""

    repeat: Repeat
    folders: list[Path]


def group_into_cohorts(
    runs: Sequence[PlannedRun], workers: int, size: int | None = None
) -> list[Cohort]:
    """Groups runs that can be trained together, and finer where all are done sooner so.

    Args:
        runs: The runs to train.
        workers: How many workers there are at the same time, at least 1.
        size: How many runs a cohort has at most; None: as many as can be trained together.

    Returns:
        Cohorts in the order in which workers take them: those of the first repeat first, so that
        every row of the table soon has one; of a repeat the largest first.
    """
    groups: dict[Hashable, _Group] = {}
    for run in runs:
        group = groups.setdefault(_shared(run), _Group(run.spec.repeat, []))
        group.folders.append(run.folder.path)
    largest = max((len(group.folders) for group in groups.values()), default=0)
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


def _cut(groups: Iterable[_Group], size: int) -> list[Cohort]:
    """Cuts groups into cohorts of about the same length, at most ``size``.

    Sorted by the number of the split, then by the seed, whatever runs are given: what is taken over
    from another process, and what a later start goes on with, has the same order.
    """
    cohorts = []
    for repeat, folders in groups:
        count = math.ceil(len(folders) / size)
        cohorts += [(repeat, Cohort(tuple(folders[first::count]))) for first in range(count)]
    cohorts.sort(key=lambda each: (each[0], -len(each[1].folders)))
    return [cohort for _, cohort in cohorts]


def _runs_of_the_busiest_worker(cohorts: Sequence[Cohort], workers: int) -> int:
    """How many runs the busiest worker trains, if a run takes as long as any other."""
    loads = [0] * workers
    for cohort in cohorts:
        heapq.heapreplace(loads, loads[0] + len(cohort.folders))
    return max(loads)
