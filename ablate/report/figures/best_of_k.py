"""The expected best of k trials of every row that was tuned, a curve each."""

import math

from ablate.report.figures.style import (
    ONE_COLUMN_MM,
    TWO_COLUMNS_MM,
    LeftOut,
    Sheet,
    legend_above,
    line_style,
    new_figure,
    sheet_of,
    shortened,
)
from ablate.report.model import Report
from ablate.report.page.model import PageData
from ablate.report.summary import HEADINGS

# More curves cannot be told apart, by colour, dashes and marker together.
_MOST = 28
_LONGEST_LABEL = 24
_PLOT_MM, _ENTRY_MM = 78.0, 3.6


def draw(report: Report, page: PageData) -> list[Sheet] | LeftOut:
    """The curves in the order of the table."""
    if (tuning := report.tuning) is None:
        return LeftOut("the sweep was never tuned")
    rows = [row for row in tuning.rows if row.best_of_k]
    if not rows:
        return LeftOut("no trial has ended yet")
    from matplotlib.ticker import MaxNLocator

    shown = rows[:_MOST]
    columns = 2 if len(shown) <= 4 else 4
    width_mm = ONE_COLUMN_MM if len(shown) <= 4 else TWO_COLUMNS_MM
    lines = math.ceil(len(shown) / columns)
    figure = new_figure(width_mm, _PLOT_MM + _ENTRY_MM * lines)
    axes = figure.add_subplot()
    entries = []
    for place, row in enumerate(shown):
        k = range(1, len(row.best_of_k) + 1)
        (line,) = axes.plot(k, row.best_of_k, **line_style(place), gid=f"curve-{place}")
        entries.append((line, shortened(row.label, _LONGEST_LABEL)))
    heading = f"expected best {HEADINGS[tuning.metric]}, inner split (%)"
    axes.set_xlabel("k trials")
    axes.set_ylabel(heading)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_above(figure, entries, columns)
    notes = []
    if len(rows) > len(shown):
        notes.append(f"The first {len(shown)} of {len(rows)} rows.")
    return [sheet_of(report, "best-of-k", heading, figure, notes)]
