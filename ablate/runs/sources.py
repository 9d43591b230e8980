"""``sources/DIGEST.json``: where data or weights of a digest lie, on each host that saw them."""

import os
import socket
from pathlib import Path

from ablate.runs.formats import Source

# Of hosts, the latest: a cluster may give each job a name of its own.
_MOST_HOSTS = 100


def noted(earlier: Source | None, path: Path, store: Path) -> Source:
    """What is to be remembered once this host has seen the data or weights at ``path``.

    Args:
        earlier: What was remembered before; None: nothing, or it cannot be read.
        path: Absolute.
        store: The folder of the store, absolute.
    """
    own = socket.gethostname()
    others = {} if earlier is None else dict(earlier.hosts)
    others.pop(own, None)
    kept = list(others.items())[1 - _MOST_HOSTS :]
    return Source(
        path=str(path),
        relative=os.path.relpath(path, store),
        hosts={**dict(kept), own: str(path)},
    )


def place(source: Source, store: Path) -> Path:
    """Where the data or weights lie for this host.

    Where this host has seen them, or as they lie to the store, if anything is there: a disk that
    several hosts share may be mounted under another path on each. Else where they were last seen.
    What is found is checked by its digest before it is used.
    """
    candidates = [Path(source.path)]
    if source.relative is not None:
        # By the words of the path: a store may be reached by a link.
        candidates.insert(0, Path(os.path.normpath(store / source.relative)))
    if (own := source.hosts.get(socket.gethostname())) is not None:
        candidates.insert(0, Path(own))
    return next((path for path in candidates if path.exists()), candidates[-1])
