"""``ablate ui`` and ``ablate sync``: MLflow, the mirror of a store."""

from ipaddress import ip_address
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
        int, typer.Option(envvar="ABLATE_PORT", min=1, max=65535, help="Port to listen on.")
    ] = 5000,
    host: Annotated[
        str,
        typer.Option(
            envvar="ABLATE_HOST",
            help="Address to listen on. The interface asks for no password: whoever reaches an "
            "address other than this machine's own can change and delete what it shows.",
        ),
    ] = tracking.LOOPBACK,
    tracking_uri: options.TrackingUri = None,
) -> None:
    """Browse the store's runs in MLflow's user interface, on this machine alone by default."""
    # Before an address is printed at which nothing will listen.
    tracking.check_installed()
    name = f"[{host}]" if ":" in host else host
    address = f"http://{name}:{port}/{tracking.RUNS_VIEW}"
    if not _is_own(host):
        err.print(
            f"warning: MLflow asks for no password, and {host} may be reached from other machines: "
            "whoever does can read, change and delete the mirror; the runs' folders are not served",
            style="yellow",
            soft_wrap=True,
        )
    try:
        out.print(f"MLflow: {address} (Ctrl-C ends it)", soft_wrap=True)
        code = tracking.serve_ui(Store(store), port, tracking_uri, host)
    except KeyboardInterrupt:
        # While it starts, Ctrl-C is as good an end as later.
        code = ExitCode.DONE
    raise typer.Exit(code)


def _is_own(host: str) -> bool:
    """Whether no other machine can reach this address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


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
