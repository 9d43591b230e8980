"""Processes that import nothing from the working folder, and that no signal ends as they start."""

import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from types import ModuleType

from ablate.errors import STOP_SIGNALS
from ablate.executors.socket_folder import make_socket_folder

# What multiprocessing says where the process's server has died.
UNKNOWN_EXIT_CODE = 255


@contextmanager
def isolated_children(**variables: str) -> Iterator[None]:
    """Processes that Python starts while this is open import only what is installed.

    By default a new interpreter looks for modules in the working folder first: a user's
    ``random.py`` there would replace Python's own. It would also run the caller's script again, to
    find functions that are defined in it; all that ablate sends to its processes is found by its
    import path.

    Args:
        variables: Environment variables for these processes.

    Raises:
        BadInput: If there is no folder for temporary files.
    """
    make_socket_folder()
    variables["PYTHONSAFEPATH"] = "1"
    environment = {name: os.environ.get(name) for name in variables}
    path, main = sys.path, sys.modules["__main__"]
    os.environ.update(variables)
    sys.path = _without_working_folder(path)
    sys.modules["__main__"] = ModuleType("__main__")
    _start_tracker()
    try:
        yield
    finally:
        sys.path, sys.modules["__main__"] = path, main
        for name, value in environment.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Processes that are started while this is open begin with the stop signals blocked.

    A signal may reach the whole process group, as Ctrl-C does, before such a process has said what
    the signal means to it. It unblocks them when it has: see ``hear_only_sigterm``.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def hear_only_sigterm() -> None:
    """For a process that was started with signals blocked: its parent decides what they mean.

    Those that reach the whole process group are for the parent, which sends SIGTERM.
    """
    for number in STOP_SIGNALS:
        if number is not signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def how_it_ended(code: int | None, *, is_for_memory: bool = False) -> str:
    """The exit code of a process in words.

    Args:
        code: The exit code, or minus the number of a signal.
        is_for_memory: Whether Linux has ended it because memory was short.
    """
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        if is_for_memory:
            hint = ", since the machine's memory was short (no other cohort was beside it)"
        return f"was ended by {name}{hint}"
    return "died" if code == UNKNOWN_EXIT_CODE else f"ended with exit code {code}"


def _start_tracker() -> None:
    """Starts the process with which multiprocessing tracks resources, or another where it has died.

    It would unblock signals as it starts. That it had died is no news: nothing is tracked here.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        resource_tracker.ensure_running()


def _without_working_folder(path: list[str]) -> list[str]:
    """The entries of ``sys.path`` but the working folder.

    It stays where PYTHONPATH names it, and where ablate itself is imported from it.
    """
    here = Path.cwd()
    named = {entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry}
    if Path(__file__).is_relative_to(here / "ablate"):
        named.add(str(here))
    return [entry for entry in path if entry in named or (entry and Path(entry) != here)]
