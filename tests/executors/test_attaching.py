"""Cohorts are grouped as the jobs that a cluster still has of them."""

from pathlib import Path

from ablate.executors import JobState, LeftJob
from ablate.executors.attaching import grouped_as_left
from ablate.plan import Cohort


def cohort(names: str) -> Cohort:
    return Cohort(tuple(Path("runs") / name for name in names))


def job(names: str) -> LeftJob:
    return LeftJob(frozenset(names), JobState.QUEUED, "", lambda: None)


def test_without_jobs_the_plan_is_kept() -> None:
    assert grouped_as_left([cohort("ab"), cohort("c")], [], []) == [cohort("ab"), cohort("c")]


def test_runs_of_a_job_stay_with_it() -> None:
    # Of the first job, `x` is done: the plan has grouped the others anew.
    planned = [cohort("ac"), cohort("bd")]
    assert grouped_as_left(planned, [job("xab"), job("yc")], []) == [
        cohort("ab"),
        cohort("c"),
        cohort("d"),
    ]


def test_what_a_job_works_on_is_taken_over_and_what_others_work_on_is_not() -> None:
    running = [Path("runs/b"), Path("runs/z")]
    assert grouped_as_left([cohort("a")], [job("b")], running) == [cohort("b"), cohort("a")]


def test_a_run_of_two_jobs_stays_with_the_first() -> None:
    assert grouped_as_left([cohort("ab")], [job("a"), job("ab")], []) == [cohort("a"), cohort("b")]
