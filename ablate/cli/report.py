"""``ablate report``: the paper's table from the runs of a store."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ablate.cli import options
from ablate.cli.console import err, write_json
from ablate.errors import ExitCode
from ablate.report import WRITERS, suffix_of
from ablate.runs import Store, atomic
from ablate.study import latest_start, report_sweep
from ablate.study.report import all_files, check_target

_ALL = "all"
_FOLDER = Path("reports")
# A page is for a browser, not for a terminal.
_NOT_PRINTED = {"html"}


def report(
    grid: options.Grid,
    format: Annotated[
        str,
        typer.Option(
            envvar="ABLATE_REPORT_FORMAT",
            metavar="|".join((*WRITERS, _ALL)),
            help="How to write it; all: a file of every format.",
        ),
    ] = "markdown",
    protocol: Annotated[
        str | None,
        typer.Option(
            envvar="ABLATE_PROTOCOL",
            help="Only runs of this protocol, overridden or not. [default: the sweep's latest "
            "start]",
            show_default=False,
        ),
    ] = None,
    store: options.StorePath = options.DEFAULT_STORE,
    output: Annotated[
        Path | None,
        typer.Option(
            "--out",
            envvar="ABLATE_OUT",
            callback=options.expand,
            help="The file to write, or the folder for all formats. [default: reports/GRID with "
            "the format's suffix]",
            show_default=False,
        ),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(
            envvar="ABLATE_FIGURE",
            callback=options.expand,
            help="Also write a PNG file: images, ground truth and what each row's model predicts.",
            show_default=False,
        ),
    ] = None,
    best_of_k: Annotated[
        Path | None,
        typer.Option(
            envvar="ABLATE_BEST_OF_K",
            callback=options.expand,
            help="Also write a PNG or SVG file: the expected best of k trials of every row that "
            "was tuned.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write the sweep's table, reproduced beside published, and print it.

    The exit code is 1 where a run's files are damaged or contradict each other.
    """
    if format == _ALL:
        files = all_files(output or _FOLDER, grid)
    else:
        files = {format: output or _FOLDER / f"{grid}{suffix_of(format)}"}
    targets = [*files.values(), *(each for each in (figure, best_of_k) if each is not None)]
    for target in targets:
        check_target(target)
    opened = Store(store)
    latest, *others = latest_start(opened, grid, protocol)
    for other in others:
        context = other.context
        err.print(
            f"note: also started with protocol {context.protocol.label}, {context.data.label}, "
            f"{context.weights.label}; the latest is shown",
            soft_wrap=True,
        )
    made = report_sweep(latest, opened)
    # Where there is no such format or nothing to show, nothing is written.
    texts = {name: made.render(name) for name in files}
    if best_of_k is not None:
        made.write_best_of_k(best_of_k)
    if figure is not None:
        made.write_figure(figure)
    for name, path in files.items():
        atomic.replace(path, texts[name].encode())
    if format == "json":
        write_json(texts[format])
    elif format in texts and format not in _NOT_PRINTED:
        sys.stdout.write(texts[format])
    for target in targets:
        err.print(f"written to {target}", soft_wrap=True)
    if made.unreadable:
        err.print(
            f"{made.unreadable} of the runs cannot be read or contradict their own files; the "
            "notes of the table say why",
            soft_wrap=True,
        )
        raise typer.Exit(ExitCode.RUN_FAILED)
