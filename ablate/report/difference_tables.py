"""Differences between rows, and the claims that they support or not."""

from ablate.report.model import Difference, Report
from ablate.report.notes import footnotes_of, label_cell
from ablate.report.score_cells import repeats_word
from ablate.report.table import (
    DASH,
    NOT_REPORTED,
    Column,
    Table,
    TableCell,
    caption_of,
    missing_cell,
    number_cell,
    number_column,
    text_cell,
    text_column,
)


def _difference_columns(report: Report) -> list[Column]:
    names = {"n": "n", "difference": "reproduced", "interval": "95 % interval"}
    if report.published:
        names["published"] = "published"
    return [number_column(key, heading) for key, heading in names.items()]


def _difference(report: Report, difference: Difference, reason: str | None) -> list[TableCell]:
    """The cells: n, reproduced, interval and, where there are published values, published."""
    cells = difference_cells(difference, reason)
    if report.published is None:
        return cells
    published = difference.published
    printed = NOT_REPORTED if published is None else number_cell(published, f"{published:+z.2f}")
    return [*cells, printed]


def difference_cells(difference: Difference, reason: str | None) -> list[TableCell]:
    """The cells: n, the mean or why there is none, and its interval."""
    mean, low, high = difference.mean, difference.low, difference.high
    return [
        number_cell(difference.n),
        missing_cell(str(reason)) if mean is None else number_cell(mean, f"{mean:+z.2f}"),
        DASH if low is None or high is None else text_cell(f"{low:+z.2f} … {high:+z.2f}"),
    ]


def differences_table(report: Report) -> Table:
    """MIoU of every row minus that of the baseline."""
    columns = _difference_columns(report)
    labels = {row.name: row.label for row in report.rows}
    baseline = labels.get(str(report.baseline), str(report.baseline))
    rows = []
    for row in report.rows:
        if row.delta is None:
            cells = [text_cell("baseline") for _ in columns]
        else:
            reason = row.missing_reason or row.delta.missing_reason
            cells = _difference(report, row.delta, reason)
        rows.append((label_cell(row), *cells))
    return Table(
        name="differences",
        title=f"Difference to {baseline}",
        columns=(text_column("label", "Model"), *columns),
        rows=tuple(rows),
        caption=caption_of(
            report.watermark,
            f"MIoU of each row minus that of {baseline}, in percentage points, over the n "
            f"{repeats_word(report)} that both have.",
            "The interval is Student's t over those pairs; it needs two of them.",
        ),
        footnotes=footnotes_of(report),
    )


def claims_table(report: Report) -> Table:
    """The claims and their verdicts."""
    columns = [
        number_column("number", "No."),
        text_column("claim", "Claim"),
        text_column("reproduced", "reproduced"),
    ]
    if report.published:
        columns.append(text_column("published", "published"))
    rows = []
    for number, claim in enumerate(report.claims, start=1):
        cells = [number_cell(number), text_cell(claim.claim), text_cell(claim.reproduced)]
        if report.published:
            cells.append(text_cell(str(claim.published)))
        rows.append(tuple(cells))
    return Table(
        name="claims",
        title="Claims",
        columns=tuple(columns),
        rows=tuple(rows),
        caption=caption_of(
            report.watermark,
            "Reproduced: holds if every interval below lies above 0, does not hold if one lies "
            "below 0.",
            report.published
            and "Published: the printed numbers as they are; their n and spread are not reported.",
        ),
    )


def pairs_table(report: Report) -> Table:
    """What each claim compares."""
    rows = [
        (
            number_cell(number),
            text_cell(pair.better),
            text_cell(pair.worse),
            *_difference(report, pair.difference, pair.difference.missing_reason),
        )
        for number, claim in enumerate(report.claims, start=1)
        for pair in claim.pairs
    ]
    return Table(
        name="claim-pairs",
        title=None,
        columns=(
            number_column("number", "No."),
            text_column("better", "MIoU of"),
            text_column("worse", "minus MIoU of"),
            *_difference_columns(report),
        ),
        rows=tuple(rows),
        caption=caption_of(
            report.watermark, "What each claim compares: MIoU, in percentage points."
        ),
    )
