"""``ablate evaluate``: trained rows on data sets that they were not trained on."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import TaskID

from ablate.cli import options
from ablate.cli.bars import bars_of
from ablate.cli.console import err
from ablate.cli.lines import write_json
from ablate.errors import BadInput
from ablate.report.elsewhere_writers import ELSEWHERE_WRITERS as WRITERS
from ablate.study.evaluate import choose_rows, chosen_device, evaluate_rows
from ablate.study.request import expanded


def evaluate(
    data: Annotated[
        list[Path],
        typer.Option(
            "--data",
            envvar="ABLATE_EVALUATE_DATA",
            metavar="DIR",
            help="The folder of a data set to score on; may be repeated. All of its images are "
            "scored.",
        ),
    ],
    grid: Annotated[
        str | None,
        typer.Option(
            "--grid",
            envvar="ABLATE_GRID",
            help="The sweep whose rows are scored, such as table4; its latest start is meant.",
            show_default=False,
        ),
    ] = None,
    row: Annotated[
        list[str] | None,
        typer.Option(
            "--row",
            envvar="ABLATE_EVALUATE_ROW",
            metavar="NAME",
            help="Only this row, by its variant's name; may be repeated. [default: all trained "
            "rows]",
            show_default=False,
        ),
    ] = None,
    run: options.RunKey = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            envvar="ABLATE_EVALUATE_SET",
            metavar="KEY=VALUE",
            help="How the folders are laid out and read, where not as the training data: fields "
            "of the protocol's data, such as data.images=pictures or data.folders=[test]; may be "
            "repeated.",
            show_default=False,
        ),
    ] = None,
    checkpoint: options.CheckpointPath = None,
    device: options.ComputingDevice = None,
    store: options.StorePath = options.DEFAULT_STORE,
    format: Annotated[
        str,
        typer.Option(
            envvar="ABLATE_EVALUATE_FORMAT", metavar="|".join(WRITERS), help="How to print."
        ),
    ] = "markdown",
) -> None:
    """Score trained rows on other data sets: a table of rows × data sets, kept in the store.

    Every finished seed and split of a row is scored on every image, which is read, resized and
    counted as the images of the row's own data are. What was scored before is not computed again.
    Stopped or killed, the same command continues behind the last run that it has scored.
    """
    if format not in WRITERS:
        raise BadInput(
            f"no format of tables is called {format[:40]!r}", f"use one of {', '.join(WRITERS)}"
        )
    chosen = choose_rows(store, grid, row or (), run)
    with bars_of("images", "what is scored") as bars:
        tasks: dict[str, TaskID] = {}

        def advance(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what)
            bars.update(tasks[what], completed=done, total=total)

        found = evaluate_rows(
            chosen,
            [expanded(path) for path in data],
            overrides=set_ or (),
            checkpoint=checkpoint,
            device=chosen_device(device or ()),
            announce=lambda line: err.print(line, soft_wrap=True),
            advance=advance,
        )
    text = WRITERS[format](found)
    if format == "json":
        write_json(text)
    else:
        sys.stdout.write(text)
