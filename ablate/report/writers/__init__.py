"""The formats of a report: a writer prints the tables of a report and decides nothing itself.

A format is a function from a ``Report`` to its text, and a line in ``WRITERS``.
"""

import importlib
from pathlib import Path

from ablate.errors import BadInput
from ablate.registry import nearest
from ablate.report.model import Report
from ablate.runs import atomic

# Format → "module:function".
WRITERS: dict[str, str] = {
    "markdown": "ablate.report.writers.markdown:to_markdown",
    "csv": "ablate.report.writers.csv:to_csv",
    "json": "ablate.report.writers.json:to_json",
    "latex": "ablate.report.writers.latex:to_latex",
}
# How the names of files end, where it is not the format's own name.
SUFFIXES: dict[str, str] = {"markdown": ".md", "latex": ".tex"}


def suffix_of(format: str) -> str:
    """How the names of files of this format end."""
    return SUFFIXES.get(format, f".{format}")


def render(report: Report, format: str) -> str:
    """The report as text; equal reports give equal texts.

    Raises:
        BadInput: If there is no such format.
    """
    if format not in WRITERS:
        raise BadInput(
            f"no report format is called {format!r}{nearest(format, WRITERS)}",
            f"use one of {', '.join(WRITERS)}",
        )
    module, _, function = WRITERS[format].partition(":")
    return str(getattr(importlib.import_module(module), function)(report))


def write_report(report: Report, format: str, path: Path) -> None:
    """Puts the report into a file, whole or not at all.

    Raises:
        BadInput: If there is no such format.
    """
    atomic.replace(path, render(report, format).encode())
