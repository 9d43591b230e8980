"""The cells of tables of scores."""

from ablate.report.model import Report, Row, Score
from ablate.report.published import StructureColumn
from ablate.report.table import (
    DASH,
    NOT_REPORTED,
    TableCell,
    mark_cell,
    missing_cell,
    number_cell,
    text_cell,
)
from ablate.spec import Cell, MetricName


def is_repeated(report: Report) -> bool:
    """Whether some row has more than one repeat, so that tables say how many have a result."""
    return any(len(row.repeats) > 1 for row in report.rows)


def is_over_splits(report: Report) -> bool:
    """Whether some run is on another split than the protocol's own."""
    return any(repeat.split for row in report.rows for repeat in row.repeats)


def repeats_word(report: Report) -> str:
    """What ``n`` counts: ``seeds``, or ``repeats`` where there are several splits."""
    return "repeats" if is_over_splits(report) else "seeds"


def structure_cell(row: Row, name: str, column: StructureColumn) -> TableCell:
    """What the row is in one column of ``variant.columns()``."""
    value: Cell = row.structure.get(name)
    if value is None:
        return DASH
    if column.mark is not None:
        return mark_cell(value == column.mark)
    if isinstance(value, bool):
        return mark_cell(value)
    return text_cell(value) if isinstance(value, str) else number_cell(value)


def count_cell(row: Row) -> TableCell:
    """``3``, or ``2 of 3`` where some repeat has no result."""
    n, planned = sum(each.state == "done" for each in row.repeats), len(row.repeats)
    return number_cell(n) if n == planned else number_cell(n, f"{n} of {planned}")


def score_cell(row: Row, score: Score) -> TableCell:
    """The reproduced mean with its standard deviation, or why there is none."""
    if score.mean is None:
        return missing_cell(row.missing_reason or "not counted")
    spread = f" ± {score.sd:.2f}" if score.sd is not None else ""
    return number_cell(score.mean, f"{score.mean:.2f}{spread}")


def row_score_cell(report: Report, row: Row, metric: MetricName) -> TableCell:
    """The reproduced mean of a metric; bold where the row is the best by it."""
    cell, best = score_cell(row, row.scores[metric]), report.best
    # The rows are compared by MIoU alone.
    is_bold = metric == "miou" and best is not None and best.is_decided and best.name == row.name
    return cell.model_copy(update={"is_bold": True}) if is_bold else cell


def printed_cell(score: Score) -> TableCell:
    """The published value as it is printed."""
    if score.published is None:
        return NOT_REPORTED
    return number_cell(score.published, score.printed)


def distance_cell(row: Row, score: Score) -> TableCell:
    """Reproduced minus published, or which of the two there is not."""
    if score.difference is not None:
        return number_cell(score.difference, f"{score.difference:+z.2f}")
    return missing_cell(str(row.missing_reason)) if score.mean is None else NOT_REPORTED
