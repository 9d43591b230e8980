"""``ablate report``: the paper's table from the runs of a store."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ablate.cli import options
from ablate.cli.hidden import print_hidden
from ablate.cli.lines import print_note, write_json
from ablate.errors import ExitCode
from ablate.registry import Catalogue
from ablate.report import WRITERS, check_format, suffix_of
from ablate.runs import Store, atomic
from ablate.study import latest_start, report_sweep
from ablate.study.report import WrittenFigures, all_files, check_folder, check_target

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
    protocol: options.OnlyProtocol = None,
    store: options.StorePath = options.DEFAULT_STORE,
    output: Annotated[
        Path | None,
        options.out_option(
            "The file to write, or the folder for all formats. [default: reports/GRID with the "
            "format's suffix]"
        ),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(
            envvar="ABLATE_FIGURES",
            metavar="DIR",
            callback=options.expand,
            help="Also write every figure that the runs allow into this folder, as PNG and SVG in "
            "print size.",
            show_default=False,
        ),
    ] = None,
    explain: Annotated[
        str | None,
        typer.Option(
            envvar="ABLATE_EXPLAIN",
            metavar="ROW:METRIC",
            help="Write nothing; print where a number of the table comes from: runs, pixels, "
            "formula, files. Such as translandseg:miou; as text or, with --format json, as JSON.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write the sweep's table, reproduced beside published, and print it.

    The exit code is 1 where a run's files are damaged or contradict each other.
    """
    if explain is not None:
        from ablate.cli.explanation import print_explanation, split_place

        row, metric = split_place(explain, format)
        opened = Store(store)
        made = report_sweep(latest_start(opened, grid, protocol)[0], opened)
        print_explanation(made, row, metric, format)
        return
    check_format(format, _ALL)
    if format == _ALL:
        files = all_files(output or _FOLDER, grid)
    else:
        files = {format: output or _FOLDER / f"{grid}{suffix_of(format)}"}
    for target in files.values():
        check_target(target)
    if figures is not None:
        check_folder(figures)
    opened = Store(store)
    latest, *others = latest_start(opened, grid, protocol)
    for other in others:
        context = other.context
        print_note(
            f"note: also started with protocol {context.protocol.label}, {context.data.label}, "
            f"{context.weights.label}; the latest is shown"
        )
    print_hidden(Catalogue(), {f"variant {run.name}" for run in latest.runs})
    made = report_sweep(latest, opened)
    # Where there is no such format or nothing to show, nothing is written.
    texts = {name: made.render(name) for name in files}
    drawn = WrittenFigures([], {}) if figures is None else made.write_figures(figures)
    for name, path in files.items():
        atomic.replace(path, texts[name].encode())
    if format == "json":
        write_json(texts[format])
    elif format in texts and format not in _NOT_PRINTED:
        sys.stdout.write(texts[format])
    for target in (*files.values(), *drawn.files):
        print_note(f"written to {target}")
    for name, reason in drawn.left_out.items():
        print_note(f"no figure {name}: {reason}")
    if made.unreadable:
        print_note(
            f"{made.unreadable} of the runs cannot be read or contradict their own files; the "
            "notes of the table say why"
        )
        raise typer.Exit(ExitCode.RUN_FAILED)
