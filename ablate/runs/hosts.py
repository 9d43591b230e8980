"""Which host this is: locks of files are trusted among the processes of one, and of one only."""

import hashlib
import socket
import uuid
from functools import cache
from pathlib import Path

# Drawn anew by every kernel as it starts; containers on one kernel share it, and its locks.
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@cache
def this_host() -> str:
    """The running kernel's identity: processes that share it see each other's locks of files.

    It is another after each start of the machine, which no process survives.
    """
    try:
        boot_id = _BOOT_ID.read_text().strip()
    except (OSError, ValueError):
        boot_id = ""
    # Where it is unknown, what tells machines of a network apart.
    return boot_id or f"{socket.gethostname()}-{uuid.getnode():012x}"


def tag() -> str:
    """Eight hex digits of it, for names of files."""
    return hashlib.sha256(this_host().encode()).hexdigest()[:8]
