"""Trained parameters against MIoU, as the paper's Fig. 9."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ablate.report.figures.labels import Box, Label, Place, placed
from ablate.report.figures.style import (
    BLUE,
    FILLED,
    HOLLOW,
    SOFT,
    TWO_COLUMNS_MM,
    LeftOut,
    Sheet,
    legend_above,
    new_figure,
    settle,
    sheet_of,
    shortened,
)
from ablate.report.model import Report
from ablate.report.page.model import PageData
from ablate.report.plotted import PlottedParameters, PlottedScore, plotted_parameters

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LONGEST_NAME = 28
# The ends of the axis of parameters are to each other at least as this.
_NARROWEST = 1.02
# With more points numbers stand beside them, and the names beside the plot.
_MOST_NAMES, _MOST_NUMBERS, _KEY_LINES = 24, 56, 28
# Points of type: its size, the distance between two attempts, half a marker, and how many attempts.
_TYPE_PT, _STEP_PT, _MARKER_PT, _ATTEMPTS = 6.5, 4.0, 3.2, 14


def draw(report: Report, page: PageData) -> list[Sheet] | LeftOut:
    """A point for each row, with a bar of one standard deviation to either side."""
    plotted = plotted_parameters(report)
    if not plotted.reproduced:
        return LeftOut("no row with trained parameters has a result yet")
    figure = new_figure(TWO_COLUMNS_MM, 100)
    axes = figure.add_subplot()
    axes.set_xscale("log")
    for place, each in enumerate(plotted.reproduced):
        if each.sd:
            ends = [each.mean - each.sd, each.mean + each.sd]
            axes.plot([each.parameters] * 2, ends, color=BLUE, gid=f"spread-{place}")
    for points, style, name in (
        (plotted.published, HOLLOW, "published"),
        (plotted.reproduced, FILLED, "reproduced"),
    ):
        for place, each in enumerate(points):
            axes.plot([each.parameters], [each.mean], **style, gid=f"{name}-{place}")
    axes.margins(0.1)
    _label_numbers(axes)
    axes.set_xlabel("trained parameters (logarithmic)")
    axes.set_ylabel("MIoU (%)")
    _legend(figure, plotted)
    words = "trained parameters against MIoU (%)"
    sheet = sheet_of(report, "parameters", words, figure, plotted.notes)
    # Last, since names go where the finished figure leaves room.
    _name_points(figure, axes, [*plotted.reproduced, *plotted.published])
    return [sheet]


def _legend(figure: "Figure", plotted: PlottedParameters) -> None:
    from matplotlib.lines import Line2D

    has_spread = any(each.sd for each in plotted.reproduced)
    style = FILLED | ({"linestyle": "-"} if has_spread else {})
    words = "reproduced, ± standard deviation over repeats" if has_spread else "reproduced"
    entries = [(Line2D([], [], **style), words)]
    if plotted.published:
        entries.append((Line2D([], [], **HOLLOW), "published"))
    legend_above(figure, entries)


# The axis of parameters -------------------------------------------------------------------------


def _label_numbers(axes: "Axes") -> None:
    """Ticks at round numbers, however narrow the range is: powers of ten need not be in it."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    # The least that a logarithmic axis around equal values shows.
    low, high = axes.get_xlim()
    if high / low < _NARROWEST:
        middle = math.sqrt(low * high)
        low, high = middle / math.sqrt(_NARROWEST), middle * math.sqrt(_NARROWEST)
    ticks: list[float] = []
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 2, 5)):
        if len(ticks) < 3:
            ticks = [f * 10.0**p for p in powers for f in factors if low <= f * 10.0**p <= high]
    if len(ticks) < 2:
        ticks = [tick for tick in MaxNLocator(4).tick_values(low, high) if low <= tick <= high]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    axes.set_xlim(low, high)


