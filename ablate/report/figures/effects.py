"""The main effects of a sweep's factors."""

from ablate.report.effects_table import effects_tables
from ablate.report.figures.forest import MOST_LINES, ForestLine, forest
from ablate.report.figures.style import LeftOut, Sheet, sheet_of
from ablate.report.model import Report
from ablate.report.page.model import PageData


def draw(report: Report, page: PageData) -> list[Sheet] | LeftOut:
    """By how many points of MIoU each level of each factor lies above or below the mean."""
    effects = report.effects
    if effects is None:
        return LeftOut("the sweep has no factors, or none of its runs has ended")
    estimates = {tuple(each.levels.items()): each for each in effects.main}
    table = effects_tables(effects, None)[0]
    texts = iter(
        [dict(zip((c.key for c in table.columns), row, strict=True)) for row in table.rows]
    )
    lines: list[ForestLine] = []
    for factor, levels in effects.factors.items():
        lines.append(ForestLine(label=factor, is_heading=True))
        for level in levels:
            cells = next(texts)
            estimate = estimates.get(((factor, level),))
            text = cells["effect"].text
            if estimate is None or estimate.mean is None:
                lines.append(ForestLine(label=level, text=text))
                continue
            if estimate.low is not None:
                text += f" [{cells['interval'].text}]"
            lines.append(ForestLine(level, estimate.mean, estimate.low, estimate.high, text=text))
    if all(line.mean is None for line in lines):
        return LeftOut("the runs cannot tell any effect")
    shown = lines[:MOST_LINES]
    axis = "effect on MIoU (points)"
    notes = ["Each level against the mean over all levels of its factor."]
    if any(line.low is not None for line in shown):
        notes.append("Bars: 95 % intervals.")
    if len(lines) > len(shown):
        notes.append(f"The first {len(shown)} of {len(lines)} lines.")
    return [sheet_of(report, "effects", axis, forest(shown, axis), notes)]
