"""From the record of a tuning to its place in the report: trials, tuned rows, claims."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ablate.report.best_of_k import expected_best_of_k, order_changes
from ablate.report.claims import claim_of
from ablate.report.comparison_model import Claim, Difference
from ablate.report.model import MissingReason, Row
from ablate.report.results import RunRecord, read_run
from ablate.report.rows import RowRuns, TableRuns
from ablate.report.selection import selection_of
from ablate.report.selection_model import Selection
from ablate.report.statistics import interval_of, mean_of, sd_of
from ablate.report.tuning_model import (
    ChosenSetting,
    DefaultAndTuned,
    MeanScore,
    OrderChange,
    RowTuning,
    SettingDifference,
    TrialCounts,
    TunedClaim,
    TuningSummary,
)
from ablate.runs import Setting, Store, TunedRow, TuningRecord
from ablate.spec import MetricName, Sweep

# What a trial without a model is worth; no score is lower.
_NOTHING = 0.0
_WITHOUT_MODEL: tuple[MissingReason, ...] = ("failed", "diverged")
_OPEN: tuple[MissingReason, ...] = ("running", "interrupted", "not run")


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
    trials = {name: _Trials(tuning, name, store) for name in table.rows}
    tuned = {row.row: row for row in tuning.tuned}
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
    lookup = _TunedTable(table, runs)
    verdicts = [claim_of(each, lookup, has_published=False) for each in sweep.comparisons]
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


class _Trials:
    """The trials of one row as their folders show them."""

    def __init__(self, tuning: TuningRecord, row: str, store: Store) -> None:
        self._metric: MetricName = tuning.metric
        self._budget = tuning.budget
        trials = tuning.trials_of(row)
        self._settings: dict[int, Setting] = {each.number: each.setting for each in trials}
        self._runs = {each.number: read_run(each.run, store) for each in trials}

    def _score(self, run: RunRecord) -> float | None:
        return 100 * run.finished.result.metrics[self._metric] if run.finished else None

    def _number_of(self, *reasons: MissingReason) -> int:
        return sum(run.missing_reason in reasons for run in self._runs.values())

    def missing_reason(self) -> MissingReason:
        """Why the row has not been trained anew."""
        if not self._runs:
            return "not tuned"
        if len(self._runs) < self._budget or self._number_of(*_OPEN):
            return "trials not ended"
        # The row is trained anew by the process that sees its last trial end.
        return "not run" if any(run.finished for run in self._runs.values()) else "no trial is done"

    def counts(self) -> TrialCounts:
        """How the trials ended; those of the budget that have no run yet are open."""
        done = [run.finished.result for run in self._runs.values() if run.finished]
        return TrialCounts(
            done=len(done),
            failed=self._number_of("failed"),
            diverged=self._number_of("diverged"),
            open=self._number_of(*_OPEN) + max(0, self._budget - len(self._runs)),
            unreadable=self._number_of("unreadable"),
            device_s=sum(result.train_s for result in done),
            causes={
                number: run.cause
                for number, run in self._runs.items()
                if run.cause and run.missing_reason in ("failed", "unreadable")
            },
        )

    def worth(self) -> list[float]:
        """The score of every trial that ended; what left no model counts as 0."""
        values = [
            _NOTHING if run.missing_reason in _WITHOUT_MODEL else self._score(run)
            for run in self._runs.values()
        ]
        return [value for value in values if value is not None]

    def chosen(self, tuned: TunedRow | None) -> ChosenSetting | None:
        """The setting of the tuned row with its score on the inner split."""
        if tuned is None:
            return None
        run = self._runs.get(tuned.trial)
        return ChosenSetting(
            trial=tuned.trial, setting=tuned.setting, score=self._score(run) if run else None
        )

    def minus(self, baseline: "_Trials") -> SettingDifference | None:
        """The differences of the scores over equal settings; None where no setting is equal."""
        common = [
            number
            for number, setting in self._settings.items()
            if _are_equal(setting, baseline._settings.get(number, {}))
        ]
        if not common:
            return None
        pairs = [(self._score(self._runs[n]), self._score(baseline._runs[n])) for n in common]
        differences = [
            ours - theirs for ours, theirs in pairs if ours is not None and theirs is not None
        ]
        low, high = interval_of(differences) or (None, None)
        return SettingDifference(
            n=len(differences),
            mean=mean_of(differences),
            sd=sd_of(differences),
            low=low,
            high=high,
        )


class _TunedTable:
    """The tuned rows by name; what is only evaluated stays as it is."""

    def __init__(self, table: TableRuns, tuned: Mapping[str, RowRuns]) -> None:
        self._table, self._tuned = table, tuned

    def __getitem__(self, name: str) -> RowRuns:
        default = self._table[name]
        return self._tuned.get(name, default) if default.is_trained else default


def _are_equal(one: Setting, other: Setting) -> bool:
    """Whether two rows have the same setting in the fields that both have."""
    shared = one.keys() & other.keys()
    return bool(shared) and all(one[field] == other[field] for field in shared)


def _tuned_runs(row: RowRuns, tuned: TunedRow | None, trials: _Trials, store: Store) -> RowRuns:
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
        "no seed in common",
    )
    return {
        "selected": _beside(default.percent("miou"), tuned.percent("miou"), reason),
        "last": _beside(_last(selection), _last(selection_of(tuned.runs, store)), reason),
    }


def _last(selection: Selection | None) -> dict[int, float]:
    """MIoU of the last epoch by seed."""
    seeds = selection.seeds if selection else ()
    return {seed.seed: seed.last for seed in seeds if seed.last is not None}


def _beside(
    default: Mapping[int, float], tuned: Mapping[int, float], reason: str
) -> DefaultAndTuned:
    differences = [tuned[seed] - default[seed] for seed in tuned if seed in default]
    low, high = interval_of(differences) or (None, None)
    return DefaultAndTuned(
        default=_mean_score(default),
        tuned=_mean_score(tuned),
        difference=Difference(
            n=len(differences),
            mean=mean_of(differences),
            low=low,
            high=high,
            missing_reason=None if differences else reason,
            published=None,
        ),
    )


def _mean_score(by_seed: Mapping[int, float]) -> MeanScore:
    values = list(by_seed.values())
    return MeanScore(n=len(values), mean=mean_of(values), sd=sd_of(values))


def _claim(default: Claim, tuned: Claim) -> TunedClaim:
    kinds = [_kind(claim.reproduced) for claim in (default, tuned)]
    return TunedClaim(
        claim=default.claim,
        default=default.reproduced,
        tuned=tuned.reproduced,
        is_changed=None if None in kinds else kinds[0] != kinds[1],
        pairs=tuned.pairs,
    )


def _kind(verdict: str) -> str | None:
    """The verdict without n; None where a result is missing."""
    if verdict.startswith("cannot tell:"):
        return None
    return "cannot tell" if verdict.startswith("cannot tell") else verdict
