"""Tables as HTML."""

import html
import math
from collections import Counter
from collections.abc import Iterator, Sequence

from ablate.report.model import Report
from ablate.report.page.contents import ROWS
from ablate.report.score_views import score_views
from ablate.report.table import Column, Table, TableCell
from ablate.runs import shown

# Of a longer table the page shows the first lines.
LINES = 600
# The views of the scores have up to two lines for each row.
VIEW_ROWS = LINES // 2
# A table with more of them scrolls below its headings.
TALL = 45
# The tables whose numbers come from the runs of their rows; those of others come from trials, or
# from no run at all, even where a label is that of a row.
_OF_RUNS = {"scores", "differences", "selection", "test-part", "runs"}
# A longer text is broken into lines; labels stay in sight, so that they are to leave room.
_LONGEST_TEXT, _LONGEST_LABEL = 44, 26
Line = tuple[TableCell, ...]
_CLASSES = {
    "text": "",
    "number": "number",
    "mark": "mark",
    "missing": "missing",
    "not-applicable": "none",
    "blank": "none",
}


class RowNames:
    """The rows of a report by their labels, for tables that begin with a label."""

    def __init__(self, report: Report) -> None:
        """A label that several rows share names none of them."""
        counts = Counter(row.label for row in report.rows)
        self._names = {row.label: row.name for row in report.rows[:ROWS] if counts[row.label] == 1}

    def of(self, table: Table, line: Line) -> str | None:
        """The name of the row whose runs a line is of; None if it is of none."""
        is_of_runs = table.name in _OF_RUNS or table.name.startswith(("scores-", "differences-"))
        return self._names.get(line[0].text) if is_of_runs else None


def literal(text: str) -> str:
    """Text that is shown as it is, also in an attribute."""
    return html.escape("\n".join(map(shown, text.split("\n"))), quote=True)


def scores_block(report: Report, scores: Table, rows: RowNames) -> str:
    """All views of the scores, the first of them shown, and the switches between them."""
    views = score_views(report, scores, VIEW_ROWS)
    switches = _switch("metrics", "Metrics", list(views.metrics.items()))
    switches += _switch("side", "Values", list(views.sides.items()))
    blocks = []
    for number, view in enumerate(views.views):
        hidden = " hidden" if number else ""
        # The remarks on the runs hold for every view.
        table = view.table.model_copy(update={"notes": ()})
        blocks.append(
            f'<div class="view" data-metrics="{view.metrics}" data-side="{view.side}"{hidden}>'
            f"{table_block(report, table, rows)}</div>"
        )
    return f'<div class="switches">{switches}</div>{"".join(blocks)}{_notes(scores)}'


def _switch(name: str, legend: str, choices: Sequence[tuple[str, str]]) -> str:
    """A group of radio buttons; nothing where there is no choice."""
    if len(choices) < 2:
        return ""
    buttons = "".join(
        f'<label><input type="radio" name="{name}" value="{value}"'
        f"{' checked' if not number else ''}><span>{literal(text)}</span></label>"
        for number, (value, text) in enumerate(choices)
    )
    return f'<fieldset class="switch"><legend>{legend}</legend>{buttons}</fieldset>'


def table_block(report: Report, table: Table, rows: RowNames) -> str:
    """One table in a frame that scrolls, and what belongs to it.

    Args:
        report: The report that the table is of.
        table: The table.
        rows: The rows that its lines may be of.
    """
    title, name = table.title or table.name.replace("-", " "), literal(table.name)
    head = "".join(map(_heading, table.columns))
    notes = "".join(
        f'<p class="footnote" id="{name}-{number}"><sup>{number}</sup> {literal(text)}</p>'
        for number, text in enumerate(table.footnotes, start=1)
    )
    if len(table.rows) > LINES:
        notes += (
            f'<p class="footnote">The first {LINES} of {len(table.rows):,} lines; the other '
            "formats have all of them.</p>"
        )
    caption = f'<p class="caption">{literal(table.caption)}</p>' if table.caption else ""
    tall = " tall" if len(table.rows) > TALL else ""
    return (
        f'<div class="frame{tall}" role="region" tabindex="0" aria-label="{literal(title)}">'
        f'<table data-table="{name}"><thead><tr>{head}</tr></thead>\n'
        f"{_body(table, rows)}</table></div>{caption}{notes}{_notes(table)}"
    )


def _heading(column: Column) -> str:
    side = ' class="right"' if column.alignment == "right" else ""
    key, text = literal(column.key), literal(column.heading)
    return f'<th scope="col"{side} data-key="{key}"><span>{text}</span></th>'


def _body(table: Table, rows: RowNames) -> str:
    """A body for each line together with those that continue it: they are sorted as one."""
    bodies: list[str] = []
    for number, line in enumerate(table.rows[:LINES]):
        if not number or line[0].kind != "blank":
            name = rows.of(table, line)
            row = f' data-row="{literal(name)}"' if name is not None else ""
            bodies.append(f"<tbody{row}>")
        bodies[-1] += f"<tr>{''.join(_cells(table, line))}</tr>"
    return "\n".join(f"{body}</tbody>" for body in bodies)


def _cells(table: Table, line: Line) -> Iterator[str]:
    for number, (column, cell) in enumerate(zip(table.columns, line, strict=True)):
        is_label = not number and cell.kind != "blank"
        longest = _LONGEST_LABEL if is_label else _LONGEST_TEXT
        classes = [
            *([_CLASSES[cell.kind]] if _CLASSES[cell.kind] else []),
            *(["right"] if column.alignment == "right" else []),
            *(["long"] if len(cell.text) > longest else []),
        ]
        attributes = f' class="{" ".join(classes)}"' if classes else ""
        if cell.value is not None and math.isfinite(cell.value):
            attributes += f' data-value="{float(cell.value)!r}"'
        text = literal(cell.text)
        if cell.is_bold:
            text = f"<strong>{text}</strong>"
        if cell.footnote:
            text += (
                f'<sup><a href="#{literal(table.name)}-{cell.footnote}">{cell.footnote}</a></sup>'
            )
        yield (
            f'<th scope="row"{attributes}>{text}</th>'
            if is_label
            else (f"<td{attributes}>{text}</td>")
        )


def _notes(table: Table) -> str:
    items = "".join(f"<li>{literal(note)}</li>" for note in table.notes)
    return f'<ul class="notes">{items}</ul>' if items else ""
