"""Runs that memory allowed only a part of a batch at once: a footnote of their row."""

import pytest

from ablate.report import Report, render
from ablate.report.notes import footnotes_of
from ablate.report.tables import tables_of
from ablate.runs import MicroBatch
from report.sweep_on_disk import SweepOnDisk

TRAINED = MicroBatch(purpose="training", images=2, batch=8, after_steps=1200)
EVALUATED = MicroBatch(purpose="evaluation", images=4, batch=8, after_steps=0)


@pytest.fixture
def report(table: SweepOnDisk) -> Report:
    """Two of three runs of a row, and every run of another one, which was changed as well."""
    table.seeds = (0, 1, 2)
    for seed in table.seeds:
        noted = (TRAINED,) if seed else ()
        table.finish("translandseg", seed, micro_batches=noted)
        table.finish("translandseg-1", seed, micro_batches=(TRAINED, EVALUATED))
        table.finish("translandseg-2", seed)
    table.today = {"translandseg-1": table.variant("translandseg-7")}
    return table.report()


def test_the_footnotes(report: Report) -> None:
    trained = (
        "Memory was short: after 1,200 steps, training computed 2 of a batch's 8 images at once, "
        "with accumulated gradients and the loss of the whole batch"
    )
    second, first = footnotes_of(report)
    assert first == f"{trained} (seed 1, 2)."
    assert second.startswith("Changed since it was run: ")
    assert second.endswith(
        f" {trained}. Memory was short: evaluation computed 4 of a batch's 8 images at once."
    )


def test_labels_refer_to_them_in_every_format(report: Report) -> None:
    for table in tables_of(report):
        numbers = {row[0].text: row[0].footnote for row in table.rows if row[0].footnote}
        if table.footnotes:
            assert numbers == {"TransLandSeg-1": 1, "TransLandSeg": 2}, table.name
    for name in ("markdown", "html", "latex"):
        assert "training computed 2 of a batch" in render(report, name), name
    assert '"after_steps": 1200' in render(report, "json")
