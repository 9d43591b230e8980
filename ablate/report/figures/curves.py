"""Learning curves: a small plot for each row, so that any number of rows can be told apart."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from ablate.report.figures.style import (
    BLACK,
    BLUE,
    SOFT,
    TWO_COLUMNS_MM,
    LeftOut,
    Sheet,
    legend_above,
    letters_in,
    new_figure,
    sheet_of,
    shortened,
)
from ablate.report.model import Report
from ablate.report.page.model import Band, Curve, PageData

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST = 48
_Metric = Literal["miou", "val_loss"]
_HEADINGS: dict[_Metric, str] = {"miou": "MIoU (%)", "val_loss": "validation loss"}
_NAMES: dict[_Metric, str] = {"miou": "learning-curves", "val_loss": "learning-curves-loss"}
_FRAME_MM = 26.0


def draw(report: Report, page: PageData) -> list[Sheet] | LeftOut:
    """MIoU by epoch, and the validation loss by epoch, of every row that was trained."""
    if not page.curves:
        return LeftOut("no run has ended an epoch yet")
    return [
        _sheet(report, page, metric)
        for metric in _NAMES
        if any(_has(_band(curve, metric)) for curve in page.curves)
    ]


def _sheet(report: Report, page: PageData, metric: _Metric) -> Sheet:
    shown = [curve for curve in page.curves if _has(_band(curve, metric))][:_MOST]
    columns = min(len(shown), 4 if len(shown) <= 12 else 6)
    lines = math.ceil(len(shown) / columns)
    width_mm = TWO_COLUMNS_MM * min(1, (columns + 1) / 4)
    figure = new_figure(width_mm, _FRAME_MM + lines * (34 if columns < 5 else 26))
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    places = list(grid.flat)
    labels = {row.name: row.label for row in report.rows}
    baseline = next((curve for curve in shown if curve.row == report.baseline), None)
    letters = letters_in(width_mm / columns - 4)
    for place, (axes, curve) in enumerate(zip(places, shown, strict=False)):
        axes.set_title(shortened(labels.get(curve.row, curve.row), letters), loc="left", pad=2)
        if baseline is not None and curve is not baseline:
            _line(axes, baseline, metric, color=SOFT, linestyle=(0, (3, 2)), linewidth=0.9)
        band = _band(curve, metric)
        if curve.n > 1:
            axes.fill_between(
                curve.epochs, _values(band.low), _values(band.high), color=BLUE, alpha=0.25, lw=0
            )
        color = BLACK if curve is baseline else BLUE
        _line(axes, curve, metric, color=color, gid=f"curve-{place}")
    for axes in places[len(shown) :]:
        axes.set_visible(False)
    for column in range(columns):
        # The lowest plot of a column names the epochs, also where the last line is not full.
        below = [axes for axes in grid[:, column] if axes.get_visible()][-1]
        below.tick_params(labelbottom=True)
        below.set_xlabel("epoch")
    _whole_epochs(places[0])
    figure.supylabel(_HEADINGS[metric], fontsize=7.5)
    reference = labels[baseline.row] if baseline is not None else None
    _legend(figure, reference, any(curve.n > 1 for curve in shown))
    notes = [*page.curve_notes]
    if len(shown) < len(page.curves):
        notes.append(f"{len(shown)} of {len(page.curves)} rows with curves.")
    return sheet_of(report, _NAMES[metric], f"{_HEADINGS[metric]} by epoch", figure, notes)


def _band(curve: Curve, metric: _Metric) -> Band:
    return curve.miou if metric == "miou" else curve.val_loss


def _has(band: Band) -> bool:
    return any(value is not None for value in band.mean)


def _values(values: Sequence[float | None]) -> list[float]:
    """A gap where no run has a value."""
    return [math.nan if value is None else value for value in values]


def _line(axes: "Axes", curve: Curve, metric: _Metric, **style: Any) -> None:
    # One epoch makes no line.
    style["marker"] = "o" if len(curve.epochs) == 1 else ""
    axes.plot(curve.epochs, _values(_band(curve, metric).mean), markersize=3, **style)


def _whole_epochs(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))


def _legend(figure: "Figure", label: str | None, is_repeated: bool) -> None:
    """What the lines are; ``label`` is the baseline's, None without one."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[tuple[Any, str]] = [
        (Line2D([], [], color=BLUE), "mean over runs" if is_repeated else "one run"),
    ]
    if is_repeated:
        entries.append((Patch(color=BLUE, alpha=0.25, lw=0), "lowest to highest"))
    if label is not None:
        words = shortened(label, 30)
        entries.append((Line2D([], [], color=SOFT, linestyle=(0, (3, 2)), linewidth=0.9), words))
    legend_above(figure, entries)
