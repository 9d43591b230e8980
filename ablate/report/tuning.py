"""From the record of a tuning to its place in the report: tuned rows, claims."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ablate.report.best_of_k import expected_best_of_k, order_changes
from ablate.report.claims import claims_of
from ablate.report.comparison_model import Claim, Difference
from ablate.report.differences import draw_images_of
from ablate.report.model import Row
from ablate.report.results import read_run
from ablate.report.rows import RowRuns, TableRuns
from ablate.report.selection import selection_of
from ablate.report.selection_model import Selection
from ablate.report.statistics import interval_of, mean_of, sd_of
from ablate.report.trials import RowTrials
from ablate.report.tuning_model import (
    DefaultAndTuned,
    MeanScore,
    OrderChange,
    RowTuning,
    TunedClaim,
    TuningSummary,
)
from ablate.runs import Store, TunedRow, TuningRecord
from ablate.spec import Repeat, Sweep


def tuning_of(
    tuning: TuningRecord,
    sweep: Sweep,
    table: TableRuns,
    rows: Sequence[Row],
    claims: Sequence[Claim],
    store: Store,
) -> TuningSummary:
    """Reads all trials and tuned runs, and sets the tuned rows beside the defaults.

    Args:
        tuning: The record.
        sweep: The sweep, with its baseline and comparisons.
        table: The runs of the default rows.
        rows: The default rows as the report shows them.
        claims: The verdicts on the defaults, one for each of the sweep's comparisons.
        store: The store that holds the runs.
    """
    trials = {name: RowTrials(tuning, row, store) for name, row in table.rows.items()}
    tuned = {
        row.row: row
        for row in tuning.tuned
        if row.row in trials and trials[row.row].is_of_today(row)
    }
    runs = {
        name: _tuned_runs(row, tuned.get(name), trials[name], store)
        for name, row in table.rows.items()
    }
    baseline = trials.get(sweep.baseline or "")
    summaries = [
        RowTuning(
            name=row.name,
            label=row.label,
            is_trained=row.is_trained,
            chosen=trials[row.name].chosen(tuned.get(row.name)),
            missing_reason=runs[row.name].missing_reason,
            default_missing_reason=row.missing_reason,
            trials=trials[row.name].counts(),
            **_default_and_tuned(table[row.name], row.selection, runs[row.name], store),
            best_of_k=tuple(expected_best_of_k(trials[row.name].worth())),
            by_setting=trials[row.name].minus(baseline)
            if baseline and baseline is not trials[row.name]
            else None,
        )
        for row in rows
    ]
    curves = {row.name: row.best_of_k for row in summaries}
    labels = {row.name: row.label for row in rows}
    verdicts = claims_of(
        sweep.comparisons,
        _TunedTable(table, runs),
        draw_images_of(runs, sweep),
        has_published=False,
    )
    return TuningSummary(
        sampler=tuning.sampler,
        space=tuning.space,
        budget=tuning.budget,
        metric=tuning.metric,
        train=tuning.inner.data.train,
        validation=tuning.inner.data.validation,
        rows=tuple(summaries),
        order_changes=tuple(
            OrderChange(k=change.k, ahead=labels[change.ahead], behind=labels[change.behind])
            for change in order_changes(curves)
        ),
        claims=tuple(
            _claim(default, verdict) for default, verdict in zip(claims, verdicts, strict=True)
        ),
    )


class _TunedTable:
    """The tuned rows by name; what is only evaluated stays as it is."""

    def __init__(self, table: TableRuns, tuned: Mapping[str, RowRuns]) -> None:
        self._table, self._tuned = table, tuned

    def __getitem__(self, name: str) -> RowRuns:
        default = self._table[name]
        return self._tuned.get(name, default) if default.is_trained else default


def _tuned_runs(row: RowRuns, tuned: TunedRow | None, trials: RowTrials, store: Store) -> RowRuns:
    """The row as it was trained anew; without runs where it was not."""
    if not row.is_trained:
        return row
    runs = tuple(read_run(run, store) for run in tuned.runs) if tuned else ()
    reason = None if runs else trials.missing_reason()
    return replace(row, is_changed=False, runs=runs, unplanned=(), printed=None, no_runs=reason)


def _default_and_tuned(
    default: RowRuns, selection: Selection | None, tuned: RowRuns, store: Store
) -> dict[str, DefaultAndTuned]:
    """``selected`` and ``last``."""
    reason = next(
        (
            f"{which} {row.missing_reason}"
            for which, row in (("default", default), ("tuned", tuned))
            if row.missing_reason
        ),
        "no repeat in common",
    )
    return {
        "selected": _beside(default.percent("miou"), tuned.percent("miou"), reason),
        "last": _beside(_last(selection), _last(selection_of(tuned.runs, store)), reason),
    }


def _last(selection: Selection | None) -> dict[Repeat, float]:
    """MIoU of the last epoch by repeat."""
    runs = selection.repeats if selection else ()
    return {run.repeat: run.last for run in runs if run.last is not None}


def _beside(
    default: Mapping[Repeat, float], tuned: Mapping[Repeat, float], reason: str
) -> DefaultAndTuned:
    differences = [tuned[repeat] - default[repeat] for repeat in tuned if repeat in default]
    low, high = interval_of(differences) or (None, None)
    return DefaultAndTuned(
        default=_mean_score(default),
        tuned=_mean_score(tuned),
        difference=Difference(
            n=len(differences),
            mean=mean_of(differences),
            low=low,
            high=high,
            method="repeats" if low is not None else None,
            missing_reason=None if differences else reason,
            published=None,
        ),
    )


def _mean_score(by_repeat: Mapping[Repeat, float]) -> MeanScore:
    values = list(by_repeat.values())
    return MeanScore(n=len(values), mean=mean_of(values), sd=sd_of(values))


def _claim(default: Claim, tuned: Claim) -> TunedClaim:
    kinds = [_verdict(claim) for claim in (default, tuned)]
    return TunedClaim(
        claim=default.claim,
        default=default.reproduced,
        tuned=tuned.reproduced,
        is_changed=None if None in kinds else kinds[0] != kinds[1],
        pairs=tuned.pairs,
    )


def _verdict(claim: Claim) -> str | None:
    """The verdict; None where it cannot be told since a result is missing."""
    is_missing = any(pair.difference.missing_reason for pair in claim.pairs)
    return None if claim.verdict == "cannot tell" and is_missing else claim.verdict
