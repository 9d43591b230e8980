import csv
import io

import pytest

from ablate.report import Report, render
from report.sweep_on_disk import SweepOnDisk


def lines_of(report: Report) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render(report, "csv"))))


def test_csv_has_a_line_for_each_row_and_side_and_no_empty_cell(report: Report) -> None:
    lines = lines_of(report)
    assert [(line["variant"], line["values"]) for line in lines] == [
        (row.name, side) for row in report.rows for side in ("reproduced", "published")
    ]
    assert all(value for line in lines for value in line.values())
    assert {line["watermark"] for line in lines} == {report.watermark}


def test_csv_has_reasons_and_keeps_numbers(report: Report) -> None:
    lines = {(line["variant"], line["values"]): line for line in lines_of(report)}
    ours, printed = lines["translandseg-1", "reproduced"], lines["translandseg-1", "published"]
    assert (ours["miou"], ours["miou_sd"], ours["n"]) == ("84.560000", "n/a", "1")
    assert (printed["miou"], printed["miou_sd"]) == ("85.01", "not reported")
    assert (ours["delta_miou"], printed["delta_miou"]) == ("-3.560000", "-3.090000")
    assert printed["positive_f1"] == "not reported"
    failed = lines["translandseg-2", "reproduced"]
    assert (failed["miou"], failed["n"], failed["delta_miou"]) == ("failed", "0", "failed")
    assert lines["translandseg-9", "reproduced"]["f1"] == "not run"
    assert lines["translandseg-9", "published"]["f1"] == "not reported"
    assert lines["translandseg", "reproduced"]["delta_miou"] == "baseline"


def test_csv_of_a_missing_baseline_names_it_in_every_delta(table: SweepOnDisk) -> None:
    table.finish("translandseg-1", miou=0.8)
    lines = lines_of(table.report())
    assert lines[0]["delta_miou"] == "TransLandSeg not run"
    assert lines[0]["miou"] == "80.000000"


def test_csv_columns_do_not_depend_on_what_is_there(table: SweepOnDisk, report: Report) -> None:
    table.published, table.baseline, table.seeds = None, None, (0, 1)
    assert lines_of(table.report())[0].keys() == lines_of(report)[0].keys()
    assert {line["values"] for line in lines_of(table.report())} == {"reproduced"}


def test_every_system_has_its_line(five: Report) -> None:
    lines = lines_of(five)
    assert {line["variant"]: line["system"] for line in lines} == {
        row.name: row.system for row in five.rows
    }
    assert all(value for line in lines for value in line.values())


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_a_spreadsheet_computes_no_label(table: SweepOnDisk, start: str) -> None:
    label = f"{start}1+1"
    table.names = ("translandseg-1", "translandseg")
    table.variants = {
        "translandseg-1": table.variant("translandseg-1").model_copy(update={"label": label})
    }
    table.finish("translandseg-1", miou=0.7)
    table.finish("translandseg", miou=0.8)
    first = lines_of(table.report())[0]
    assert first["label"] == f"'{label}"
    # A number stays one.
    assert float(first["delta_miou"]) == pytest.approx(-10)


def test_a_changed_row_is_named(table: SweepOnDisk) -> None:
    table.names = ("translandseg-1", "translandseg")
    table.finish("translandseg")
    table.today = {"translandseg": table.variant("translandseg-7")}
    notes = [(line["variant"], line["note"]) for line in lines_of(table.report())]
    assert notes == [
        *[("translandseg-1", "n/a")] * 2,
        *[("translandseg", "changed since it was run")] * 2,
    ]
