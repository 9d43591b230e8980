"""The table of where the spread comes from."""

import math

from ablate.report.comparison_model import VarianceSources
from ablate.report.model import Report
from ablate.report.table import (
    Table,
    TableCell,
    caption_of,
    missing_cell,
    number_cell,
    number_column,
    text_cell,
    text_column,
)


def spread_table(report: Report) -> Table:
    """Standard deviations that seeds, splits and images give a value of one run."""
    spread = report.spread
    labels = {row.name: row.label for row in report.rows}
    rows = [] if spread is None else [_line("MIoU of one run", spread.miou)]
    if spread and spread.difference and spread.difference.rows:
        baseline = labels.get(str(report.baseline), str(report.baseline))
        rows.append(_line(f"its difference to {baseline}", spread.difference))
    return Table(
        name="spread",
        title="Where the spread comes from",
        columns=(
            text_column("value", "Value"),
            number_column("rows", "rows"),
            *(number_column(key, key) for key in ("seed", "split", "images")),
        ),
        rows=tuple(rows),
        caption=caption_of(
            report.watermark,
            "Standard deviation in percentage points, and the share of the variance among the "
            "sources that can be told: of seeds on one split, of splits, and of the validation "
            "images, drawn anew. Means over the trained rows.",
        ),
    )


def _line(value: str, sources: VarianceSources) -> tuple[TableCell, ...]:
    known = (sources.seed, sources.split, sources.split_and_seed, sources.images)
    total = sum(each for each in known if each is not None)
    both = sources.split_and_seed
    seed = "cannot tell: one seed a split" if both is not None else "cannot tell: one seed"
    return (
        text_cell(value),
        number_cell(sources.rows),
        _cell(sources.seed, total, seed),
        _cell(sources.split, total, "cannot tell: one split")
        if both is None
        else _cell(both, total, "", " with seed"),
        _cell(sources.images, total, "cannot tell: images not drawn"),
    )


def _cell(variance: float | None, total: float, reason: str, what: str = "") -> TableCell:
    """The deviation and its share, or why there is none."""
    if variance is None:
        return missing_cell(reason)
    deviation, share = math.sqrt(variance), 100 * variance / total if total else 0.0
    return number_cell(deviation, f"{deviation:.2f} ({share:.0f} %){what}")
