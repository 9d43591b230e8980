"""Views of the table of scores, for formats that show one of them at a time.

A view is a convention (the table's metrics, or those of the positive class alone) and a side
(reproduced, published, both, or their difference).
"""

from collections.abc import Mapping
from typing import Literal

from ablate.report.model import Report, Row
from ablate.report.notes import footnotes_of, label_cell
from ablate.report.score_cells import (
    count_cell,
    distance_cell,
    is_repeated,
    printed_cell,
    repeats_word,
    row_score_cell,
    structure_cell,
)
from ablate.report.summary import HEADINGS
from ablate.report.table import (
    BLANK,
    DASH,
    Table,
    TableCell,
    caption_of,
    number_column,
    text_cell,
    text_column,
)
from ablate.spec import Frozen, MetricName

Side = Literal["both", "reproduced", "published", "difference"]
Metrics = Literal["table", "positive"]

_SIDES: dict[Side, str] = {
    "both": "Reproduced and published",
    "reproduced": "Reproduced",
    "published": "Published",
    "difference": "Δ",
}
_POSITIVE: tuple[MetricName, ...] = (
    "positive_precision",
    "positive_recall",
    "positive_f1",
    "positive_iou",
)


class ScoreView(Frozen):
    """One view of the scores.

    Attributes:
        metrics: Which metrics it shows.
        side: Which values of them.
        table: The values as they are printed.
    """

    metrics: Metrics
    side: Side
    table: Table


class ScoreViews(Frozen):
    """All views of the scores of a report.

    Attributes:
        metrics: The choices of metrics and what they are called; a single one leaves no choice.
        sides: The same of the sides.
        views: One for each pair of the two; the first is the report's own table of scores.
    """

    metrics: dict[Metrics, str]
    sides: dict[Side, str]
    views: tuple[ScoreView, ...]


def score_views(report: Report, scores: Table, most_rows: int) -> ScoreViews:
    """Every view of the scores of a report.

    Args:
        report: The report.
        scores: Its table of scores, which is the first view.
        most_rows: How many rows the others show.
    """
    report = report.model_copy(update={"rows": report.rows[:most_rows]})
    positive = {name: HEADINGS[name] for name in _POSITIVE}
    shown: dict[Metrics, Mapping[MetricName, str]] = {"table": report.metrics}
    if set(report.metrics) != set(positive):
        shown["positive"] = positive
    sides: dict[Side, str] = _SIDES if report.published else {"reproduced": _SIDES["reproduced"]}
    views = [
        ScoreView(metrics=metrics, side=side, table=_table(report, metrics, headings, side))
        for metrics, headings in shown.items()
        for side in sides
    ]
    views[0] = views[0].model_copy(update={"table": scores})
    own = "The paper's convention" if report.published else "The table's metrics"
    names: dict[Metrics, str] = {
        "table": own,
        "positive": f"The {report.positive_class} class alone",
    }
    return ScoreViews(
        metrics={each: names[each] for each in shown}, sides=sides, views=tuple(views)
    )


def _table(
    report: Report, metrics: Metrics, headings: Mapping[MetricName, str], side: Side
) -> Table:
    counts = is_repeated(report) and side in ("both", "reproduced")
    columns = [
        text_column("label", "Model"),
        *(text_column(key, each.heading) for key, each in report.structure.items()),
        *([text_column("values", "values")] if side == "both" else []),
        *([number_column("n", "n", "left")] if counts else []),
        *(number_column(key, heading, "left") for key, heading in headings.items()),
    ]
    return Table(
        name=f"scores-{metrics}-{side}",
        title=None,
        columns=tuple(columns),
        rows=tuple(
            line for row in report.rows for line in _lines(report, row, headings, side, counts)
        ),
        caption=_caption(report, metrics, side),
        footnotes=footnotes_of(report),
    )


def _lines(
    report: Report, row: Row, metrics: Mapping[MetricName, str], side: Side, counts: bool
) -> list[tuple[TableCell, ...]]:
    first = (
        label_cell(report, row),
        *(structure_cell(row, *each) for each in report.structure.items()),
    )
    n = [count_cell(row)] if counts else []
    scores = [row.scores[metric] for metric in metrics]
    if side == "published":
        return [(*first, *map(printed_cell, scores))]
    if side == "difference":
        return [(*first, *(distance_cell(row, score) for score in scores))]
    reproduced = [row_score_cell(report, row, metric) for metric in metrics]
    if side == "reproduced":
        return [(*first, *n, *reproduced)]
    return [
        (*first, text_cell("reproduced"), *n, *reproduced),
        (
            *(BLANK for _ in first),
            text_cell("published"),
            *(DASH for _ in n),
            *map(printed_cell, scores),
        ),
    ]


def _caption(report: Report, metrics: Metrics, side: Side) -> str:
    published = report.published
    has_spread = side in ("both", "reproduced") and is_repeated(report)
    return caption_of(
        report.watermark,
        "Reproduced minus published, in percentage points." if side == "difference" else "Percent.",
        metrics == "positive"
        and f"Precision, recall, F1 and IoU of the {report.positive_class} class, without the "
        "background.",
        has_spread and f"Reproduced: mean ± standard deviation over n {repeats_word(report)}.",
        published
        and side in ("both", "published")
        and f"Published: as Table {published.source.table} prints it.",
    )
