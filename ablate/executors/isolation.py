"""Processes that import nothing from the working folder."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


@contextmanager
def isolated_children(**variables: str) -> Iterator[None]:
    """Processes that Python starts while this is open import only what is installed.

    By default a new interpreter looks for modules in the working folder first: a user's
    ``random.py`` there would replace Python's own. It would also run the caller's script again, to
    find functions that are defined in it; all that ablate sends to its processes is found by its
    import path. Events and queues of ``multiprocessing`` start a process too.

    Args:
        variables: Environment variables for these processes.
    """
    variables["PYTHONSAFEPATH"] = "1"
    environment = {name: os.environ.get(name) for name in variables}
    path, main = sys.path, sys.modules["__main__"]
    os.environ.update(variables)
    sys.path = _without_working_folder(path)
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.path, sys.modules["__main__"] = path, main
        for name, value in environment.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _without_working_folder(path: list[str]) -> list[str]:
    """The entries of ``sys.path`` but the working folder.

    It stays where PYTHONPATH names it, and where ablate itself is imported from it.
    """
    here = Path.cwd()
    named = {entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry}
    if Path(__file__).is_relative_to(here / "ablate"):
        named.add(str(here))
    return [entry for entry in path if entry in named or (entry and Path(entry) != here)]
