"""The rows of the table: scores over repeats, missing values, and differences between rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ablate.report.model import Difference, MissingReason, RepeatScore, RepeatState, Row, Score
from ablate.report.published import ScoreRow, ScoreTable
from ablate.report.results import RunRecord
from ablate.report.selection_model import Selection
from ablate.report.statistics import mean_of, sd_of
from ablate.report.verdicts import verdict_of
from ablate.runs import SweepRecord
from ablate.spec import METRIC_NAMES, BackboneName, MetricName, Repeat, Variant

# Of several reasons in one row the first of these names it: what is under way, what went wrong,
# what can go on, what was never begun.
_PRECEDENCE: tuple[MissingReason, ...] = (
    "running",
    "diverged",
    "failed",
    "unreadable",
    "interrupted",
    "changed since it was run",
    "not run",
)


@dataclass(frozen=True)
class RowRuns:
    """The runs of one row and what the paper prints for it.

    Attributes:
        name: The variant's name.
        variant: The variant as it was run, or as it is declared today if it never was; None for a
            row of which no more than the name is known.
        is_changed: Whether it is declared otherwise today.
        runs: Its runs, by repeat.
        unplanned: The repeats that other rows were started with, and this one was not.
        printed: The paper's row.
        no_runs: Why it has no runs at all, where that is not for want of a start.
    """

    name: str
    variant: Variant | None
    is_changed: bool
    runs: tuple[RunRecord, ...]
    unplanned: tuple[Repeat, ...]
    printed: ScoreRow | None
    no_runs: MissingReason | None = None

    @property
    def label(self) -> str:
        """What tables print."""
        return (self.variant.label if self.variant else None) or self.name

    @property
    def is_trained(self) -> bool:
        """Whether it is trained; what is only evaluated has one result for a split."""
        return self.variant is None or self.variant.is_trained

    @property
    def missing_reason(self) -> MissingReason | None:
        """Why the row has no number at all; None if it has one."""
        if any(run.finished for run in self.runs):
            return None
        reasons = {run.missing_reason for run in self.runs}
        return next(
            (reason for reason in _PRECEDENCE if reason in reasons), self.no_runs or "not run"
        )

    def percent(self, metric: MetricName) -> dict[Repeat, float]:
        """A metric by repeat, of the runs that have a result with it."""
        return {
            run.run.repeat: 100 * run.finished.result.metrics[metric]
            for run in self.runs
            if run.finished and metric in run.finished.result.metrics
        }


class TableRuns:
    """The rows by variant, in the order of the table.

    Args:
        record: The start of the sweep.
        runs: What the store says of its runs.
        published: The paper's table.
        today: The sweep's rows as they are declared now.
    """

    def __init__(
        self,
        record: SweepRecord,
        runs: Sequence[RunRecord],
        published: ScoreTable | None,
        today: Mapping[str, Variant],
    ) -> None:
        """Sorts the runs into rows; a row that was never planned has none."""
        self._printed: Mapping[str, ScoreRow] = published.rows if published else {}
        by_name: dict[str, list[RunRecord]] = {
            name: [] for name in (*record.sweep.variants, *today)
        }
        for run in runs:
            by_name.setdefault(run.run.name, []).append(run)
        backbone = record.context.protocol.backbone
        self.rows = {
            name: self._row(name, own, today.get(name), backbone, record.repeats)
            for name, own in by_name.items()
        }

    def __getitem__(self, name: str) -> RowRuns:
        """The row of a variant; an empty one where the table has none."""
        return self.rows.get(name) or RowRuns(name, None, False, (), (), self._printed.get(name))

    def _row(
        self,
        name: str,
        runs: Sequence[RunRecord],
        today: Variant | None,
        backbone: BackboneName,
        repeats: Iterable[Repeat],
    ) -> RowRuns:
        variant = _variant_of(runs, today, backbone)
        identity = variant.identity(backbone) if variant else None
        kept = [
            run
            if run.run.variant.identity(backbone) == identity
            else replace(run, finished=None, missing_reason="changed since it was run", cause=None)
            for run in sorted(runs, key=lambda run: run.run.repeat)
        ]
        is_trained = variant is None or variant.is_trained
        if not is_trained:
            # One result for all seeds of a split, whichever of them it was started with.
            kept = list({run.run.split: run for run in sorted(kept, key=_evaluated)}.values())
        planned = {run.run.repeat for run in kept}
        splits = {run.run.split for run in kept}
        return RowRuns(
            name=name,
            variant=variant,
            is_changed=bool(runs and today and today.identity(backbone) != identity),
            runs=tuple(kept),
            unplanned=tuple(
                repeat
                for repeat in repeats
                if (repeat not in planned if is_trained else repeat.split not in splits)
            ),
            printed=self._printed.get(name),
        )


def row_of(
    row: RowRuns,
    delta: Difference | None,
    selection: Selection | None,
    *,
    has_published: bool,
    is_comparable: bool,
    metrics: Sequence[MetricName] = METRIC_NAMES,
) -> Row:
    """One row of the table; only comparable ones have verdicts."""
    return Row(
        name=row.name,
        label=row.label,
        system=row.variant.system if row.variant else None,
        is_trained=row.is_trained,
        structure=row.variant.columns() if row.variant else {},
        is_changed=row.is_changed,
        repeats=_repeat_states(row),
        missing_reason=row.missing_reason,
        published_missing_reason="not reported" if has_published and row.printed is None else None,
        scores={metric: _score(row, metric, is_comparable) for metric in metrics},
        delta=delta,
        selection=selection,
    )


def _evaluated(run: RunRecord) -> tuple[int, bool, int]:
    """Sorts the runs of a split so that the first with a result comes last."""
    return run.run.split, run.finished is not None, -run.run.seed


def _variant_of(
    runs: Sequence[RunRecord], today: Variant | None, backbone: BackboneName
) -> Variant | None:
    """The variant that the row shows: today's if it was run, else the latest that was."""
    if not runs:
        return today
    variants = [run.run.variant for run in runs]
    if today is not None:
        for variant in variants:
            if variant.identity(backbone) == today.identity(backbone):
                return variant
    return variants[-1]


