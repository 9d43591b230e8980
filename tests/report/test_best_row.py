"""The best value is bold only where an interval says so, in every format."""

import csv
import io

import pytest

from ablate.report import read_page, render, tables_of
from ablate.report.table import Table, TableCell
from report.sweep_on_disk import SweepOnDisk

MIOUS = {"translandseg": 0.88, "translandseg-1": 0.84, "translandseg-7": 0.75}


@pytest.fixture
def three(table: SweepOnDisk) -> SweepOnDisk:
    """Three rows of three seeds, far apart."""
    table.names, table.seeds, table.published = tuple(MIOUS), (0, 1, 2), None
    for name, miou in MIOUS.items():
        for seed in table.seeds:
            table.finish(name, seed, miou=miou + 0.0001 * seed * len(name))
    return table


def scores_of(table: SweepOnDisk) -> Table:
    return next(each for each in tables_of(table.report()) if each.name == "scores")


def bold(table: SweepOnDisk) -> list[TableCell]:
    return [cell for row in scores_of(table).rows for cell in row if cell.is_bold]


def note_of(table: SweepOnDisk) -> str:
    return next(note for note in scores_of(table).notes if note.startswith(("Bold", "No MIoU")))


def test_a_row_that_is_better_than_each_other_one_is_bold(three: SweepOnDisk) -> None:
    (cell,) = bold(three)
    assert cell.text.startswith("88.")
    assert note_of(three) == (
        "Bold: the highest MIoU, higher than that of each other row (95 % intervals, adjusted for "
        "2 comparisons)."
    )


def test_a_row_that_one_cannot_tell_apart_leaves_none_bold(three: SweepOnDisk) -> None:
    three.names = (*three.names, "translandseg-2")
    for seed, miou in enumerate((0.89, 0.84, 0.88)):
        three.finish("translandseg-2", seed, miou=miou)
    best = three.report().best
    assert best is not None
    assert (best.name, best.comparisons) == ("translandseg", 3)
    assert best.not_told_apart == ("translandseg-2",)
    assert bold(three) == []
    assert note_of(three).startswith(
        "No MIoU is bold: TransLandSeg has the highest, and cannot be told apart from "
        "TransLandSeg-2 (95 %"
    )


def test_every_comparison_has_its_share_of_the_5_percent(three: SweepOnDisk) -> None:
    # Alone it would be told apart: the interval at 95 % is above 0, the one at 97.5 % is not.
    three.names = ("translandseg", "translandseg-2")
    for seed, miou in enumerate((0.873, 0.8756, 0.8712)):
        three.finish("translandseg-2", seed, miou=miou)
    assert three.report().best is not None
    assert len(bold(three)) == 1
    three.names = ("translandseg", "translandseg-2", "translandseg-7")
    assert bold(three) == []


def test_one_training_leaves_none_bold(three: SweepOnDisk) -> None:
    three.seeds = (0,)
    assert bold(three) == []
    assert note_of(three) == (
        "No MIoU is bold: one training of a row does not tell which row is best."
    )


def test_one_row_is_not_compared(three: SweepOnDisk) -> None:
    three.names = ("translandseg",)
    assert three.report().best is None
    with pytest.raises(StopIteration):
        note_of(three)


def test_bold_is_bold_in_every_format_that_has_it(three: SweepOnDisk) -> None:
    report = three.report()
    text = bold(three)[0].text
    assert f"**{text}**" in render(report, "markdown")
    assert "\\textbf{88." in render(report, "latex")
    page = render(report, "html", read_page(report, three.store))
    assert f"<strong>{text}</strong>" in page
    first = next(csv.DictReader(io.StringIO(render(report, "csv"))))
    assert first["miou"].startswith("88.")
