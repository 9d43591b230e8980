"""The formats of a report: a writer prints the tables of a report and decides nothing itself.

A format is a function from a ``Report`` to its text, and a line in ``WRITERS``. That of a format in
``PAGED`` also takes what only a page shows: learning curves and panels.
"""

import importlib
from pathlib import Path

from ablate.errors import BadInput
from ablate.registry import nearest
from ablate.report.model import Report
from ablate.report.page.model import PageData
from ablate.runs import atomic

# Format → "module:function".
WRITERS: dict[str, str] = {
    "markdown": "ablate.report.writers.markdown:to_markdown",
    "csv": "ablate.report.writers.csv:to_csv",
    "json": "ablate.report.writers.json:to_json",
    "latex": "ablate.report.writers.latex:to_latex",
    "html": "ablate.report.writers.html:to_html",
}
PAGED = frozenset({"html"})
# How the names of files end, where it is not the format's own name.
SUFFIXES: dict[str, str] = {"markdown": ".md", "latex": ".tex"}


def suffix_of(format: str) -> str:
    """How the names of files of this format end."""
    return SUFFIXES.get(format, f".{format}")


def check_format(format: str, *also: str) -> None:
    """Makes sure that there is such a format.

    Args:
        format: Its name.
        also: What else may be asked for.

    Raises:
        BadInput: If there is not.
    """
    names = (*WRITERS, *also)
    if format not in names:
        raise BadInput(
            f"no report format is called {format!r}{nearest(format, names)}",
            f"use one of {', '.join(names)}",
        )


def render(report: Report, format: str, page: PageData | None = None) -> str:
    """The report as text; equal values give equal texts.

    Args:
        report: The report.
        format: Which format.
        page: What a format in ``PAGED`` shows besides; None: that is left out.

    Raises:
        BadInput: If there is no such format.
    """
    check_format(format)
    module, _, function = WRITERS[format].partition(":")
    write = getattr(importlib.import_module(module), function)
    return str(write(report, page) if format in PAGED else write(report))


def write_report(report: Report, format: str, path: Path, page: PageData | None = None) -> None:
    """Puts the report into a file, whole or not at all; see ``render``.

    Raises:
        BadInput: If there is no such format.
    """
    atomic.replace(path, render(report, format, page).encode())
