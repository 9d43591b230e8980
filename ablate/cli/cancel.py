"""``ablate cancel``: asks the processes that train to stop, from another terminal."""

from typing import Annotated

import typer

from ablate.cli import options
from ablate.cli.console import err, out
from ablate.errors import ExitCode
from ablate.runs import shown
from ablate.study.cancel import PATIENCE_S, cancel_drivers
from ablate.study.cluster_jobs import CancelledJobs, cancel_jobs


def cancel(
    key: Annotated[
        str | None,
        typer.Argument(
            metavar="[KEY]",
            help="Only the sweep that trains this run: its key, its first digits, or the name of "
            "a row that has one run.",
            show_default=False,
        ),
    ] = None,
    grid: options.OnlyGrid = None,
    store: options.StorePath = options.DEFAULT_STORE,
) -> None:
    """Ask the processes that train in the store to save their state and to end.

    They end as after Ctrl-C: the same command continues. Jobs that a sweep without such a process
    has in a cluster are cancelled. Exit code 3: one has not ended yet.
    """
    with err.status("asking, and waiting until they have ended"):
        asked = cancel_drivers(store, grid, key)
        jobs = cancel_jobs(store, grid, key)
    if not asked and not jobs:
        what = key or grid
        out.print(
            f"nothing is being trained in {store}"
            if what is None
            else f"{shown(what)} is not being trained in {store}",
            soft_wrap=True,
        )
    for each in asked:
        driver = each.driver
        process = f"{shown(driver.sweep)}: process {driver.pid} on {shown(driver.host)}"
        out.print(
            f"{process} has ended, its state is saved; the same command continues"
            if each.has_ended
            else f"{process} was asked to end, and has not ended after {PATIENCE_S:.0f} s; it "
            "still may, once its step is done",
            soft_wrap=True,
        )
    for cancelled in jobs:
        out.print(_jobs_line(cancelled), soft_wrap=True)
    if not all(each.has_ended for each in asked) or any(each.left for each in jobs):
        raise typer.Exit(ExitCode.OPEN)


def _jobs_line(jobs: CancelledJobs) -> str:
    """What became of a sweep's jobs."""
    number = "1 job" if jobs.asked == 1 else f"{jobs.asked} jobs"
    line = f"{shown(jobs.sweep)}: {number} of {jobs.executor} cancelled"
    if jobs.left:
        still = f"{jobs.left} of them {'has' if jobs.left == 1 else 'have'} not ended yet"
        return f"{line}; {still}: a job that runs saves its state first"
    return f"{line}, the state of every run is saved; the same command continues"
