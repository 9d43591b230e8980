"""Notes in the store which sweeps a mirror was begun for and has not completed.

A kill during the last pass leaves runs that are done here and RUNNING in MLflow: the same command
finds the note, and completes the mirror though nothing is left to train.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ablate.runs import Store
from ablate.spec import digest_of


def mark(store: Store, ids: Sequence[str], uri: str | None) -> None:
    """Notes that a mirror begins for these sweeps and tunings.

    Args:
        store: Where they lie.
        ids: Their ids.
        uri: MLflow's tracking URI; None: the database in the store.
    """
    # Training never fails because of the mirror: on a full disk `ablate sync` is what is left.
    with suppress(OSError):
        for path in _paths(store, ids, uri):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()


def is_marked(store: Store, ids: Sequence[str], uri: str | None) -> bool:
    """Whether a mirror was begun for one of them, and not completed since."""
    return any(path.exists() for path in _paths(store, ids, uri))


def clear(store: Store, ids: Sequence[str], uri: str | None) -> None:
    """Notes that MLflow has all of them."""
    with suppress(OSError):
        for path in _paths(store, ids, uri):
            path.unlink(missing_ok=True)


def _paths(store: Store, ids: Sequence[str], uri: str | None) -> list[Path]:
    """Beside the database: who removes the mirror removes the notes."""
    # Digests: an address may hold a password.
    names = [digest_of([each, uri or ""])[:16] for each in ids]
    return [store.mlflow_path / f"unfinished-{name}" for name in names]
