"""The trials of one row: how they ended, what they cost, and what sets them against another's."""

from typing import Any

from pydantic import ValidationError

from ablate.report.model import MissingReason
from ablate.report.results import RunRecord, read_run
from ablate.report.rows import RowRuns
from ablate.report.statistics import interval_of, mean_of, sd_of
from ablate.report.tuning_model import ChosenSetting, SettingDifference, TrialCounts
from ablate.runs import RecordedRun, Setting, Store, TunedRow, TuningRecord
from ablate.spec import AnyVariant, MetricName, Variant

# What a trial without a model is worth; no score is lower.
_NOTHING = 0.0
_WITHOUT_MODEL: tuple[MissingReason, ...] = ("failed", "diverged")
_OPEN: tuple[MissingReason, ...] = ("running", "interrupted", "not run")


class RowTrials:
    """The trials of one row as their folders show them.

    Args:
        tuning: The record.
        row: The row as the report shows it; trials of what it was before are left out.
        store: The store that holds the runs.
    """

    def __init__(self, tuning: TuningRecord, row: RowRuns, store: Store) -> None:
        """Reads the folders."""
        self._metric: MetricName = tuning.metric
        self._budget = tuning.budget
        self._variant = row.variant
        self._backbone = tuning.context.protocol.backbone
        recorded = tuning.trials_of(row.name)
        trials = [each for each in recorded if self._is_of_today(each.run, each.setting)]
        self._are_changed = len(trials) < len(recorded)
        self._settings: dict[int, Setting] = {each.number: each.setting for each in trials}
        self._runs = {each.number: read_run(each.run, store) for each in trials}

    def is_of_today(self, tuned: TunedRow) -> bool:
        """Whether a tuned row is the row that the report shows, with its setting."""
        return all(self._is_of_today(run, tuned.setting) for run in tuned.runs)

    def _is_of_today(self, run: RecordedRun, setting: Setting) -> bool:
        expected = _with(self._variant, setting) if self._variant else None
        if expected is None:
            return False
        return run.variant.identity(self._backbone) == expected.identity(self._backbone)

    def _score(self, run: RunRecord) -> float | None:
        return 100 * run.finished.result.metrics[self._metric] if run.finished else None

    def _number_of(self, *reasons: MissingReason) -> int:
        return sum(run.missing_reason in reasons for run in self._runs.values())

    def missing_reason(self) -> MissingReason:
        """Why the row has not been trained anew."""
        if self._are_changed:
            return "changed since it was run"
        if not self._runs:
            return "not tuned"
        if len(self._runs) < self._budget or self._number_of(*_OPEN):
            return "trials not ended"
        # The row is trained anew by the process that sees its last trial end.
        return "not run" if any(run.finished for run in self._runs.values()) else "no trial is done"

    def counts(self) -> TrialCounts:
        """How the trials ended; those of the budget that have no run yet are open.

        Of a row that the tuning has not begun, none is.
        """
        budget = self._budget if self._runs else 0
        # Where a setting comes twice, one run is several trials, and was paid for once.
        seconds = {
            run.run.key: run.finished.result.train_s for run in self._runs.values() if run.finished
        }
        return TrialCounts(
            done=sum(run.finished is not None for run in self._runs.values()),
            failed=self._number_of("failed"),
            diverged=self._number_of("diverged"),
            open=self._number_of(*_OPEN) + max(0, budget - len(self._runs)),
            unreadable=self._number_of("unreadable"),
            device_s=sum(seconds.values()),
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

    def minus(self, baseline: "RowTrials") -> SettingDifference | None:
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


def _are_equal(one: Setting, other: Setting) -> bool:
    """Whether two rows have the same setting in the fields that both have."""
    shared = one.keys() & other.keys()
    return bool(shared) and all(one[field] == other[field] for field in shared)


def _with(variant: Variant, setting: Setting) -> Variant | None:
    """A variant with those fields of a setting that it has; None where it does not take them."""
    content = variant.model_dump()
    for field, value in setting.items():
        *parents, last = field.split(".")
        below: Any = content
        for parent in parents:
            below = below.get(parent) if isinstance(below, dict) else None
        # The others are the protocol's.
        if isinstance(below, dict) and last in below:
            below[last] = value
    try:
        return AnyVariant.model_validate(content).root
    except ValidationError:
        return None
