"""How ablate prints: tables for people, JSON for programs, problems on standard error.

Everything is printed literally, whatever brackets or colons it holds: labels, titles, paths and
causes come from users and files, and are not markup. Styles are given beside a text.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from ablate.cli.lines import TableFormat, print_json
from ablate.runs.names import shown


class _LiteralConsole(Console):
    """A console that no text can command: names and causes may hold escape sequences."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """What is drawn, with control characters spelt out; line breaks are the console's own."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                text = "\n".join(map(shown, segment.text.split("\n")))
                yield Segment(text, segment.style)


out = _LiteralConsole(highlight=False, markup=False, emoji=False)
err = _LiteralConsole(stderr=True, highlight=False, markup=False, emoji=False)


def print_error(problem: str) -> None:
    """One line on standard error, never wrapped."""
    err.print(Text("error:", style="bold red"), end=" ")
    err.print(problem, soft_wrap=True)


def print_rows(
    rows: Sequence[Mapping[str, Any]], format: TableFormat, title: str | None = None
) -> None:
    """Prints rows that share their keys: as a table, or as JSON with all their values.

    The table leaves out columns in which no row has a value.
    """
    if format is TableFormat.JSON:
        print_json(rows)
        return
    columns: list[str] = []
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=None,
        padding=(0, 2, 0, 0),
    )
    for key in rows[0] if rows else ():
        values = [row[key] for row in rows if row[key] is not None]
        if values:
            numeric = isinstance(values[0], int | float) and not isinstance(values[0], bool)
            # A word that is wider than its column goes on below: nothing is cut off.
            table.add_column(
                key.replace("_", " "), justify="right" if numeric else "left", overflow="fold"
            )
            columns.append(key)
    for row in rows:
        table.add_row(*(cell(row[key]) for key in columns))
    out.print(table)


def without_own_split(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows for a table, which names the split only where there is more than one."""
    several = any(row.get("split") for row in rows)
    return [{key: row[key] for key in row if key != "split" or several} for row in rows]


def cell(value: Any) -> str:
    """A value as a table shows it."""
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}"
    return str(value)


def age(seconds: float) -> str:
    """``12 s``, ``4 min``, ``3 h`` or ``2 d``: the largest unit of which there are two or more."""
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds // unit:.0f} {name}"
    return f"{seconds:.0f} s"
