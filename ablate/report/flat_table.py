"""The table of scores for programs: one line for each row and side, and no empty cell."""

from collections.abc import Sequence

from ablate.report.held_out_table import flat_cells, flat_columns
from ablate.report.mask_difference_tables import flat_cells as flat_mask_cells
from ablate.report.mask_difference_tables import flat_names
from ablate.report.model import Difference, Report, Row, Score
from ablate.report.summary import metrics_of
from ablate.report.table import (
    NOT_APPLICABLE,
    NOT_REPORTED,
    Table,
    TableCell,
    missing_cell,
    number_cell,
    number_column,
    precise_cell,
    text_cell,
    text_column,
)
from ablate.spec import Cell

_DELTA = ("delta_miou", "delta_miou_low", "delta_miou_high")
# What the interval accounts for.
_METHOD = "delta_miou_method"
_SELECTION = ("miou_last_epoch", "miou_best_epoch", "selection_gain", "selection_gain_sd")


def flat_table(report: Report) -> Table:
    """All scores with their deviations, under the names of ``ablate.spec``.

    A missing number has its reason, and what there cannot be is ``n/a``.
    """
    structure = tuple(dict.fromkeys(name for row in report.rows for name in row.structure))
    tested = flat_columns(report) if report.held_out else ()
    masks = flat_names(metrics_of(report))
    texts = ("sweep", "variant", "label", "system", *structure, "values")
    numbers = ["n", *(name for metric in metrics_of(report) for name in (metric, f"{metric}_sd"))]
    columns = [
        *(text_column(name, name) for name in texts),
        *(number_column(name, name, "left") for name in (*numbers, *_DELTA)),
        text_column(_METHOD, _METHOD),
        *(number_column(name, name, "left") for name in masks),
        *(number_column(name, name, "left") for name in _SELECTION),
        *(number_column(name, name, "left") for name in tested),
        *(text_column(name, name) for name in ("note", "watermark")),
    ]
    watermark = _text_or_none(report.watermark)
    lines: list[tuple[TableCell, ...]] = []
    for row in report.rows:
        first = [text_cell(report.sweep), text_cell(row.name), text_cell(row.label)]
        first += [_text_or_none(row.system), *(_value(row.structure.get(n)) for n in structure)]
        note = _text_or_none("changed since it was run" if row.is_changed else None)
        lines.append((*first, *_reproduced(row, report), note, watermark))
        if report.published is not None:
            lines.append((*first, *_published(row, report), note, watermark))
    return Table(name="flat", title=report.title, columns=tuple(columns), rows=tuple(lines))


def _reproduced(row: Row, report: Report) -> list[TableCell]:
    n = sum(each.state == "done" for each in row.repeats)
    cells = [text_cell("reproduced"), number_cell(n)]
    for metric in metrics_of(report):
        cells += _mean_and_sd(row, row.scores[metric])
    cells += _no_delta(row, report) if row.delta is None else _delta(row, row.delta)
    cells += flat_mask_cells(
        report.mask_differences, metrics_of(report), row.name, report.baseline, row.missing_reason
    )
    tested = flat_cells(report, report.held_out, row) if report.held_out else []
    return [*cells, *_selection(row), *tested]


def _published(row: Row, report: Report) -> list[TableCell]:
    cells = [text_cell("published"), NOT_REPORTED]
    for metric in metrics_of(report):
        score = row.scores[metric]
        printed = NOT_REPORTED
        if score.published is not None:
            printed = number_cell(score.published, score.printed)
        cells += [printed, NOT_REPORTED]
    if row.delta is None:
        cells += _no_delta(row, report)
    else:
        published = row.delta.published
        cells += [NOT_REPORTED if published is None else precise_cell(published)]
        cells += [NOT_REPORTED] * len(_DELTA)
    tested = flat_columns(report) if report.held_out else ()
    unreported = (*flat_names(metrics_of(report)), *_SELECTION, *tested)
    return [*cells, *(NOT_REPORTED for _ in unreported)]


def _mean_and_sd(row: Row, score: Score) -> list[TableCell]:
    if score.mean is None:
        return [missing_cell(str(row.missing_reason))] * 2
    return [precise_cell(score.mean), precise_cell(score.sd)]


def _delta(row: Row, delta: Difference) -> Sequence[TableCell]:
    if delta.mean is None:
        return [missing_cell(str(row.missing_reason or delta.missing_reason))] * (len(_DELTA) + 1)
    numbers = (precise_cell(value) for value in (delta.mean, delta.low, delta.high))
    return [*numbers, _text_or_none(delta.method)]


def _selection(row: Row) -> Sequence[TableCell]:
    selection = row.selection
    if selection is None:
        reason = row.missing_reason
        return [missing_cell(reason) if reason else NOT_APPLICABLE] * len(_SELECTION)
    if selection.gain is None:
        return [missing_cell("unreadable")] * len(_SELECTION)
    values = (selection.last, selection.best, selection.gain, selection.gain_sd)
    return [precise_cell(value) for value in values]


def _no_delta(row: Row, report: Report) -> Sequence[TableCell]:
    cell = text_cell("baseline") if row.name == report.baseline else NOT_APPLICABLE
    return [cell] * (len(_DELTA) + 1)


def _text_or_none(text: str | None) -> TableCell:
    return NOT_APPLICABLE if text is None else text_cell(text)


def _value(value: Cell) -> TableCell:
    match value:
        case None:
            return NOT_APPLICABLE
        case bool():
            return TableCell(kind="mark", text="yes" if value else "no", value=value)
        case str():
            return text_cell(value)
        case _:
            return number_cell(value)
