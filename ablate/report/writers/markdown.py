"""Markdown that reads well raw and on GitHub."""

import re
from collections.abc import Sequence

from ablate.report.model import Report
from ablate.report.table import Table, TableCell
from ablate.report.tables import tables_of
from ablate.runs import shown

# What Markdown would take for its own. An underscore inside a word means nothing to it.
_SPECIAL = re.compile(r"[\\`*\[\]<|~]|(?<!\w)_|_(?!\w)|&(?=#?\w+;)")
# The tables of a note.
_NOTED = ("scores", "claims")
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def to_markdown(report: Report) -> str:
    """The whole report as one page."""
    blocks = [f"# {_literal(report.title)}"]
    if report.watermark:
        blocks.append(f"> **{_literal(report.watermark)}**")
    for table in tables_of(report):
        blocks += _blocks(table)
    return "\n\n".join(blocks) + "\n"


def table_to_markdown(table: Table) -> str:
    """One table with its title, caption and notes."""
    return "\n\n".join(_blocks(table)) + "\n"


def to_note(report: Report, most_characters: int) -> str:
    """The scores and the claims alone, for places that hold a short text.

    Args:
        report: The report.
        most_characters: How long the note may be. What does not fit is left out: rows of a table
            from its end, which is said below it.
    """
    note = f"**{_literal(report.watermark)}**" if report.watermark else ""
    noted = [_noted(table) for table in tables_of(report) if table.name in _NOTED]
    for position, text in enumerate(noted):
        # The claims are short, and say the most: the scores leave them their room.
        later = sum(len(other) for other in noted[position + 1 :])
        note += _bounded(text, most_characters - len(note) - later)
    return note.strip()[:most_characters]


def _noted(table: Table) -> str:
    title = f"\n\n**{_literal(table.title)}**" if table.title else ""
    return f"{title}\n\n{_pipe_table(table, is_padded=False)}"


def _bounded(text: str, most_characters: int) -> str:
    """A table under its title, with as many of its lines as there is room for."""
    lines = text.splitlines()
    # Title, header and rule; without a single row it is no table.
    fixed = sum(not line.startswith("|") for line in lines) + 2
    for hidden in range(len(lines) - fixed):
        rest = f"\n\n… and {hidden} more lines in report.md" if hidden else ""
        shown = "\n".join(lines[: len(lines) - hidden]) + rest
        if len(shown) <= most_characters:
            return shown
    return ""


def _blocks(table: Table) -> list[str]:
    blocks = [f"## {_literal(table.title)}"] if table.title else []
    blocks.append(_pipe_table(table))
    if table.caption:
        blocks.append(f"*{_literal(table.caption)}*")
    for number, text in enumerate(table.footnotes, start=1):
        blocks.append(f"{_mark(number)} {_literal(text)}")
    if table.notes:
        blocks.append("\n".join(f"- {_literal(note)}" for note in table.notes))
    return blocks


def _pipe_table(table: Table, *, is_padded: bool = True) -> str:
    """A table whose columns are aligned in the raw text too, if it is padded."""
    lines = [[_literal(column.heading) for column in table.columns]]
    lines += [[_cell(cell) for cell in row] for row in table.rows]
    widths = [max(3, *map(len, column)) if is_padded else 3 for column in zip(*lines, strict=True)]
    sides = [">" if column.alignment == "right" else "<" for column in table.columns]
    rule = [
        "-" * (width - 1 if is_padded else 2) + (":" if side == ">" else "-")
        for width, side in zip(widths, sides, strict=True)
    ]
    header, *rows = [_padded(line, widths, sides) if is_padded else line for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *rows))


def _padded(line: Sequence[str], widths: Sequence[int], sides: Sequence[str]) -> list[str]:
    return [f"{text:{side}{width}}" for text, width, side in zip(line, widths, sides, strict=True)]


def _cell(cell: TableCell) -> str:
    text = _literal(cell.text)
    if cell.is_bold:
        text = f"**{text}**"
    return f"{text} {_mark(cell.footnote)}" if cell.footnote else text


def _mark(footnote: int) -> str:
    return str(footnote).translate(_SUPERSCRIPTS)


def _literal(text: str) -> str:
    """Text that is shown as it is, in one line."""
    return _SPECIAL.sub(r"\\\g<0>", shown(" ".join(text.split())))
