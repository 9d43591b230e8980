"""The forest plot of differences to the baseline, reproduced beside published."""

from ablate.report.difference_tables import differences_table
from ablate.report.figures.forest import MOST_LINES, ForestLine, forest
from ablate.report.figures.style import FILLED, HOLLOW, LeftOut, Sheet, legend_above, sheet_of
from ablate.report.model import Report
from ablate.report.page.model import PageData
from ablate.report.plotted import plotted_differences


def draw(report: Report, page: PageData) -> list[Sheet] | LeftOut:
    """MIoU of every row minus that of the baseline, with intervals."""
    if report.baseline is None:
        return LeftOut("the sweep has no baseline")
    found = plotted_differences(report, differences_table(report))
    if all(each.mean is None for each in found):
        return LeftOut("no row has a repeat in common with the baseline yet")
    shown = found[:MOST_LINES]
    lines = [
        ForestLine(
            label=each.label,
            mean=each.mean,
            low=each.low,
            high=each.high,
            text=each.text["difference"]
            + (f" ({each.text['interval']})" if each.low is not None else ""),
            published=each.published,
        )
        for each in shown
    ]
    labels = {row.name: row.label for row in report.rows}
    baseline = labels.get(report.baseline, report.baseline)
    axis = f"MIoU minus that of {baseline} (points)"
    figure = forest(lines, axis)
    from matplotlib.lines import Line2D

    has_intervals = any(each.low is not None for each in shown)
    entries = [
        (
            Line2D([], [], **FILLED | ({"linestyle": "-"} if has_intervals else {})),
            "reproduced, 95 % interval" if has_intervals else "reproduced",
        )
    ]
    if any(each.published is not None for each in shown):
        words = "published (not comparable)" if report.watermark else "published"
        entries.append((Line2D([], [], **HOLLOW), words))
    legend_above(figure, entries)
    notes = []
    if len(found) > len(shown):
        notes.append(f"The first {len(shown)} of {len(found)} rows.")
    return [sheet_of(report, "differences", axis, figure, notes)]
