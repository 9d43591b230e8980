"""From the store to the report: all that tables show is computed here, once."""

from collections.abc import Mapping, Sequence

from ablate.metrics import Confusion
from ablate.report.best_row import best_row
from ablate.report.claims import claims_of
from ablate.report.consistency import check_table, common_share, share_of
from ablate.report.costs import costs_of
from ablate.report.differences import compare, draw_images_of
from ablate.report.elsewhere import kept_elsewhere
from ablate.report.factor_effects import effects_of
from ablate.report.held_out import held_out_of
from ablate.report.image_spread import compare_rows
from ablate.report.mask_differences import mask_differences_of
from ablate.report.matched import matched_parameters
from ablate.report.model import PositiveShare, PublishedValues, Report, Row
from ablate.report.parameters import counted_parameters
from ablate.report.printed_gaps import detectable_differences, printed_gaps_of
from ablate.report.provenance import provenance_of
from ablate.report.published import ScoreTable, StructureColumn, load_scores
from ablate.report.results import RunRecord, read_results, readable
from ablate.report.rows import TableRuns, row_of
from ablate.report.selection import selection_of
from ablate.report.spread_sources import spread_of
from ablate.report.tuning import tuning_of
from ablate.report.verdicts import rank_agreement
from ablate.runs import Parameters, Store, SweepRecord
from ablate.spec import MASK_METRIC_NAMES, METRIC_NAMES, Cell, MetricName, Task, Variant

# What the paper's tables call them.
HEADINGS: dict[MetricName, str] = {
    "precision": "P",
    "recall": "REC",
    "f1": "F1",
    "overall_accuracy": "OA",
    "miou": "MIoU",
    "positive_iou": "IoU",
    "positive_precision": "P",
    "positive_recall": "REC",
    "positive_f1": "F1",
    "boundary_iou": "Boundary IoU",
    "small_object_recall": "REC small",
}


def build_report(
    record: SweepRecord,
    store: Store,
    *,
    parameters: Mapping[str, Parameters],
    today: Mapping[str, Variant] | None = None,
) -> Report:
    """Reads all runs of a sweep and sets them beside the published values.

    Args:
        record: The start of the sweep that is reported: what was run, and in which order.
        store: The store that holds the runs.
        parameters: Counts by ``parameters_key`` of all that ``required_parameters`` names.
        today: The sweep's rows as they are declared now: a row that was run otherwise is marked,
            and one that was never run is described by it. None: nothing is compared.

    Raises:
        SpecError: If a published table is missing or breaks rules, or an interpretation in it is
            not a variant.
    """
    sweep, context = record.sweep, record.context
    published = load_scores(sweep.published) if sweep.published else None
    runs = read_results(record, store)
    table = TableRuns(record, runs, published, today or {})
    baseline = table[sweep.baseline] if sweep.baseline else None
    has_published = published is not None
    draws = draw_images_of(table.rows, record.sweep)
    rows = tuple(
        row_of(
            row,
            compare(row, baseline, draws).difference
            if baseline and baseline.name != row.name
            else None,
            selection_of(row.runs, store),
            has_published=has_published,
            is_comparable=context.watermark is None,
            metrics=(*METRIC_NAMES, *context.protocol.task.mask_metrics),
        )
        for row in table.rows.values()
    )
    claims = claims_of(sweep.comparisons, table, draws, has_published)
    problems: list[str] = []
    tuning = readable(lambda: store.tuning(record.id), problems)
    split = context.protocol.split
    check = readable(lambda: store.data_check(context.data.digest, split), problems)
    compared = compare_rows(record, table, draws)
    metrics = _columns(published, context.protocol.task)
    return Report(
        sweep=sweep.name,
        title=sweep.title,
        watermark=context.watermark,
        unit="percent",
        baseline=sweep.baseline,
        published=_values_of(published) if published else None,
        structure=_structure_columns(rows, published),
        metrics=metrics,
        rows=rows,
        rank=rank_agreement(rows) if published else None,
        positive_share=PositiveShare(
            validated=_validated_share(runs),
            published=common_share(check_table(published)) if published else None,
        ),
        drawn_images=draws.drawn_images(),
        mask_differences=mask_differences_of(table.rows, sweep, context.protocol.task),
        best=best_row(list(table.rows.values()), draws),
        spread=spread_of(list(table.rows.values()), baseline, draws),
        claims=tuple(claims),
        parameters=counted_parameters(published.parameters, parameters)
        if published and published.parameters
        else None,
        effects=effects_of(sweep, [run for row in table.rows.values() for run in row.runs]),
        tuning=tuning_of(tuning, sweep, table, rows, claims, store) if tuning else None,
        costs=costs_of(record, list(table.rows.values()), tuning, store),
        matched=matched_parameters(record.matched, {row.name: row.label for row in rows}),
        held_out=held_out_of(table.rows, sweep, context.protocol.task),
        elsewhere=kept_elsewhere(table.rows, store, context=context, sweep=sweep, metrics=metrics),
        detectable=detectable_differences(compared),
        printed_gaps=printed_gaps_of(compared, published, context.data.label),
        provenance=provenance_of(
            record,
            list(table.rows.values()),
            check,
            problems,
        ),
    )


def metrics_of(report: Report) -> tuple[MetricName, ...]:
    """All metrics that its rows have."""
    counted = (name for name in MASK_METRIC_NAMES if name in report.metrics)
    return (*METRIC_NAMES, *counted)


def _columns(published: ScoreTable | None, task: Task) -> dict[MetricName, str]:
    """The columns of the published table, behind which come what the task counts besides."""
    standard = standard_columns(task)
    if published is None:
        return standard
    return published.metrics | {name: standard[name] for name in task.mask_metrics}


def standard_columns(task: Task) -> dict[MetricName, str]:
    """The task's metrics under the headings of the paper's tables."""
    return {
        metric: f"{HEADINGS[metric]} ({task.positive_class})"
        if metric.startswith("positive_")
        else HEADINGS[metric]
        for metric in task.metrics
    }


def _structure_columns(
    rows: Sequence[Row], published: ScoreTable | None
) -> dict[str, StructureColumn]:
    """The declared columns, and those in which the adapted SAMs differ otherwise.

    The label says what sets CNN baselines and unadapted SAMs apart.
    """
    adapted = [row.structure for row in rows if row.system == "sam"]
    columns = dict(published.structure) if published else {}
    implied = published.implied if published else {}
    for column in dict.fromkeys(name for structure in adapted for name in structure):
        values = {structure.get(column) for structure in adapted} - {None}
        if column in columns or len(values) < 2:
            continue
        if column in implied and _follows(adapted, column, implied[column]):
            continue
        columns[column] = StructureColumn(heading=column.replace("_", " "))
    return columns


def _follows(structures: Sequence[Mapping[str, Cell]], column: str, other: str) -> bool:
    """Whether rows that agree in ``other`` agree in ``column``."""
    pairs = {(each.get(other), each.get(column)) for each in structures}
    return len(pairs) == len({key for key, _ in pairs})


def _validated_share(runs: Sequence[RunRecord]) -> float | None:
    """Of the first run with a result: all have the same validation pixels."""
    finished = next((each.finished for each in runs if each.finished), None)
    return share_of(Confusion(**finished.result.confusion)) if finished else None


def _values_of(table: ScoreTable) -> PublishedValues:
    return PublishedValues(
        source=table.source,
        data=table.data,
        convention=table.convention,
        rounding=table.rounding,
    )
