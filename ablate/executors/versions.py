"""Whether a node computes with the same ablate and Python as the command that has planned."""

import platform
import socket
from importlib.metadata import version

from ablate.spec import ENGINE_VERSION


def here() -> str:
    """What this process computes with, as far as it decides what a run becomes."""
    python = ".".join(platform.python_version_tuple()[:2])
    return f"ablate {version('ablate')} (engine {ENGINE_VERSION}) on Python {python}"


def difference(expected: str) -> str | None:
    """What is wrong with this process, in one line; None: nothing.

    Args:
        expected: ``here()`` of the command.
    """
    found = here()
    if found == expected:
        return None
    return f"node {socket.gethostname()} has {found}, and the command has {expected}"
