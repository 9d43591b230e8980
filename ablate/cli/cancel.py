"""``ablate cancel``: asks the processes that train to stop, from another terminal."""

from typing import Annotated

import typer

from ablate.cli import options
from ablate.cli.console import err, out
from ablate.errors import ExitCode
from ablate.runs import shown
from ablate.study.cancel import PATIENCE_S, cancel_drivers


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
    grid: Annotated[
        str | None,
        typer.Option(
            envvar="ABLATE_GRID", help="Only this sweep. [default: all]", show_default=False
        ),
    ] = None,
    store: options.StorePath = options.DEFAULT_STORE,
) -> None:
    """Ask the processes that train in the store to save their state and to end.

    They end as after Ctrl-C: the same command continues. Exit code 3: one has not ended yet.
    """
    with err.status("asking, and waiting until they have ended"):
        asked = cancel_drivers(store, grid, key)
    if not asked:
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
    if not all(each.has_ended for each in asked):
        raise typer.Exit(ExitCode.OPEN)
