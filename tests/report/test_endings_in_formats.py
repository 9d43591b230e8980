"""Removing, failing, diverging, damaging or editing a run shows as that, in every format."""

import json
import re
import shutil
from collections.abc import Callable

import pytest

from ablate.registry import Catalogue
from ablate.report import WRITERS, Report, render
from report.sweep_on_disk import SweepOnDisk, row_of

ROW, OTHER = "translandseg-1", "translandseg"
End = Callable[[SweepOnDisk], None]


def remove(table: SweepOnDisk) -> None:
    shutil.rmtree(table.folder(ROW).path)


def fail(table: SweepOnDisk) -> None:
    remove(table)
    table.fail(ROW, why="no memory")


def diverge(table: SweepOnDisk) -> None:
    remove(table)
    table.fail(ROW, kind="diverged", why="the loss is not finite")


def interrupt(table: SweepOnDisk) -> None:
    remove(table)
    table.interrupt(ROW)


def cut(table: SweepOnDisk) -> None:
    path = table.folder(ROW).path / "result.json"
    path.write_bytes(path.read_bytes()[:100])


def edit(table: SweepOnDisk) -> None:
    path = table.folder(ROW).path / "result.json"
    document = json.loads(path.read_text())
    document["metrics"]["miou"] = 0.99
    path.write_text(json.dumps(document))


def edit_elsewhere(table: SweepOnDisk) -> None:
    path = table.folder(ROW).path / "result.json"
    path.write_text(path.read_text().replace('"steps": 400', '"steps": 4'))


def swap_pixels(table: SweepOnDisk) -> None:
    shutil.copy(table.folder(OTHER).confusion_path, table.folder(ROW).confusion_path)


def lose_pixels(table: SweepOnDisk) -> None:
    table.folder(ROW).confusion_path.unlink()


def damage_spec(table: SweepOnDisk) -> None:
    (table.folder(ROW).path / "spec.json").write_bytes(b"\0" * 80)


def change(table: SweepOnDisk) -> None:
    """The row is declared otherwise today."""
    table.today = {ROW: Catalogue().variant("translandseg-9")}


ENDS: dict[End, str] = {
    remove: "not run",
    fail: "failed",
    diverge: "diverged",
    interrupt: "interrupted",
    cut: "unreadable",
    edit: "unreadable",
    edit_elsewhere: "unreadable",
    swap_pixels: "unreadable",
    lose_pixels: "unreadable",
    damage_spec: "unreadable",
}


@pytest.fixture
def whole(table: SweepOnDisk) -> SweepOnDisk:
    table.names = (OTHER, ROW)
    table.finish(OTHER, miou=0.8812)
    table.finish(ROW, miou=0.8456)
    return table


def plain(report: Report, format: str) -> str:
    """What a reader sees: no markup, no line breaks."""
    return " ".join(re.sub(r"<[^>]*>", " ", render(report, format)).split())


@pytest.mark.parametrize("format", WRITERS)
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_every_format_says_how_a_run_ended(whole: SweepOnDisk, end: End, format: str) -> None:
    reason = ENDS[end]
    before = plain(whole.report(), format)
    assert "84.56" in before
    end(whole)
    after = plain(whole.report(), format)
    # The paragraph on the costs speaks of every way to end.
    assert after.count(reason) > before.count(reason)
    assert "84.56" not in after
    assert "99.00" not in after
    assert "88.12" in after


@pytest.mark.parametrize("format", WRITERS)
def test_every_format_says_that_a_row_was_changed(whole: SweepOnDisk, format: str) -> None:
    change(whole)
    after = plain(whole.report(), format)
    assert "84.56" in after
    assert re.search(r'[Cc]hanged since it was run|"is_changed":\s*true|,True,', after)


def test_the_cause_is_one_line_and_names_what_differs(whole: SweepOnDisk) -> None:
    edit(whole)
    (run,) = row_of(whole, ROW).repeats
    assert run.cause is not None
    assert "miou is 0.99 in the result, 0.8456 by its pixels" in run.cause
