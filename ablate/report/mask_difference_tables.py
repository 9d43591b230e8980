"""Differences to the baseline by metrics of masks: tables, and columns of other tables."""

from collections.abc import Mapping, Sequence

from ablate.report.comparison_model import Difference, DrawnImages, MaskDifferences
from ablate.report.difference_tables import IMAGES_ONLY, difference_cells
from ablate.report.model import Report
from ablate.report.notes import footnotes_of, label_cell
from ablate.report.score_cells import repeats_word
from ablate.report.table import (
    DASH,
    Column,
    Table,
    TableCell,
    caption_of,
    number_column,
    precise_cell,
    text_cell,
    text_column,
)
from ablate.spec import MaskMetricName, MetricName

Headings = Mapping[MetricName, str]

_COUNTED: dict[MaskMetricName, str] = {
    "boundary_iou": "with boundaries",
    "small_object_recall": "with small objects",
}
_ENDS = ("", "_low", "_high")


def mask_differences_tables(report: Report) -> list[Table]:
    """A table for each metric, as that of the differences of MIoU."""
    return [_table(report, each) for each in report.mask_differences]


def _table(report: Report, found: MaskDifferences) -> Table:
    labels = {row.name: row.label for row in report.rows}
    baseline = labels.get(str(report.baseline), str(report.baseline))
    heading, repeats = report.metrics[found.metric], repeats_word(report)
    rows = []
    for row in report.rows:
        if (difference := found.rows.get(row.name)) is None:
            cells = [text_cell("baseline")] * 3
        else:
            cells = difference_cells(difference, _reason(row.missing_reason, difference))
        rows.append((label_cell(report, row), *cells))
    return Table(
        name=f"differences-{found.metric.replace('_', '-')}",
        title=f"Difference to {baseline}: {heading}",
        columns=(
            text_column("label", "Model"),
            number_column("n", "n"),
            number_column("difference", "reproduced"),
            number_column("interval", "95 % interval"),
        ),
        rows=tuple(rows),
        caption=caption_of(
            report.watermark,
            f"{heading} of each row minus that of {baseline}, in percentage points, over the n "
            f"{repeats} that both have.",
            found.drawn_images
            and f"The interval accounts for other trainings (Student's t over the {repeats}) and "
            f"for other validation images ({_drawn(found.metric, found.drawn_images)}); with one "
            f"training of a row for other images alone ({IMAGES_ONLY}).",
            "Exploratory: the intervals are not adjusted for there being several rows.",
        ),
        footnotes=footnotes_of(report),
    )


def delta_columns(found: Sequence[MaskDifferences], headings: Headings) -> list[Column]:
    """The columns that a table of scores has besides: difference and interval of each metric."""
    columns = []
    for each in found:
        name = each.metric.replace("_", "-")
        columns += [
            number_column(f"delta-{name}", f"Δ {headings[each.metric]}"),
            number_column(f"interval-{name}", "95 % interval"),
        ]
    return columns


def delta_cells(
    found: Sequence[MaskDifferences], row: str, baseline: str | None, reason: str | None
) -> list[TableCell]:
    """One row's cells of ``delta_columns``.

    Args:
        found: The differences.
        row: The variant's name.
        baseline: That of the baseline.
        reason: Why the row has no scores; None if it has.
    """
    cells: list[TableCell] = []
    for each in found:
        if (difference := each.rows.get(row)) is None:
            cells += [text_cell("baseline") if row == baseline else DASH] * 2
        else:
            cells += difference_cells(difference, _reason(reason, difference))[1:]
    return cells


def delta_sentences(found: Sequence[MaskDifferences], headings: Headings) -> list[str]:
    """What a caption says of ``delta_columns``, after Δ MIoU was explained."""
    return [
        f"Δ {headings[each.metric]}: likewise"
        + (f" ({_drawn(each.metric, drawn)})." if (drawn := each.drawn_images) else ".")
        for each in found
    ]


def flat_names(metrics: Sequence[MetricName], prefix: str = "") -> list[str]:
    """The columns of a table for programs: difference and ends of its interval of each metric."""
    named = [metric for metric in _COUNTED if metric in metrics]
    return [f"{prefix}delta_{metric}{end}" for metric in named for end in _ENDS]


def flat_cells(
    found: Sequence[MaskDifferences],
    metrics: Sequence[MetricName],
    row: str,
    baseline: str | None,
    reason: str | None,
) -> list[TableCell]:
    """One row's cells of ``flat_names``; a missing number has its reason."""
    by_metric = {each.metric: each.rows for each in found}
    cells: list[TableCell] = []
    for metric in _COUNTED:
        if metric not in metrics:
            continue
        difference = by_metric.get(metric, {}).get(row)
        if difference is None:
            cells += [text_cell("baseline" if row == baseline else "n/a")] * len(_ENDS)
            continue
        why = _reason(reason, difference)
        values = (difference.mean, difference.low, difference.high)
        cells += [precise_cell(value, why) for value in values]
    return cells


def _reason(missing: str | None, difference: Difference) -> str | None:
    return missing or difference.missing_reason


def _drawn(metric: MaskMetricName, drawn: DrawnImages) -> str:
    return f"{drawn.draws:,} draws of {drawn.images} {_COUNTED[metric]}"
