"""``ablate ui`` and ``ablate sync``: MLflow, the mirror of a store."""

from typing import Annotated

import typer

from ablate import tracking
from ablate.cli import options
from ablate.cli.console import err, out
from ablate.errors import ExitCode
from ablate.runs import Store
from ablate.study import sync_mirror


def ui(
    store: options.StorePath = options.DEFAULT_STORE,
    port: Annotated[
        int, typer.Option(envvar="ABLATE_PORT", min=1, max=65535, help="Port on 127.0.0.1.")
    ] = 5000,
    tracking_uri: options.TrackingUri = None,
) -> None:
    """Browse the store's runs in MLflow's user interface, on 127.0.0.1 only."""
    address = f"http://127.0.0.1:{port}/{tracking.RUNS_VIEW}"
    try:
        out.print(f"MLflow: {address} (Ctrl-C ends it)", soft_wrap=True)
        code = tracking.serve_ui(Store(store), port, tracking_uri)
    except KeyboardInterrupt:
        # While it starts, Ctrl-C is as good an end as later.
        code = ExitCode.DONE
    raise typer.Exit(code)


def sync(
    store: options.StorePath = options.DEFAULT_STORE,
    tracking_uri: options.TrackingUri = None,
) -> None:
    """Rebuild or complete the MLflow mirror from the runs' folders."""
    opened = Store(store)
    with err.status("writing to MLflow"):
        count, notes = sync_mirror(opened, tracking_uri)
    for note in notes:
        err.print(note, style="yellow")
    number = len(opened.sweep_records(problems=[]))
    sweeps = "1 sweep" if number == 1 else f"{number} sweeps"
    out.print(f"{count} runs of {sweeps} are in MLflow")