def _repeat_states(row: RowRuns) -> tuple[RepeatState, ...]:
    states = [
        RepeatState(
            split=run.run.split,
            seed=run.run.seed,
            key=run.run.key,
            state=run.missing_reason or "done",
            cause=run.cause,
            predicts_no_positives=_predicts_no_positives(run),
            has_no_positives=_has_no_positives(run),
            micro_batches=run.finished.result.micro_batches if run.finished else (),
        )
        for run in row.runs
    ]
    states += [
        RepeatState(
            split=split,
            seed=seed,
            key=None,
            state="not run",
            cause=None,
            predicts_no_positives=None,
        )
        for split, seed in row.unplanned
    ]
    return tuple(sorted(states, key=lambda state: state.repeat))


def _predicts_no_positives(run: RunRecord) -> bool | None:
    if run.finished is None:
        return None
    pixels = run.finished.result.confusion
    return pixels["tp"] + pixels["fp"] == 0


def _has_no_positives(run: RunRecord) -> bool:
    if run.finished is None:
        return False
    pixels = run.finished.result.confusion
    return pixels["tp"] + pixels["fn"] == 0


def _score(row: RowRuns, metric: MetricName, is_comparable: bool) -> Score:
    per_repeat = row.percent(metric)
    values = list(per_repeat.values())
    mean = mean_of(values)
    printed = row.printed.values.get(metric) if row.printed else None
    published = None if printed is None else float(printed)
    return Score(
        n=len(values),
        mean=mean,
        sd=sd_of(values),
        per_repeat=tuple(
            RepeatScore(split=split, seed=seed, value=value)
            for (split, seed), value in per_repeat.items()
        ),
        published=published,
        printed=printed,
        difference=None if mean is None or published is None else mean - published,
        verdict=verdict_of(values, published) if is_comparable and published is not None else None,
    )
