"""A forest plot: a line for each estimate with its interval, and its numbers beside it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ablate.report.figures.style import (
    BLUE,
    FILLED,
    HOLLOW,
    INK,
    ONE_COLUMN_MM,
    SOFT,
    TWO_COLUMNS_MM,
    new_figure,
    shortened,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# As many lines as a page has room for.
MOST_LINES = 48
_LINE_MM, _FRAME_MM = 4.2, 26.0
_SHORT_LABEL, _LONGEST_LABEL = 16, 44
_SHORT_TEXT = 24


class ForestLine(NamedTuple):
    """One line, from the top.

    Attributes:
        label: What it is of.
        mean: The estimate; None where there is none.
        low: Lower end of its interval; None where there is none.
        high: Upper end of it.
        is_dashed: Whether the interval is dashed.
        text: The numbers as tables print them, or why there are none.
        published: What is set beside it; None where nothing is.
        is_heading: Whether it is a heading over the lines below it.
    """

    label: str
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    is_dashed: bool = False
    text: str = ""
    published: float | None = None
    is_heading: bool = False


def forest(lines: Sequence[ForestLine], axis: str) -> "Figure":
    """Draws the lines, one below the other.

    Args:
        lines: At most ``MOST_LINES``.
        axis: The heading of the horizontal axis; 0 on it is no difference.
    """
    from matplotlib.ticker import MaxNLocator

    is_short = all(
        len(line.label) <= _SHORT_LABEL and len(line.text) <= _SHORT_TEXT for line in lines
    )
    width_mm = ONE_COLUMN_MM if is_short else TWO_COLUMNS_MM
    figure = new_figure(width_mm, _FRAME_MM + _LINE_MM * len(lines))
    axes = figure.add_subplot()
    axes.axvline(0, color=INK, linewidth=0.8)
    for place, line in enumerate(lines):
        if line.low is not None and line.high is not None:
            ends, dashes = (line.low, line.high), "--" if line.is_dashed else "-"
            axes.plot(ends, (place, place), color=BLUE, linestyle=dashes, gid=f"interval-{place}")
            axes.plot(ends, (place, place), color=BLUE, marker="|", markersize=4, linestyle="none")
        if line.published is not None:
            axes.plot([line.published], [place], **HOLLOW, gid=f"published-{place}")
        if line.mean is not None:
            axes.plot([line.mean], [place], **FILLED, gid=f"reproduced-{place}")
        # As the axis prints it.
        text = line.text if line.mean is None else line.text.replace("-", "−")
        axes.text(
            1.02,
            place,
            shortened(text, _LONGEST_LABEL),
            transform=axes.get_yaxis_transform(),
            va="center_baseline",
            fontsize=7,
            color=INK if line.mean is not None else SOFT,
        )
    axes.set_yticks(range(len(lines)), [shortened(line.label, _LONGEST_LABEL) for line in lines])
    for tick, line in zip(axes.get_yticklabels(), lines, strict=True):
        tick.set_fontweight("bold" if line.is_heading else "normal")
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.06)
    axes.xaxis.set_major_locator(MaxNLocator(5 if is_short else 9, min_n_ticks=3))
    axes.set_xlabel(axis)
    return figure
