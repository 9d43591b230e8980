"""MLflow's user interface over the store's mirror."""

import signal
import socket
import subprocess
import sys
from types import FrameType

from ablate.errors import StoreError
from ablate.runs import Store, shown
from ablate.tracking import database, environment
from ablate.tracking.address import Address, sqlite_uri


def serve(store: Store, port: int, uri: str | None, host: str) -> int:
    """See ``ablate.tracking.serve_ui``."""
    server: subprocess.Popen[bytes] | None = None
    is_requested = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal is_requested
        is_requested = True
        if server is not None:
            server.terminate()

    # Before the database is examined: what a handler raises while packages are loaded may be lost.
    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        address = _checked_address(store, uri)
        _check_port(host, port)
        if is_requested:
            return 0
        # uvicorn puts its working folder before all others where it looks for modules.
        folder = store.root if store.root.is_dir() else None
        environ = environment.server_environment()
        server = subprocess.Popen(_command(address, host, port), env=environ, cwd=folder)
        if is_requested:
            # The signal came before there was a server to end.
            server.terminate()
        code = server.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0 if is_requested else code


def _checked_address(store: Store, uri: str | None) -> Address:
    """The mirror.

    Raises:
        StoreError: If it is a server, or there is no database that can be shown.
    """
    address = Address.of(store, uri)
    if address.is_server:
        raise StoreError(
            f"the runs are mirrored to a server, {address.shown}", "open that address in a browser"
        )
    if address.database is not None and not database.is_there(address.database):
        raise StoreError(
            f"there is no MLflow database {address.database}",
            "run a sweep with `ablate run`, or `ablate sync` for the runs that are there",
        )
    if address.database is not None:
        database.check(address.database, address)
    return address


def _command(address: Address, host: str, port: int) -> list[str]:
    command = [sys.executable, "-m", "mlflow", "server"]
    # By its absolute path: the server is started in another folder.
    uri = sqlite_uri(address.database) if address.database else address.uri
    command += ["--backend-store-uri", uri, "--registry-store-uri", uri]
    if address.artifacts:
        command += ["--default-artifact-root", str(address.artifacts), "--no-serve-artifacts"]
    # One worker is enough for one user; a line for each request would bury the address.
    quiet = ["--workers", "1", "--uvicorn-opts", "--log-level warning"]
    return [*command, "--host", host, "--port", str(port), *quiet]


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the server does: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise StoreError(
                f"port {port} of {shown(host)} cannot be used: {error}",
                "choose another with --port or --host",
            ) from error
