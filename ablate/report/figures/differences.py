"""The forest plot of differences to the baseline, reproduced beside published."""

from collections.abc import Sequence

from ablate.report.difference_tables import IMAGES_ONLY, differences_table
from ablate.report.figures.forest import MOST_LINES, ForestLine, forest
from ablate.report.figures.style import FILLED, HOLLOW, LeftOut, Sheet, legend_above, sheet_of
from ablate.report.model import Report
from ablate.report.page.model import PageData
from ablate.report.plotted import PlottedDifference, plotted_differences


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
            is_dashed=each.is_of_images,
            text=each.text["difference"]
            + (f" [{each.text['interval']}]" if each.low is not None else ""),
            published=each.published,
        )
        for each in shown
    ]
    labels = {row.name: row.label for row in report.rows}
    baseline = labels.get(report.baseline, report.baseline)
    axis = f"MIoU minus that of {baseline} (points)"
    figure = forest(lines, axis)
    from matplotlib.lines import Line2D

    entries = [
        (Line2D([], [], **FILLED | {"linestyle": dashes}), words)
        for dashes, words in _intervals(shown).items()
    ]
    if any(each.published is not None for each in shown):
        words = "published (not comparable)" if report.watermark else "published"
        entries.append((Line2D([], [], **HOLLOW), words))
    legend_above(figure, entries)
    notes = []
    if len(found) > len(shown):
        notes.append(f"The first {len(shown)} of {len(found)} rows.")
    return [sheet_of(report, "differences", axis, figure, notes)]


def _intervals(shown: Sequence[PlottedDifference]) -> dict[str, str]:
    """The lines of the legend: how an interval is drawn, and what it accounts for."""
    kinds = {each.is_of_images for each in shown if each.low is not None}
    if not kinds:
        return {"none": "reproduced"}
    words = "reproduced, 95 % interval"
    return {
        "--" if kind else "-": f"{words} ({IMAGES_ONLY})" if kind else words
        for kind in sorted(kinds)
    }