def compact(number: float) -> str:
    """``4.18 M``: four digits and a unit of thousands."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.4g}{unit}"
    return f"{number:.4g}"


# Names beside points ----------------------------------------------------------------------------


def _name_points(figure: "Figure", axes: "Axes", points: Sequence[PlottedScore]) -> None:
    """The rows' names beside their points, or numbers where names find no room."""
    texts = [shortened(each.label, _LONGEST_NAME) for each in points]
    places = _places(figure, axes, points, texts) if len(points) <= _MOST_NAMES else [None]
    if None in places:
        texts = _with_key(figure, points)
        places = _places(figure, axes, points, texts)
    for each, text, (x, y), place in zip(points, texts, _spots(axes, points), places, strict=True):
        if place is None:
            continue
        box = place.box
        line: Any = {
            "arrowstyle": "-",
            "color": SOFT,
            "linewidth": 0.4,
            "shrinkA": 0,
            "shrinkB": 2,
            "relpos": place.end,
        }
        axes.annotate(
            text,
            (each.parameters, each.mean),
            xytext=((box.left + box.right) / 2 - x, (box.bottom + box.top) / 2 - y),
            textcoords="offset points",
            fontsize=_TYPE_PT,
            ha="center",
            va="center",
            # The layout is what the places were found in.
            in_layout=False,
            arrowprops=line if place.is_led else None,
        )


def _with_key(figure: "Figure", points: Sequence[PlottedScore]) -> list[str]:
    """Writes a key beside the plot and returns the number of each point."""
    from matplotlib.lines import Line2D

    rows = list({each.row: each.label for each in points}.items())
    numbers = {row: str(number) for number, (row, _) in enumerate(rows[:_MOST_NUMBERS], start=1)}
    words = [
        f"{number} {shortened(dict(rows)[row], _LONGEST_NAME)}" for row, number in numbers.items()
    ]
    if len(rows) > len(numbers):
        words.append(f"and {len(rows) - len(numbers)} more")
    figure.set_layout_engine("constrained")
    figure.legend(
        [Line2D([], [], linestyle="none") for _ in words],
        words,
        loc="outside right upper",
        ncols=math.ceil(len(words) / _KEY_LINES),
        fontsize=_TYPE_PT,
        handlelength=0,
        handletextpad=0,
        labelspacing=0.2,
    )
    settle(figure)
    return [numbers.get(each.row, "…") for each in points]


def _places(
    figure: "Figure", axes: "Axes", points: Sequence[PlottedScore], texts: Sequence[str]
) -> list[Place | None]:
    """Where each text goes, in points of type; None where there is no room."""
    pt_per_px = 72 / figure.dpi
    spots = _spots(axes, points)
    labels = []
    for (x, y), text in zip(spots, texts, strict=True):
        written = figure.text(0, 0, text, fontsize=_TYPE_PT)
        size = written.get_window_extent()
        written.remove()
        labels.append(Label(x, y, pt_per_px * size.width, pt_per_px * size.height))
    taken = [Box(x - _MARKER_PT, y - _MARKER_PT, x + _MARKER_PT, y + _MARKER_PT) for x, y in spots]
    for each in points:
        if each.sd:
            low, high = (
                pt_per_px * axes.transData.transform((each.parameters, each.mean + end))
                for end in (-each.sd, each.sd)
            )
            taken.append(Box(low[0] - 1, low[1], high[0] + 1, high[1]))
    frame = axes.get_window_extent()
    bounds = Box(*(pt_per_px * each for each in (frame.x0, frame.y0, frame.x1, frame.y1)))
    return placed(labels, taken, bounds, _STEP_PT, _ATTEMPTS)


def _spots(axes: "Axes", points: Sequence[PlottedScore]) -> list[tuple[float, float]]:
    """Where the points lie on the figure, in points of type."""
    figure = axes.figure
    pt_per_px = 72 / figure.dpi
    places = (axes.transData.transform((each.parameters, each.mean)) for each in points)
    return [(pt_per_px * float(x), pt_per_px * float(y)) for x, y in places]
