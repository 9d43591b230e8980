"""The price of selection: the selected, the last and the best epoch of every row."""

import csv
import io
import statistics

import pytest

from ablate.report import render, tables_of
from ablate.report.selection_model import Selection
from report.sweep_on_disk import NOTHING_TRAINED, SweepOnDisk, row_of, unsealed
from report.test_tables import table_named


def selection_in(table: SweepOnDisk, name: str) -> Selection:
    selection = row_of(table, name).selection
    assert selection is not None
    return selection


def test_selected_last_and_best_epoch_of_every_seed(table: SweepOnDisk) -> None:
    table.names, table.seeds = ("translandseg",), (0, 1, 2)
    table.finish("translandseg", 0, epochs=(0.5, 0.8, 0.9, 0.7), selected=2)
    table.finish("translandseg", 1, epochs=(0.5, 0.6, 0.7, 0.8), selected=4)
    table.finish("translandseg", 2, epochs=(0.6, 0.6, 0.5, 0.55), selected=1)
    selection = selection_in(table, "translandseg")
    first, _, third = selection.repeats
    assert (first.seed, first.epoch, first.epochs, first.best_epoch) == (0, 2, 4, 3)
    assert (first.selected, first.last, first.best) == pytest.approx((80, 70, 90))
    # Of equal epochs the first one is the best.
    assert (third.epoch, third.best_epoch) == (1, 1)
    gains = [10, 0, 5]
    assert selection.n == 3
    assert selection.selected == pytest.approx((80 + 80 + 60) / 3)
    assert selection.last == pytest.approx((70 + 80 + 55) / 3)
    assert selection.best == pytest.approx((90 + 80 + 60) / 3)
    assert selection.gain == pytest.approx(5)
    assert selection.gain_sd == pytest.approx(statistics.stdev(gains))


def test_the_table_prints_it(table: SweepOnDisk) -> None:
    table.names, table.seeds = ("translandseg", "translandseg-1"), (0, 1)
    table.finish("translandseg", 0, epochs=(0.5, 0.8, 0.9, 0.7), selected=2)
    table.finish("translandseg", 1, epochs=(0.5, 0.6, 0.7, 0.8), selected=4)
    table.fail("translandseg-1", 0)
    printed = table_named(table.report(), "selection")
    assert [cell.text for cell in printed.rows[0]] == [
        *["TransLandSeg", "2", "80.00", "75.00", "85.00", "+5.00 ± 7.07", "2, 4 of 4"],
    ]
    assert {(cell.kind, cell.text) for cell in printed.rows[1][1:]} == {("missing", "failed")}
    assert "chosen on the very images that it is scored on" in printed.caption
    assert "## The price of selection" in render(table.report(), "markdown")


def test_many_selected_epochs_are_a_range(table: SweepOnDisk) -> None:
    table.names, table.seeds = ("translandseg",), tuple(range(6))
    for seed in table.seeds:
        table.finish("translandseg", seed, miou=0.8, selected=seed + 3)
    assert table_named(table.report(), "selection").rows[0][-1].text == "3 … 8 of 20"


def test_events_that_cannot_be_read_leave_their_own_place_empty(table: SweepOnDisk) -> None:
    table.names, table.seeds = ("translandseg", "translandseg-1"), (0, 1)
    for name in table.names:
        for seed in table.seeds:
            table.finish(name, seed, epochs=(0.5, 0.8, 0.7), selected=2)
    (table.folder("translandseg", 0).path / "events.jsonl").write_text("{}\n")
    (table.folder("translandseg-1", 0).path / "events.jsonl").unlink()
    path = table.folder("translandseg-1", 1).path / "events.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    half, none = (selection_in(table, name) for name in table.names)
    assert (half.n, half.gain) == (1, pytest.approx(10))
    assert (none.n, none.selected, none.gain, none.gain_sd) == (0, None, None, None)
    printed = table_named(table.report(), "selection")
    assert [row[1].text for row in printed.rows] == ["1 of 2", "0 of 2"]
    assert [cell.text for cell in printed.rows[1][2:6]] == ["unreadable"] * 4
    assert [note.split(":")[0] for note in printed.notes] == [
        "No epochs of TransLandSeg (seed 0)",
        "No epochs of TransLandSeg-1 (seed 0, 1)",
    ]
    assert "events.jsonl is missing" in printed.notes[1]
    assert "was changed after the run had ended" in str(none.repeats[1].missing_reason)
    # The rest of the report stays.
    assert row_of(table, "translandseg").scores["miou"].n == 2


def test_a_result_that_names_no_epoch_of_its_own_is_unreadable(table: SweepOnDisk) -> None:
    table.names = ("translandseg",)
    table.finish("translandseg", epochs=(0.5, 0.8), selected=2)
    path = table.folder("translandseg").path / "result.json"
    unsealed(path)
    path.write_text(path.read_text().replace('"epoch": 2', '"epoch": 3'))
    (run,) = selection_in(table, "translandseg").repeats
    assert run.missing_reason is not None
    assert "selects epoch 3 of 2" in run.missing_reason


def test_what_is_only_evaluated_has_no_epochs(table: SweepOnDisk) -> None:
    table.names, table.published = ("sam-points", "translandseg"), "table1"
    table.finish("sam-points", miou=0.5, parameters=NOTHING_TRAINED)
    table.finish("translandseg", miou=0.8)
    assert row_of(table, "sam-points").selection is None
    cells = table_named(table.report(), "selection").rows[0][1:]
    assert {cell.kind for cell in cells} == {"not-applicable"}


def test_one_epoch_leaves_no_choice(table: SweepOnDisk) -> None:
    table.names = ("translandseg", "translandseg-1")
    table.finish("translandseg", epochs=(0.5,), selected=1)
    assert "selection" not in [each.name for each in tables_of(table.report())]
    table.finish("translandseg-1", epochs=(0.5, 0.6), selected=1)
    assert "selection" in [each.name for each in tables_of(table.report())]


def test_the_caption_says_where_nothing_was_chosen(table: SweepOnDisk) -> None:
    table.protocol = table.protocol.model_copy(update={"selection": "last"})
    table.finish("translandseg", epochs=(0.5, 0.8), selected=2)
    caption = table_named(table.report(), "selection").caption
    assert "keeps the last epoch, so nothing was chosen" in caption


def test_csv_and_json_have_it(table: SweepOnDisk) -> None:
    table.names = ("translandseg", "translandseg-1")
    table.finish("translandseg", epochs=(0.5, 0.8, 0.9, 0.7), selected=2)
    report = table.report()
    lines = list(csv.DictReader(io.StringIO(render(report, "csv"))))
    assert float(lines[0]["miou_last_epoch"]) == pytest.approx(70)
    assert float(lines[0]["miou_best_epoch"]) == pytest.approx(90)
    assert float(lines[0]["selection_gain"]) == pytest.approx(10)
    assert lines[0]["selection_gain_sd"] == "n/a"
    assert lines[1]["selection_gain"] == "not reported"
    assert lines[2]["selection_gain"] == "not run"
    assert '"best_epoch": 3' in render(report, "json")
