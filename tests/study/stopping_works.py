"""Work that trains nothing: the first run to be worked on cannot go on, or waits until stopped."""

import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ablate.errors import Interrupted
from ablate.runs import Failure, RunFolder
from executors.works import finish, until


def fail_seed_0(folders: Sequence[Path], device: str) -> None:
    """Of translandseg, seed 0 fails as long as there is no file ``mended`` beside the runs."""
    _work(folders, device, "error")


def diverge_seed_0(folders: Sequence[Path], device: str) -> None:
    """Of translandseg, seed 0 diverges."""
    _work(folders, device, "diverged")


def _work(folders: Sequence[Path], device: str, kind) -> None:
    for path in folders:
        folder = RunFolder(path)
        spec = folder.spec()
        if (spec.name, spec.seed) == ("translandseg", 0) and not (path.parent / "mended").exists():
            now = time.time()
            folder.write_failure(Failure(kind=kind, message="no more", detail="", time=now))
            continue
        folder.clear_failure()
        finish(folder, device)


def fail_then_wait(folders: Sequence[Path], device: str) -> None:
    """Seed 0 of translandseg fails; what is beside it in its cohort waits, and saves its state."""
    stopped = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    try:
        failing, *others = sorted(folders, key=lambda path: RunFolder(path).spec().name)
        _work([failing], device, "error")
        for path in others:
            until(stopped.is_set)
            RunFolder(path).save_checkpoint(1, b"state")
            raise Interrupted("stopped")
    finally:
        signal.signal(signal.SIGTERM, before)


def wait_until_stopped(folders: Sequence[Path], device: str) -> None:
    """Waits in the first run, until it is stopped; saves its state."""
    stopped = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    folder = RunFolder(folders[0])
    try:
        with folder.claim():
            until(stopped.is_set)
            folder.save_checkpoint(1, b"state")
        raise Interrupted("stopped")
    finally:
        signal.signal(signal.SIGTERM, before)
