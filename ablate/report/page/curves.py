"""Learning curves from the events of the runs."""

import math
from collections.abc import Mapping, Sequence

from ablate.errors import StoreError
from ablate.report.model import Report, Row
from ablate.report.page.model import Band, Curve
from ablate.report.results import cause_of
from ablate.runs import Event, Store
from ablate.spec import repeats_text

ROWS = 100
REPEATS = 10
EPOCHS = 200

# Of one metric: the values of all runs by epoch.
_Values = Mapping[int, Sequence[float]]


def read_curves(report: Report, store: Store) -> tuple[tuple[Curve, ...], tuple[str, ...]]:
    """The curves of the first rows that have any, and what there is to say of them.

    Runs without a result are shown as far as they came; those of a variant that was changed since
    are not.
    """
    notes: list[str] = []
    trained = [row for row in report.rows if row.is_trained]
    curves = []
    for row in trained[:ROWS]:
        events, problems = _events_of(row, store)
        notes += problems
        if events:
            curves.append(_curve(row.name, events))
    if len(trained) > ROWS:
        notes.append(f"The curves of the first {ROWS} of {len(trained)} trained rows are shown.")
    if any(len(row.repeats) > REPEATS for row in trained[:ROWS]):
        notes.append(f"Each row's curve is over its first {REPEATS} runs.")
    longest = max((curve.epochs[-1] for curve in curves), default=0)
    if longest > EPOCHS:
        notes.append(f"{EPOCHS} of {longest} epochs are shown, evenly spread.")
    return tuple(curves), tuple(notes)


def _events_of(row: Row, store: Store) -> tuple[list[list[Event]], list[str]]:
    """The events of a row's runs, those without any left out, and why some cannot be read."""
    events, problems = [], []
    for repeat in row.repeats[:REPEATS]:
        if repeat.key is None or repeat.state == "changed since it was run":
            continue
        try:
            folder = store.run(repeat.key)
            events.append(folder.events(folder.result()))
        except (StoreError, OSError) as error:
            problems.append(
                f"{row.label}, {repeats_text([repeat.repeat])}: {cause_of(error, store)}"
            )
    return [each for each in events if each], problems


def _curve(row: str, runs: Sequence[Sequence[Event]]) -> Curve:
    last = max(event.epoch for events in runs for event in events)
    count = min(last, EPOCHS)
    # The last epoch is always one of them.
    epochs = [math.ceil(last * number / count) for number in range(1, count + 1)]
    return Curve(
        row=row,
        n=len(runs),
        epochs=tuple(epochs),
        val_loss=_band(_by_epoch(runs, "val_loss", 1), epochs),
        miou=_band(_by_epoch(runs, "miou", 100), epochs),
    )


def _by_epoch(runs: Sequence[Sequence[Event]], metric: str, scale: float) -> _Values:
    values: dict[int, list[float]] = {}
    for events in runs:
        for event in events:
            value = event.metrics.get(metric, math.nan)
            if math.isfinite(value):
                values.setdefault(event.epoch, []).append(scale * value)
    return values


def _band(values: _Values, epochs: Sequence[int]) -> Band:
    known = [values.get(epoch, ()) for epoch in epochs]
    return Band(
        mean=tuple(math.fsum(each) / len(each) if each else None for each in known),
        low=tuple(min(each, default=None) for each in known),
        high=tuple(max(each, default=None) for each in known),
    )
