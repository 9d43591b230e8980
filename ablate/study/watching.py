"""How far each run of a sweep is, read from its folder while it is trained."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ablate.plan import Plan, PlannedRun
from ablate.runs import State

TERMINAL_STATES = (State.DONE, State.FAILED, State.DIVERGED)
_POLL_S = 0.5
# Reading thousands of folders takes long: watching leaves nine tenths of the time to the training.
_REST_PER_LOOK = 9.0


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
    """

    name: str
    seed: int
    state: State
    share: float
    epoch: int
    epochs: int
    loss: float | None
    miou: float | None

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended in this start."""
        return self.state in TERMINAL_STATES


Progress = Callable[[Sequence[RunProgress]], None]


def read_progress(run: PlannedRun) -> RunProgress:
    """Reads one run's folder."""
    folder, epochs = run.folder, run.spec.epochs
    if folder.is_untouched():
        return RunProgress(run.spec.name, run.spec.seed, State.NEW, 0.0, 0, epochs, None, None)
    state = folder.state()
    loss: float | None = None
    miou: float | None = None
    if result := folder.result():
        share, epoch, miou = 1.0, result.epochs, result.metrics["miou"]
    else:
        if events := folder.events():
            loss, miou = events[-1].metrics["train_loss"], events[-1].metrics["miou"]
        share, epoch = len(events) / max(1, epochs), len(events)
        if state is State.RUNNING and (progress := folder.progress()):
            in_epoch = progress.step_in_epoch / max(1, progress.steps_per_epoch)
            # What is only evaluated has one pass and no epoch.
            share = min(1.0, (progress.epoch - 1 + in_epoch) / max(1, epochs))
            epoch, loss = int(share * epochs), progress.loss
    return RunProgress(run.spec.name, run.spec.seed, state, share, epoch, epochs, loss, miou)


class Watch:
    """The runs of a plan, look by look; a run that has ended is not read again.

    Args:
        plan: The runs.
    """

    def __init__(self, plan: Plan) -> None:
        """Reads every folder once."""
        self._runs = plan.runs
        self._seen = [read_progress(run) for run in plan.runs]

    def look(self) -> tuple[RunProgress, ...]:
        """Reads what may have changed."""
        self._seen = [
            seen if seen.is_terminal else read_progress(run)
            for run, seen in zip(self._runs, self._seen, strict=True)
        ]
        return tuple(self._seen)


def pause_s(look_s: float) -> float:
    """How long to rest after a look that took ``look_s`` seconds."""
    return max(_POLL_S, _REST_PER_LOOK * look_s)


@contextmanager
def watching(plan: Plan, progress: Progress | None) -> Iterator[None]:
    """While this is open, ``progress`` is called again and again, from a thread, and at the end.

    Args:
        plan: The runs.
        progress: Takes the state of every run, in the plan's order; None: nothing is watched.
    """
    if progress is None:
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(
        target=_watch, args=(Watch(plan), progress, stop), name="ablate-watch", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _watch(watch: Watch, progress: Progress, stop: threading.Event) -> None:
    is_last, look_s = False, 0.0
    while not is_last:
        is_last = stop.wait(pause_s(look_s))
        began = time.monotonic()
        progress(watch.look())
        look_s = time.monotonic() - began
