"""The cell that begins a row in every table of rows, and what it may refer to."""

from ablate.report.model import Report, Row
from ablate.report.table import TableCell, text_cell

_CHANGED = (
    "Changed since it was run: the variant is declared otherwise today, and these numbers are "
    "those of the variant as it was run."
)


def label_cell(row: Row) -> TableCell:
    """The row's label; that of a changed variant refers to the first of ``footnotes_of``."""
    return text_cell(row.label, footnote=1 if row.is_changed else None)


def footnotes_of(report: Report) -> tuple[str, ...]:
    """What the labels refer to."""
    return (_CHANGED,) if any(row.is_changed for row in report.rows) else ()
