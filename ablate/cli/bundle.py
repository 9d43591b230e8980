"""``ablate bundle``: a sweep in one archive, for people who check or keep it."""

from pathlib import Path
from typing import Annotated

import typer

from ablate.cli import options
from ablate.cli.console import err, out
from ablate.runs import Store
from ablate.study import latest_start, write_bundle


def bundle(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE.zip", callback=options.expand, help="The archive to write."),
    ],
    grid: options.Grid,
    weights: Annotated[
        bool,
        typer.Option(
            "--weights", envvar="ABLATE_WEIGHTS", help="Also pack the trained weights of every run."
        ),
    ] = False,
    store: options.StorePath = options.DEFAULT_STORE,
) -> None:
    """Pack a sweep into one archive that others can check: `ablate verify FILE.zip`.

    It holds the sweep, specs, results, epochs, the counts of pixels of every image, published
    values and the report, with RO-Crate metadata, and no image of the data. Of several starts of
    the sweep, the latest is packed.
    """
    opened = Store(store)
    record, *_ = latest_start(opened, grid)
    with err.status("packing"):
        made = write_bundle(record, opened, file, weights=weights)
    runs = len(made.report.provenance.runs)
    out.print(
        f"{file}: {record.id}, {runs} run{'' if runs == 1 else 's'} with a result; check it with "
        f"`ablate verify {file}`",
        soft_wrap=True,
    )
