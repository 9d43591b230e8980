"""``ablate export``: a trained row as a folder for others."""

from pathlib import Path
from typing import Annotated

import typer

from ablate.cli import options
from ablate.cli.console import err, out
from ablate.study.export import export_row
from ablate.study.trained_rows import find_trained


def export(
    folder: Annotated[
        Path,
        options.out_option("The folder to make; one that exists is never overwritten."),
    ],
    grid: options.OneGrid = None,
    row: options.Row = None,
    run: options.RunKey = None,
    onnx: Annotated[
        bool,
        typer.Option(
            "--onnx",
            envvar="ABLATE_ONNX",
            help="Also write the whole model as model.onnx, with the metadata that QGIS's plug-in "
            "Deepness reads.",
        ),
    ] = False,
    merged: Annotated[
        bool,
        typer.Option(
            "--merged",
            envvar="ABLATE_MERGED",
            help="Also write the whole model as sam_merged.pth, in the layout of SAM's own "
            "checkpoints; for rows without an adapter, or with one of kind peft or ssf.",
        ),
    ] = False,
    checkpoint: options.CheckpointPath = None,
    store: options.StorePath = options.DEFAULT_STORE,
) -> None:
    """Export a trained row: weights, specs and a model card whose numbers come from the report.

    The folder is what `ablate.load` and `ablate predict --export` read, in the layout of Hugging
    Face's hub. It holds the trained parameters only, unless whole models are asked for; these need
    SAM's weights, from --checkpoint or where the store has last seen them. Of several seeds the
    first is exported; name another with --run. Of several starts of the sweep, the latest is meant.
    """
    with err.status("exporting"):
        exported = export_row(
            find_trained(store, grid, row, run),
            folder,
            onnx=onnx,
            merged=merged,
            checkpoint=checkpoint,
        )
    out.print(
        f"{folder}: run {exported.key}; fill in the licence in {folder / 'README.md'}",
        soft_wrap=True,
    )
