"""Processes that have torch from their first moment: copies of one server that imports it once.

Each would take seconds for the import by itself. The server only imports; it touches no
accelerator and starts no thread, so that its copies can.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import forkserver, util
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from typing import Any

from ablate.errors import BadInput, Interrupted
from ablate.executors.base import import_object
from ablate.executors.isolation import hear_only_sigterm, isolated_children, signals_blocked

# Read by glibc once, when a process starts; its copies keep what it read. By default it gives the
# larger buffers of a step back to the system and gets them anew, page by page: SAM-nano's take
# 5,000 page faults in each step, and 182 ms instead of 168. A value that is set already is kept.
_VARIABLE = "GLIBC_TUNABLES"
_SETTINGS = {
    "glibc.malloc.mmap_threshold": 32 * 2**20,
    "glibc.malloc.trim_threshold": 2**40,
    # In pages of two megabytes, where the system has them.
    "glibc.malloc.hugetlb": 1,
}
_PRELOADED = "ablate.executors.preload"
_ENDED_WITH_THIS_PROCESS: list[util.Finalize] = []
_ATTEMPTS = 3
_PAUSE_S = 0.1


def warm_up() -> None:
    """Starts the server in the background, so that torch is there when the first process needs it.

    Does nothing where the server runs already; where it has died, another is started.

    Raises:
        BadInput: If there is no folder for its socket.
    """
    ours = ":".join(f"{name}={value}" for name, value in _SETTINGS.items())
    _context().set_forkserver_preload([_PRELOADED])
    if not _ENDED_WITH_THIS_PROCESS:
        # After multiprocessing has waited for all processes.
        _ENDED_WITH_THIS_PROCESS.append(util.Finalize(None, _end_server, exitpriority=-1))
    with isolated_children(**{_VARIABLE: os.environ.get(_VARIABLE, ours)}), signals_blocked():
        forkserver.ensure_running()


def _end_server() -> None:
    """Ends the server: while it imports, it would not notice for seconds that this process ends."""
    # multiprocessing has no public name for it.
    pid = getattr(getattr(forkserver, "_forkserver", None), "_forkserver_pid", None)
    if pid is not None:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def start_process(
    function: Callable[..., None], *args: object, name: str, daemon: bool = False
) -> tuple[BaseProcess, Connection]:
    """Starts a copy of the server.

    Args:
        function: What it runs: a function of a module, called with the other end of the pipe and
            ``args``.
        args: Anything that can be pickled.
        name: The process's name.
        daemon: Whether it is ended with this process, instead of waited for.

    Returns:
        The process, and this end of a pipe to it. The pipe ends with the process: unlike
        ``process.exitcode``, that is still known when the server has died.

    Raises:
        BadInput: If no process can be started.
    """
    for attempt in range(_ATTEMPTS):
        warm_up()
        ours, theirs = multiprocessing.Pipe()
        process = _context().Process(
            target=function, args=(theirs, *args), name=name, daemon=daemon
        )
        try:
            with isolated_children():
                process.start()
        except (EOFError, OSError) as error:
            # The server has died since: the next attempt starts another.
            ours.close()
            if attempt + 1 == _ATTEMPTS:
                raise BadInput(
                    f"no process can be started: {error or 'the fork server has died'}",
                    "run the same command again; it continues",
                ) from error
            time.sleep(_PAUSE_S)
        else:
            return process, ours
        finally:
            theirs.close()
    raise AssertionError("unreachable")


def call_with_torch(function: str, *args: object) -> Any:
    """Calls a function in a process that has torch already; this one never imports it.

    Args:
        function: Its import path, ``module:name``.
        args: Its arguments; they and the result can be pickled.

    Returns:
        What the function returns; what it raises is raised here.

    Raises:
        BadInput: If torch cannot be imported, or the process dies.
        Interrupted: If Ctrl-C comes meanwhile.
    """
    try:
        process, pipe = start_process(_answer, function, args, name="ablate-call", daemon=True)
        with pipe:
            result, error = pipe.recv()
    except KeyboardInterrupt as stop:
        raise Interrupted("nothing was started") from stop
    except (EOFError, ConnectionError) as end:
        raise BadInput(
            f"the process that computes {function} has died",
            "see whether memory is short, and run the same command again",
        ) from end
    process.join()
    # The loader of libraries knows no error numbers; a file that cannot be used has one.
    if isinstance(error, ImportError) or (isinstance(error, OSError) and error.errno is None):
        raise BadInput(f"torch cannot be imported: {error}", "see `ablate doctor`") from error
    if error is not None:
        raise error
    return result


def _answer(pipe: Connection, function: str, args: tuple[object, ...]) -> None:
    """The process of ``call_with_torch``: sends back a result or an exception."""
    hear_only_sigterm()
    result, error = None, None
    try:
        result = import_object(function)(*args)
    except Exception as raised:
        error = raised
    # The caller may have been stopped meanwhile.
    with suppress(ConnectionError):
        pipe.send((result, error))


def _context() -> ForkServerContext:
    return multiprocessing.get_context("forkserver")
