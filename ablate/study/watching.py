"""How far each run of a sweep is, read from its folder while it is trained."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ablate.errors import StoreError
from ablate.plan import PlannedRun
from ablate.runs import Progress as FileProgress
from ablate.runs import State

TERMINAL_STATES = (State.DONE, State.FAILED, State.DIVERGED)
_POLL_S = 0.5
# Reading thousands of folders takes long: watching leaves nine tenths of the time to the training.
REST_PER_LOOK = 9.0


@dataclass(frozen=True)
class RunProgress:
    """One run as its folder shows it.

    Attributes:
        name: The variant's name.
        seed: The seed.
        state: What the folder says.
        share: How much of the run is done, 0..1.
        epoch: Epochs that are done.
        epochs: Epochs in all.
        loss: The latest training loss; None before the first.
        miou: The latest validation MIoU, as a fraction; None before the first.
        split: The number of the split.
    """

    name: str
    seed: int
    state: State
    share: float
    epoch: int
    epochs: int
    loss: float | None
    miou: float | None
    split: int = 0

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended in this start."""
        return self.state in TERMINAL_STATES


Progress = Callable[[Sequence[RunProgress]], None]


def read_progress(run: PlannedRun) -> RunProgress:
    """Reads one run's folder.

    Raises:
        StoreError: If a file in it is broken.
    """
    folder, epochs = run.folder, run.spec.epochs
    if folder.is_untouched():
        return _nothing_yet(run)
    state = folder.state()
    loss: float | None = None
    miou: float | None = None
    if result := folder.result():
        share, epoch, miou = 1.0, result.epochs, result.metrics.get("miou")
    else:
        if events := folder.events():
            loss, miou = (events[-1].metrics.get(name) for name in ("train_loss", "miou"))
        share, epoch = len(events) / max(1, epochs), len(events)
        if state is State.RUNNING and (progress := folder.progress()):
            share = trained_share(progress, epochs)
            epoch, loss = int(share * epochs), progress.loss
    name, seed, split = run.spec.name, run.spec.seed, run.spec.split
    return RunProgress(name, seed, state, share, epoch, epochs, loss, miou, split)


def trained_share(progress: FileProgress, epochs: int) -> float:
    """How much of a run is done, 0..1, by what its worker writes."""
    in_epoch = progress.step_in_epoch / max(1, progress.steps_per_epoch)
    # What is only evaluated has one pass and no epoch.
    return min(1.0, max(0.0, (progress.epoch - 1 + in_epoch) / max(1, epochs)))


def _nothing_yet(run: PlannedRun) -> RunProgress:
    spec = run.spec
    return RunProgress(spec.name, spec.seed, run.state, 0.0, 0, spec.epochs, None, None, spec.split)


def _read_or_keep(run: PlannedRun, seen: RunProgress) -> RunProgress:
    """A broken file is the worker's to report: it becomes the run's failure."""
    try:
        return read_progress(run)
    except StoreError:
        return seen


class Watch:
    """Some runs, look by look; a run that has ended is not read again.

    Args:
        runs: The runs.
    """

    def __init__(self, runs: Sequence[PlannedRun]) -> None:
        """Reads every folder once."""
        self._runs = runs
        self.seen = tuple(_read_or_keep(run, _nothing_yet(run)) for run in runs)

    def look(self) -> tuple[RunProgress, ...]:
        """Reads what may have changed."""
        self.seen = tuple(
            seen if seen.is_terminal else _read_or_keep(run, seen)
            for run, seen in zip(self._runs, self.seen, strict=True)
        )
        return self.seen


def pause_s(look_s: float) -> float:
    """How long to rest after a look that took ``look_s`` seconds."""
    return max(_POLL_S, REST_PER_LOOK * look_s)


@contextmanager
def watching(runs: Sequence[PlannedRun], progress: Progress | None) -> Iterator[None]:
    """While this is open, ``progress`` is called from a thread: at once, on and on, at the end.

    Args:
        runs: The runs.
        progress: Takes the state of every run, in this order; None: nothing is watched.
    """
    if progress is None:
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(
        target=_watch, args=(Watch(runs), progress, stop), name="ablate-watch", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _watch(watch: Watch, progress: Progress, stop: threading.Event) -> None:
    progress(watch.seen)
    is_last, look_s = False, 0.0
    while not is_last:
        is_last = stop.wait(pause_s(look_s))
        began = time.monotonic()
        progress(watch.look())
        look_s = time.monotonic() - began
