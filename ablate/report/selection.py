"""The price of selection: what the choice of an epoch adds to the score that it is judged by."""

import math
from collections.abc import Sequence

from ablate.errors import StoreError
from ablate.report.results import Finished, RunRecord, cause_of
from ablate.report.selection_model import SelectedEpoch, Selection
from ablate.report.statistics import mean_of, sd_of
from ablate.runs import RecordedRun, Result, RunFolder, Store


def selection_of(runs: Sequence[RunRecord], store: Store) -> Selection | None:
    """What the selection of an epoch adds to the scores of one row.

    Args:
        runs: The row's runs; those without a result are left out.
        store: The store that holds their epochs.

    Returns:
        None for a row that is only evaluated or has no result.
    """
    epochs = [
        _selected_epoch(run.run, run.finished, store)
        for run in runs
        if run.finished and run.finished.result.epochs
    ]
    if not epochs:
        return None
    known = [each for each in epochs if each.gain is not None]
    gains = [each.gain for each in known if each.gain is not None]
    return Selection(
        n=len(known),
        selected=mean_of([each.selected for each in known if each.selected is not None]),
        last=mean_of([each.last for each in known if each.last is not None]),
        best=mean_of([each.best for each in known if each.best is not None]),
        gain=mean_of(gains),
        gain_sd=sd_of(gains),
        repeats=tuple(epochs),
    )


def _selected_epoch(run: RecordedRun, finished: Finished, store: Store) -> SelectedEpoch:
    """One run; what cannot be read leaves its own scores empty."""
    epoch, epochs = finished.result.epoch, finished.result.epochs
    try:
        miou = _miou_by_epoch(store.run(run.key), finished.result)
    except (StoreError, OSError) as error:
        cause = cause_of(error, store)
        return SelectedEpoch(
            split=run.split, seed=run.seed, epoch=epoch, epochs=epochs, missing_reason=cause
        )
    best = max(range(epochs), key=miou.__getitem__)
    return SelectedEpoch(
        split=run.split,
        seed=run.seed,
        epoch=epoch,
        epochs=epochs,
        best_epoch=best + 1,
        selected=miou[epoch - 1],
        last=miou[-1],
        best=miou[best],
    )


def _miou_by_epoch(folder: RunFolder, result: Result) -> list[float]:
    """Validation MIoU (percent) of every epoch of a finished run, the first one first.

    Raises:
        StoreError: If an epoch or its MIoU is not in the events, or they cannot be read.
    """
    epochs, repair = result.epochs, "remove the run's folder and run again"
    if not 1 <= result.epoch <= epochs:
        raise StoreError(f"{folder.path} selects epoch {result.epoch} of {epochs}", repair)
    known = {event.epoch: event.metrics.get("miou", math.nan) for event in folder.events(result)}
    values = [100 * known.get(epoch, math.nan) for epoch in range(1, epochs + 1)]
    if lacking := [epoch for epoch, value in enumerate(values, start=1) if math.isnan(value)]:
        raise StoreError(
            f"the events of {folder.path} have no MIoU of epoch {lacking[0]} of {epochs}",
            repair,
        )
    return values
