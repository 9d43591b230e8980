"""What the scripts of a page get: the numbers of a report by row, as plain values.

Every text in it is that of a table's cell; the scripts only place what they get.
"""

from collections.abc import Sequence
from typing import Any

from ablate.report.model import Report, Row, Score
from ablate.report.page.model import Band, PageData
from ablate.report.plotted import plotted_differences, plotted_parameters
from ablate.report.score_cells import printed_cell, score_cell
from ablate.report.summary import HEADINGS
from ablate.report.table import Table
from ablate.spec import MetricName, Repeat, repeats_text

# Of a larger table the page explains and draws the first rows and runs.
ROWS = 400
RUNS = 2000


def contents(report: Report, tables: Sequence[Table], page: PageData) -> dict[str, Any]:
    """All that the scripts show, in JSON's types.

    Args:
        report: The report.
        tables: Its tables.
        page: What was read from the folders.
    """
    rows = report.rows[:ROWS]
    named = {table.name: table for table in tables}
    runs = _runs_by_row(report, named["runs"])
    return {
        "baseline": report.baseline,
        "rows": {row.name: _row(report, row, runs.get(row.name, [])) for row in rows},
        "runColumns": [column.heading for column in named["runs"].columns[1:]],
        "forest": _forest(report, named["differences"]) if report.baseline else [],
        "scatter": _scatter(report),
        "curves": [
            {
                "row": curve.row,
                "n": curve.n,
                "epochs": curve.epochs,
                "val_loss": _plain(curve.val_loss),
                "miou": _plain(curve.miou),
            }
            for curve in page.curves
        ],
        "pictures": [picture.model_dump() for picture in page.pictures],
    }


def left_out(report: Report) -> list[str]:
    """What of the report the scripts do not get, in words."""
    rows = len(report.rows)
    notes = []
    if rows > ROWS:
        notes.append(
            f"Figures and the provenance of single numbers: the first {ROWS} of {rows} rows."
        )
    most = _runs_of_a_row(report)
    if any(len(row.repeats) > most for row in report.rows):
        notes.append(f"Provenance of single numbers: the first {most} runs of each row.")
    return notes


def _runs_of_a_row(report: Report) -> int:
    return max(1, RUNS // max(1, min(ROWS, len(report.rows))))


# Rows -------------------------------------------------------------------------------------------


def _row(report: Report, row: Row, runs: Sequence[Sequence[str]]) -> dict[str, Any]:
    return {
        "label": row.label,
        "changed": row.is_changed,
        "runs": runs,
        "missing": [
            [repeats_text([each.repeat]), each.state, each.cause or ""]
            for each in row.repeats[: _runs_of_a_row(report)]
            if each.state != "done"
        ],
        "scores": {metric: _score(report, row, metric) for metric in row.scores},
    }


def _score(report: Report, row: Row, metric: MetricName) -> dict[str, Any]:
    score = row.scores[metric]
    return {
        "heading": _heading(report, metric),
        "text": score_cell(row, score).text,
        "mean": score.mean,
        "sd": score.sd,
        "published": score.published,
        "printed": printed_cell(score).text if report.published else None,
        "values": _values(row, score, _runs_of_a_row(report)),
    }


def _values(row: Row, score: Score, most: int) -> dict[str, float]:
    """The score of each run, by its key."""
    keys = {each.repeat: each.key for each in row.repeats}
    found = {keys[Repeat(each.split, each.seed)]: each.value for each in score.per_repeat[:most]}
    return {key: value for key, value in found.items() if key is not None}


def _heading(report: Report, metric: MetricName) -> str:
    """The heading of the metric; that of the class alone says so."""
    if metric in report.metrics:
        return report.metrics[metric]
    own = HEADINGS[metric]
    return f"{own} ({report.positive_class})" if metric.startswith("positive_") else own


def _runs_by_row(report: Report, table: Table) -> dict[str, list[list[str]]]:
    """The cells of the table of runs, without the label, by row."""
    most = _runs_of_a_row(report)
    texts: dict[str, list[list[str]]] = {}
    for run, cells in zip(report.provenance.runs, table.rows, strict=True):
        of_row = texts.setdefault(run.name, [])
        if len(of_row) < most:
            of_row.append([cell.text for cell in cells[1:]])
    return texts


# Figures ----------------------------------------------------------------------------------------


def _forest(report: Report, table: Table) -> list[dict[str, Any]]:
    """The differences to the baseline."""
    shown = {row.name for row in report.rows[:ROWS]}
    return [each._asdict() for each in plotted_differences(report, table) if each.row in shown]


def _scatter(report: Report) -> dict[str, list[dict[str, Any]]]:
    """Trained parameters and MIoU: of our runs, and as the paper prints both."""
    plotted, shown = plotted_parameters(report), {row.name for row in report.rows[:ROWS]}
    return {
        "reproduced": [each._asdict() for each in plotted.reproduced if each.row in shown],
        "published": [each._asdict() for each in plotted.published if each.row in shown],
    }


def _plain(band: Band) -> dict[str, list[float | None]]:
    """Six digits are more than can be drawn."""
    return {
        name: [None if value is None else float(f"{value:.6g}") for value in values]
        for name, values in (("mean", band.mean), ("low", band.low), ("high", band.high))
    }
