"""What figures plot, decided once for the page and for printed figures: values and their words."""

import math
from typing import NamedTuple

from ablate.report.model import Report, Row
from ablate.report.score_cells import printed_cell, score_cell
from ablate.report.table import Table


class PlottedScore(NamedTuple):
    """A row in the figure of trained parameters against MIoU.

    Attributes:
        row: The variant's name.
        label: The row's label.
        parameters: Trained parameters.
        parameters_text: The same as it is printed.
        mean: MIoU in percent, finite.
        sd: Its standard deviation over repeats; None without one.
        text: MIoU as tables print it.
    """

    row: str
    label: str
    parameters: float
    parameters_text: str
    mean: float
    sd: float | None
    text: str


class PlottedParameters(NamedTuple):
    """The figure of trained parameters against MIoU.

    Attributes:
        reproduced: The rows whose runs trained something, in the table's order.
        published: Those of which both numbers are printed; empty where the runs are not comparable
            with them, since other weights have other numbers of parameters.
        notes: What is not drawn, and why.
    """

    reproduced: tuple[PlottedScore, ...]
    published: tuple[PlottedScore, ...]
    notes: tuple[str, ...]


class PlottedDifference(NamedTuple):
    """A row in the forest plot of differences to the baseline.

    Attributes:
        row: The variant's name.
        label: The row's label.
        mean: Points of MIoU; None where there is none.
        low: Lower end of the interval; None where there is none.
        high: Upper end of it.
        is_of_images: Whether the interval says nothing of another training.
        published: The difference of the printed values; None where one is not reported.
        text: The cells of the table of differences, by column.
    """

    row: str
    label: str
    mean: float | None
    low: float | None
    high: float | None
    is_of_images: bool
    published: float | None
    text: dict[str, str]


def plotted_parameters(report: Report) -> PlottedParameters:
    """Trained parameters and MIoU of the rows: of our runs, and as the paper prints both."""
    trained = {run.name: run.parameters.trainable for run in reversed(report.provenance.runs)}
    reproduced = tuple(
        PlottedScore(
            row=row.name,
            label=row.label,
            parameters=trained[row.name],
            parameters_text=f"{trained[row.name]:,}",
            mean=mean,
            sd=_finite(row.scores["miou"].sd),
            text=score_cell(row, row.scores["miou"]).text,
        )
        for row in report.rows
        if trained.get(row.name) and (mean := _finite(row.scores["miou"].mean)) is not None
    )
    drawn = {each.row for each in reproduced}
    notes = []
    evaluated = [row.label for row in report.rows if row.name in trained and not trained[row.name]]
    if evaluated:
        notes.append(f"Not drawn, since nothing is trained: {', '.join(evaluated)}.")
    if broken := [
        row.label for row in report.rows if trained.get(row.name) and row.name not in drawn
    ]:
        notes.append(f"Not drawn, since MIoU is not a number: {', '.join(broken)}.")
    published = _published(report)
    if published and report.watermark:
        notes.append("Published values are not drawn, since they are not comparable.")
        published = ()
    return PlottedParameters(reproduced, published, tuple(notes))


def _published(report: Report) -> tuple[PlottedScore, ...]:
    """The rows of which the paper prints both numbers."""
    counted = report.parameters.interpretations if report.parameters else ()
    printed = {each.variant: each.trainable.printed for each in counted}
    return tuple(
        PlottedScore(
            row=row.name,
            label=row.label,
            parameters=float(printed[row.name]) * 1e6,
            parameters_text=f"{printed[row.name]} M",
            mean=row.scores["miou"].published,
            sd=None,
            text=printed_cell(row.scores["miou"]).text,
        )
        for row in report.rows
        if row.name in printed and row.scores["miou"].published is not None
    )


def plotted_differences(report: Report, table: Table) -> list[PlottedDifference]:
    """The differences to the baseline, in the table's order.

    Args:
        report: The report.
        table: Its table of differences, which has a line for each row.
    """
    keys = [column.key for column in table.columns]
    return [
        _difference(row, dict(zip(keys, (cell.text for cell in cells), strict=True)))
        for row, cells in zip(report.rows, table.rows, strict=True)
        if row.delta is not None
    ]


def _difference(row: Row, text: dict[str, str]) -> PlottedDifference:
    delta = row.delta
    assert delta is not None
    ends = (_finite(delta.low), _finite(delta.high))
    low, high = ends if None not in ends else (None, None)
    return PlottedDifference(
        row=row.name,
        label=row.label,
        mean=_finite(delta.mean),
        low=low,
        high=high,
        is_of_images=low is not None and delta.method == "images",
        published=delta.published,
        text=text,
    )


def _finite(value: float | None) -> float | None:
    """None instead of what cannot be drawn: a hand-edited result may hold an infinity."""
    return value if value is not None and math.isfinite(value) else None
