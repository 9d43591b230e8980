"""``ablate ui`` and ``ablate sync``: MLflow, the mirror of a store."""

from typing import Annotated

import typer

from ablate import tracking
from ablate.cli import options
from ablate.cli.console import err, out
from ablate.errors import ExitCode
from ablate.runs import Store


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
    problems: list[str] = []
    records = opened.sweep_records(problems=problems)
    tunings = opened.tunings(problems)
    for problem in problems:
        err.print(f"note: {problem}", soft_wrap=True)
    with err.status("writing to MLflow"):
        count = tracking.sync(opened, [*records, *tunings], tracking_uri)
    sweeps = "1 sweep" if len(records) == 1 else f"{len(records)} sweeps"
    out.print(f"{count} runs of {sweeps} are in MLflow")
