"""One report, three formats; and putting it into a file."""

import csv
import io
from pathlib import Path
from typing import Literal

from ablate.report.markdown import to_markdown
from ablate.report.model import COLUMNS, Report, Row, Score
from ablate.runs import atomic

Format = Literal["markdown", "csv", "json"]
SUFFIXES: dict[Format, str] = {"markdown": ".md", "csv": ".csv", "json": ".json"}

_NOT_APPLICABLE = "n/a"
_STRUCTURE = ["sweep", "variant", "label", "system", "midlay", "residual", "outside"]
_SIDE = ["numbers", "n"]
_DELTA = ["delta_miou", "delta_miou_low", "delta_miou_high"]


def render(report: Report, format: Format) -> str:
    """The report as text; equal reports give equal texts."""
    if format == "markdown":
        return to_markdown(report)
    if format == "csv":
        return _to_csv(report)
    return report.model_dump_json(indent=2) + "\n"


def write(report: Report, format: Format, out: Path) -> None:
    """Puts the report into ``out``, whole or not at all."""
    atomic.replace(out, render(report, format).encode())


def _to_csv(report: Report) -> str:
    """A line for each row and side.

    No cell is empty: a hole has its name, and what there cannot be is ``n/a``.
    """
    header = _STRUCTURE + _SIDE
    for metric in COLUMNS:
        header += [metric, f"{metric}_sd"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*header, *_DELTA, "watermark"])
    watermark = report.watermark or _NOT_APPLICABLE
    for row in report.rows:
        structure = [report.sweep, row.name, row.label, row.system, row.midlay or _NOT_APPLICABLE]
        structure += [_yes_or_no(row.residual), _yes_or_no(row.outside)]
        writer.writerow([*structure, *_reproduced(row, report), watermark])
        if report.published is not None:
            writer.writerow([*structure, *_published(row, report), watermark])
    return text.getvalue()


def _reproduced(row: Row, report: Report) -> list[str]:
    cells = ["reproduced", str(sum(seed.state == "done" for seed in row.seeds))]
    for metric in COLUMNS:
        score = row.scores[metric]
        cells += [str(row.hole)] * 2 if score.mean is None else _mean_and_sd(score)
    if row.delta is None:
        return cells + [_no_delta(row, report)] * len(_DELTA)
    if row.delta.mean is None:
        return cells + [str(row.hole or row.delta.hole)] * len(_DELTA)
    ends = (row.delta.low, row.delta.high)
    return [*cells, _number(row.delta.mean), *map(_number, ends)]


def _published(row: Row, report: Report) -> list[str]:
    cells = ["published", "not reported"]
    for metric in COLUMNS:
        cells += [row.scores[metric].printed or "not reported", "not reported"]
    if row.delta is None:
        return cells + [_no_delta(row, report)] * len(_DELTA)
    published = row.delta.published
    delta = "not reported" if published is None else _number(published)
    return [*cells, delta, "not reported", "not reported"]


def _mean_and_sd(score: Score) -> list[str]:
    return [_number(score.mean), _number(score.sd)]


def _no_delta(row: Row, report: Report) -> str:
    return "baseline" if row.name == report.baseline else _NOT_APPLICABLE


def _number(value: float | None) -> str:
    return _NOT_APPLICABLE if value is None else f"{value:z.6f}"


def _yes_or_no(value: bool | None) -> str:
    return {True: "yes", False: "no", None: _NOT_APPLICABLE}[value]
