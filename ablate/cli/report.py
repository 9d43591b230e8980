"""``ablate report``: the paper's table from the runs of a store."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ablate.cli import options
from ablate.cli.console import err
from ablate.errors import BadInput
from ablate.plan import sweep_runs
from ablate.registry import Catalogue
from ablate.report import SUFFIXES, Format, build, render, write
from ablate.runs import Store, SweepRecord


def report(
    grid: options.Grid,
    format: Annotated[
        Format, typer.Option(envvar="ABLATE_FORMAT", help="How to write it.")
    ] = "markdown",
    protocol: Annotated[
        str | None,
        typer.Option(
            envvar="ABLATE_PROTOCOL",
            help="Only runs of this protocol. [default: the sweep's latest start]",
            show_default=False,
        ),
    ] = None,
    store: options.StorePath = options.DEFAULT_STORE,
    output: Annotated[
        Path | None,
        typer.Option(
            "--out",
            envvar="ABLATE_OUT",
            help="The file to write. [default: reports/GRID.md, .csv or .json]",
            show_default=False,
        ),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(
            envvar="ABLATE_FIGURE",
            help="Also write a PNG file: images, truth and what each row's model finds.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write the sweep's table, reproduced beside published, and print it."""
    catalogue, opened = Catalogue(), Store(store)
    sweep = catalogue.sweep(grid)
    record = _latest(opened, grid, protocol)
    runs = sweep_runs(
        catalogue.rows(grid, record.context.protocol.backbone), record.context, record.seeds
    )
    made = build(sweep, record, runs, opened)
    path = output or Path("reports") / f"{grid}{SUFFIXES[format]}"
    if figure:
        # Pillow is loaded for those alone who want a figure. It comes first: where there is nothing
        # to show, nothing is written.
        from ablate.report.figure import write_figure

        write_figure(record, runs, opened, figure)
    write(made, format, path)
    sys.stdout.write(render(made, format))
    for written in filter(None, (path, figure)):
        err.print(f"written to {written}", soft_wrap=True)


def _latest(store: Store, grid: str, protocol: str | None) -> SweepRecord:
    """The sweep's latest start in this store, under this protocol if one is named."""
    records = store.sweep_records(grid)
    if not records:
        raise BadInput(
            f"sweep {grid} was never started in {store.root}",
            f"start it with `ablate run --grid {grid}`, or give --store",
        )
    chosen = [record for record in records if protocol in (None, record.context.protocol.name)]
    if not chosen:
        names = ", ".join(sorted({record.context.protocol.name for record in records}))
        raise BadInput(
            f"sweep {grid} was never started with protocol {protocol}",
            f"there are runs with {names}",
        )
    for other in chosen[1:]:
        err.print(
            f"note: also started with protocol {other.context.protocol.name}, "
            f"{other.context.data.label}, {other.context.weights.label}; the latest is shown",
            soft_wrap=True,
        )
    return chosen[0]
