"""A table as a value: columns, rows of typed cells, caption and notes; writers print it as it is.

A cell carries both its printed text and the value behind it, so that no writer computes or words
anything.
"""

from typing import Literal

from pydantic import model_validator

from ablate.spec import Frozen

Alignment = Literal["left", "right"]
CellKind = Literal["text", "number", "mark", "missing", "not-applicable", "blank"]


class TableCell(Frozen):
    """One cell.

    Attributes:
        kind: ``text``; ``number``; ``mark``: yes or no as a sign; ``missing``: a number that
            there could be, its text says why there is none; ``not-applicable``: there cannot be
            one; ``blank``: as in the row above.
        text: What is printed.
        value: What the text stands for: the unrounded number, or whether the mark is set.
        footnote: The number of the footnote that the cell refers to, counted from 1.
        is_bold: Whether it stands out; where text cannot, as in CSV, it is printed like others.
    """

    kind: CellKind
    text: str
    value: bool | int | float | None = None
    footnote: int | None = None
    is_bold: bool = False


class Column(Frozen):
    """One column.

    Attributes:
        key: A name that stays when the heading changes.
        heading: What is printed.
        kind: What its cells mostly hold.
        alignment: To which side.
    """

    key: str
    heading: str
    kind: Literal["text", "number"] = "text"
    alignment: Alignment = "left"


class Table(Frozen):
    """One table.

    Attributes:
        name: A name that stays when the title changes.
        title: The heading; None: the table belongs to the section of the one before.
        columns: From left to right.
        rows: From top to bottom; each has as many cells as there are columns.
        caption: Sentences that say what the numbers are.
        footnotes: What cells refer to by number.
        notes: What else there is to say of the table, each by itself.
    """

    name: str
    title: str | None
    columns: tuple[Column, ...]
    rows: tuple[tuple[TableCell, ...], ...]
    caption: str = ""
    footnotes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_rectangular(self) -> "Table":
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"table {self.name}: a row has not {len(self.columns)} cells")
        last = len(self.footnotes)
        if any(cell.footnote and cell.footnote > last for row in self.rows for cell in row):
            raise ValueError(f"table {self.name}: a cell refers to a footnote beyond {last}")
        return self


BLANK = TableCell(kind="blank", text="")
DASH = TableCell(kind="not-applicable", text="—")
NOT_REPORTED = TableCell(kind="missing", text="not reported")
NOT_APPLICABLE = TableCell(kind="not-applicable", text="n/a")


def text_column(key: str, heading: str) -> Column:
    """A column of text, to the left."""
    return Column(key=key, heading=heading)


def number_column(key: str, heading: str, alignment: Alignment = "right") -> Column:
    """A column of numbers."""
    return Column(key=key, heading=heading, kind="number", alignment=alignment)


def text_cell(text: str, footnote: int | None = None) -> TableCell:
    """A cell of text."""
    return TableCell(kind="text", text=text, footnote=footnote)


def number_cell(value: float, text: str | None = None) -> TableCell:
    """A cell of a number; the text is the number itself unless it is given."""
    return TableCell(kind="number", text=str(value) if text is None else text, value=value)


def mark_cell(is_set: bool) -> TableCell:
    """A cell that shows whether something is so."""
    return TableCell(kind="mark", text="✓" if is_set else "×", value=is_set)


def missing_cell(reason: str) -> TableCell:
    """A cell without its number."""
    return TableCell(kind="missing", text=reason)


def precise_cell(value: float | None, reason: str | None = None) -> TableCell:
    """A number of a table for programs, or why there is none; ``n/a`` where there cannot be one."""
    if value is not None:
        return number_cell(value, f"{value:z.6f}")
    return missing_cell(reason) if reason else NOT_APPLICABLE


def caption_of(watermark: str | None, *sentences: object) -> str:
    """A caption of the sentences that are given, the watermark last; what is falsy is left out."""
    given = [str(sentence) for sentence in sentences if sentence]
    return " ".join([*given, *([f"{watermark}."] if watermark else [])])
