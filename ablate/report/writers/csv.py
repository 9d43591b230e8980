"""Comma-separated values: the scores for programs and spreadsheets."""

import csv
import io

from ablate.report.flat_table import flat_table
from ablate.report.model import Report
from ablate.report.table import Table, TableCell
from ablate.runs import shown

# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@")


def to_csv(report: Report) -> str:
    """A line for each row and side."""
    return table_to_csv(flat_table(report))


def table_to_csv(table: Table) -> str:
    """One table, its columns named by their keys."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.key for column in table.columns])
    writer.writerows([_text(cell) for cell in row] for row in table.rows)
    return text.getvalue()


def _text(cell: TableCell) -> str:
    """The cell's text; words get an apostrophe where a spreadsheet would compute them."""
    text = shown(" ".join(cell.text.splitlines()))
    if cell.kind != "number" and text.startswith(_FORMULA):
        return f"'{text}"
    return text
