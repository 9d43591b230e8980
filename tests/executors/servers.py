"""The fork server as tests need it: ended, or without torch, so that it starts at once."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver

from ablate.executors import fork_server


def server_pid() -> int | None:
    pid: int | None = forkserver._forkserver._forkserver_pid
    return pid


def kill_server() -> None:
    """Kills the server; multiprocessing does not know of that yet."""
    pid = server_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def end_server() -> None:
    """No server runs after this."""
    if server_pid() is not None:
        kill_server()
        forkserver._forkserver._stop()


@contextmanager
def light_server() -> Iterator[None]:
    """Servers that are started while this is open have no torch."""
    preloaded = fork_server._PRELOADED
    end_server()
    fork_server._PRELOADED = "ablate.executors.local"
    try:
        yield
    finally:
        fork_server._PRELOADED = preloaded
        end_server()
