"""The phases in a sweep's life: how a store shows that one was reached, and which one it is in."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .session import Session


@dataclass(frozen=True)
class Phase:
    """A part of a sweep's life.

    Attributes:
        name: What figures call it.
        is_reached: Whether this start of the sweep is there.
        longest_s: How long to wait after that at most, which spreads the instants over the phase.
    """

    name: str
    is_reached: Callable[[Session, Path], bool]
    longest_s: float


def _newer(session: Session, store: Path, pattern: str) -> bool:
    """Whether a file was written in this start."""
    return any(_written(path) >= session.began for path in store.glob(pattern))


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _imports_torch(session: Session, store: Path) -> bool:
    return bool(session.role("fork server"))


def _is_recorded(session: Session, store: Path) -> bool:
    return _newer(session, store, "sweeps/*.json")


def _builds_cache(session: Session, store: Path) -> bool:
    return _newer(session, store, "cache/*.partial")


def _trains(session: Session, store: Path) -> bool:
    return _newer(session, store, "runs/*/progress.json")


def _saves(session: Session, store: Path) -> bool:
    return _newer(session, store, "runs/*/claim/*/.*.tmp") and _trains(session, store)


def _publishes(session: Session, store: Path) -> bool:
    weights = [
        path for path in store.glob("runs/*/weights.safetensors") if _written(path) >= session.began
    ]
    return any(not path.with_name("result.json").exists() for path in weights)


def _mirrors(session: Session, store: Path) -> bool:
    runs = list(store.glob("runs/*/spec.json"))
    return bool(runs) and all((path.parent / "result.json").exists() for path in runs)


PHASES = (
    Phase("start", lambda session, store: True, 1.2),
    Phase("preflight", _imports_torch, 4.0),
    Phase("workers", _is_recorded, 0.3),
    Phase("cache", _builds_cache, 0.02),
    Phase("training", _trains, 1.0),
    Phase("saving", _saves, 0.01),
    Phase("publishing", _publishes, 0.05),
    Phase("mirror", _mirrors, 4.0),
)
# Not a phase to be killed in, but a moment of others.
WORKER_STARTS = Phase(
    "start of a worker", lambda session, store: _newer(session, store, "logs/worker-*.log"), 0.0
)
# What the store shows is looked at from the most particular to the least.
_PARTICULAR = ("mirror", "publishing", "saving", "cache", "training", "workers", "preflight")


def seen(session: Session, store: Path) -> str:
    """The phase that the sweep is in now."""
    by_name = {phase.name: phase for phase in PHASES}
    for name in _PARTICULAR:
        if by_name[name].is_reached(session, store):
            return name
    return "start"
