"""Cohorts as an earlier start has given them to a cluster that still works on them."""

from collections.abc import Sequence
from pathlib import Path

from ablate.executors.base import LeftJob
from ablate.plan import Cohort


def grouped_as_left(
    cohorts: Sequence[Cohort], left: Sequence[LeftJob], running: Sequence[Path]
) -> list[Cohort]:
    """The same runs, where those of a job that is in the cluster are a cohort of their own.

    Some runs of that job may have ended, upon which the plan has grouped the others anew; submitted
    like that they would be worked on by two jobs.

    Args:
        cohorts: As they are planned.
        left: What is in the cluster.
        running: The folders of runs that some process works on; those of a job are taken over.

    Returns:
        First what has a job, then the rest of each cohort, in the order of the plan.
    """
    waiting = {path.name: path for cohort in cohorts for path in cohort.folders}
    keys = frozenset[str]().union(*(job.keys for job in left))
    waiting |= {path.name: path for path in running if path.name in keys}
    grouped: list[Cohort] = []
    for job in left:
        if folders := tuple(path for key, path in waiting.items() if key in job.keys):
            grouped.append(Cohort(folders))
            for path in folders:
                del waiting[path.name]
    rests = (tuple(path for path in cohort.folders if path.name in waiting) for cohort in cohorts)
    return [*grouped, *(Cohort(rest) for rest in rests if rest)]
