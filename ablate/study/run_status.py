"""``run_status``: what one run is at, as far as its files tell."""

import time
from contextlib import suppress
from dataclasses import dataclass

from ablate.errors import StoreError
from ablate.runs import Attempt, Event, Failure, Progress, Result, RunFolder, State
from ablate.study.watching import trained_share

# A worker writes into the run's folder every second once it computes. Before that it may decode a
# whole data set.
STALLED_S = 600.0
# Whose last sign of life says something.
_BEGUN = (State.RUNNING, State.INTERRUPTED, State.FAILED, State.DIVERGED)


@dataclass(frozen=True)
class RunStatus:
    """What a run is at.

    Attributes:
        state: What its folder says.
        device: Where it is trained, or was last; None: it never was, or that was not recorded.
        epoch: Epochs that are done.
        progress: How much of the run is done, 0..1.
        miou: The latest validation MIoU, as a fraction; None before the first.
        last_event: When something was last heard of it; Unix seconds; None: never.
        note: Why it could not go on, what is wrong with its files, or that nothing was heard of it
            for long; one line.
        is_stalled: Whether a process holds it, but nothing was heard of it for long.
    """

    state: State
    device: str | None
    epoch: int
    progress: float
    miou: float | None
    last_event: float | None
    note: str | None
    is_stalled: bool = False


def run_status(folder: RunFolder, epochs: int, now: float | None = None) -> RunStatus:
    """What a run is at; whatever is wrong with its files is said in ``note``.

    Args:
        folder: Its folder.
        epochs: How many epochs it trains.
        now: Unix seconds; None: the time of this call.
    """
    # What is wrong with the files of a finished run is in its state.
    with suppress(StoreError):
        if finished := folder.checked():
            return _of_done(finished.result, folder.weights_problem())
    state = folder.state()
    attempt, progress = _last_attempt(folder, state), None
    events: list[Event] = []
    failure: Failure | None = None
    note: str | None = None
    try:
        if state is State.DAMAGED:
            note = folder.damage()
        else:
            events = folder.events()
            failure = folder.failure()
            note = failure.message if failure else None
    except StoreError as error:
        note = str(error)
    if state is State.RUNNING:
        progress = folder.progress()
        share = trained_share(progress, epochs) if progress else len(events) / max(1, epochs)
    else:
        share = len(events) / max(1, epochs)
    heard = _last_sign(attempt, progress, events, failure)
    is_stalled = False
    if state is State.RUNNING and heard is not None:
        silent_s = (time.time() if now is None else now) - heard
        is_stalled = silent_s > STALLED_S
        if is_stalled:
            note = f"no sign of life for {silent_s / 60:.0f} min: see `ablate logs {folder.key}`"
    return RunStatus(
        state=state,
        device=attempt.device if attempt else None,
        epoch=len(events),
        progress=min(1.0, share),
        miou=events[-1].metrics.get("miou") if events else None,
        last_event=heard,
        note=_one_line(note),
        is_stalled=is_stalled,
    )


def _of_done(result: Result, note: str | None) -> RunStatus:
    return RunStatus(
        state=State.DONE,
        device=result.machine.device,
        epoch=result.epochs,
        progress=1.0,
        miou=result.metrics.get("miou"),
        last_event=result.finished,
        note=_one_line(note),
    )


def _last_attempt(folder: RunFolder, state: State) -> Attempt | None:
    """None also where it cannot be read: the report of the cost says so."""
    if state in _BEGUN:
        with suppress(StoreError):
            return next(reversed(folder.attempts()), None)
    return None


def _last_sign(
    attempt: Attempt | None,
    progress: Progress | None,
    events: list[Event],
    failure: Failure | None,
) -> float | None:
    times = [event.time for event in events[-1:]]
    times += [attempt.seen] if attempt else []
    times += [each.time for each in (progress, failure) if each]
    return max(times, default=None)


def _one_line(note: str | None) -> str | None:
    return " ".join(note.split()) if note else None
