"""The test part in the report: only where runs have one, and apart from the validation part."""

import csv
import io
import json

import pytest

from ablate.report import WRITERS, render, tables_of
from ablate.report.table import Table
from ablate.report.verification import check_runs
from report.sweep_on_disk import NOTHING_TRAINED, SweepOnDisk


@pytest.fixture
def tested(table: SweepOnDisk) -> SweepOnDisk:
    """Three rows on two splits; on the test images the order is another than on the others."""
    table.names, table.baseline = ("translandseg", "translandseg-1", "sam-points"), "translandseg"
    table.published, table.splits, table.seeds = None, (0, 1), (0, 1)
    for split in table.splits:
        for seed in table.seeds:
            miou, test = 0.80 + 0.01 * seed, 0.70 + 0.02 * split + 0.01 * seed
            table.finish("translandseg", seed, miou=miou, split=split, test_miou=test)
            if (split, seed) != (1, 1):
                table.finish(
                    "translandseg-1", seed, miou=miou - 0.02, split=split, test_miou=test + 0.03
                )
        table.finish("sam-points", miou=0.5, parameters=NOTHING_TRAINED, split=split, test_miou=0.4)
    return table


def table_of_test_part(table: SweepOnDisk) -> Table:
    return next(each for each in tables_of(table.report()) if each.name == "test-part")


def cells_by_label(table: Table) -> dict[str, list[str]]:
    return {cells[0].text: [cell.text for cell in cells] for cells in table.rows}


def test_scores_and_differences_are_those_of_the_test_images(tested: SweepOnDisk) -> None:
    report = tested.report()
    assert report.held_out is not None
    assert report.held_out.images == 3
    rows = {row.name: row for row in report.held_out.rows}
    own = rows["translandseg"].scores["miou"]
    assert (own.n, own.mean) == (4, pytest.approx(71.5, abs=1e-6))
    assert own.sd == pytest.approx(1.29, abs=0.01)
    other = rows["translandseg-1"]
    assert [(each.split, each.seed) for each in other.repeats] == [(0, 0), (0, 1), (1, 0)]
    assert other.delta is not None
    # Paired by repeat: without that one which only the baseline has.
    assert (other.delta.n, other.delta.mean) == (3, pytest.approx(3, abs=1e-6))
    assert rows["translandseg"].delta is None
    # On the validation images it is behind.
    validated = next(row for row in report.rows if row.name == "translandseg-1")
    assert validated.delta is not None
    assert validated.delta.mean == pytest.approx(-2)
    evaluated = rows["sam-points"].delta
    assert evaluated is not None
    assert (evaluated.n, evaluated.mean) == (4, pytest.approx(-31.5, abs=1e-6))


def test_the_table_says_of_how_many_images_it_is(tested: SweepOnDisk) -> None:
    table = table_of_test_part(tested)
    assert "on 3 test images that neither training nor the selection of an epoch" in table.caption
    assert "Δ MIoU: minus that of TransLandSeg, in points, paired by repeat." in table.caption
    assert "not comparable" in table.caption
    rows = cells_by_label(table)
    place = [column.key for column in table.columns].index("miou")
    assert rows["TransLandSeg"][1] == "4"
    assert rows["TransLandSeg"][place] == "71.50 ± 1.29"
    assert rows["TransLandSeg"][-2:] == ["baseline", "baseline"]
    assert rows["TransLandSeg-1"][1] == "3 of 4"
    assert rows["TransLandSeg-1"][-2] == "+3.00"


@pytest.mark.parametrize("format", ["markdown", "latex"])
def test_pages_have_the_table(tested: SweepOnDisk, format: str) -> None:
    text = render(tested.report(), format)
    assert "Test part" in text
    assert "71.50" in text


def test_programs_read_it_too(tested: SweepOnDisk) -> None:
    report = tested.report()
    first, second, _ = csv.DictReader(io.StringIO(render(report, "csv")))
    assert (first["test_images"], first["test_n"], first["test_delta_miou"]) == (
        "3",
        "4",
        "baseline",
    )
    assert float(first["test_miou"]) == pytest.approx(71.5, abs=1e-5)
    assert float(second["test_delta_miou"]) == pytest.approx(3, abs=1e-5)
    assert float(second["miou"]) == pytest.approx((78 + 79 + 78) / 3, abs=1e-5)
    document = json.loads(render(report, "json"))
    assert document["held_out"]["images"] == 3


@pytest.mark.parametrize("format", [each for each in WRITERS if each != "html"])
def test_without_a_test_part_nothing_is_said_of_one(table: SweepOnDisk, format: str) -> None:
    table.finish("translandseg", miou=0.8)
    report = table.report()
    assert report.held_out is None
    text = render(report, format)
    assert "Test part" not in text
    assert "test_" not in text


def test_a_row_without_a_result_says_why(tested: SweepOnDisk) -> None:
    tested.names = (*tested.names, "translandseg-2")
    tested.fail("translandseg-2")
    rows = {
        cells[0].text: [cell.text for cell in cells] for cells in table_of_test_part(tested).rows
    }
    assert rows["TransLandSeg-2"][1] == "0 of 4"
    assert rows["TransLandSeg-2"][2] == "failed"
    assert rows["TransLandSeg-2"][-2] == "failed"
    *_, last = csv.DictReader(io.StringIO(render(tested.report(), "csv")))
    assert (last["test_miou"], last["test_delta_miou"]) == ("failed", "failed")


def test_test_scores_that_contradict_their_pixels_are_not_shown(tested: SweepOnDisk) -> None:
    folder = tested.folder("translandseg", 1, 1)
    path = folder.path / "result.json"
    document = json.loads(path.read_text())
    document["test"]["metrics"]["miou"] = 0.99
    path.write_text(json.dumps(document))
    row = next(row for row in tested.report().rows if row.name == "translandseg")
    broken = next(each for each in row.repeats if each.repeat == (1, 1))
    assert broken.state == "unreadable"
    assert "contradict their pixels: miou is 0.99" in str(broken.cause)


def test_missing_pixels_of_the_test_part_are_named(tested: SweepOnDisk) -> None:
    tested.folder("translandseg", 1, 1).test_confusion_path.unlink()
    row = next(row for row in tested.report().rows if row.name == "translandseg")
    assert "confusion-test.parquet is missing" in str(row.repeats[-1].cause)


def test_verification_recomputes_the_test_scores_of_all_splits(tested: SweepOnDisk) -> None:
    record = tested.start()
    checks = check_runs(record, tested.store)
    assert not [each for each in checks.disagreements if each.what.startswith(("test", "key"))]
    folder = tested.folder("translandseg", 1, 1)
    path = folder.path / "result.json"
    document = json.loads(path.read_text())
    document["test"]["metrics"]["miou"] = 0.99
    document["test"]["confusion"]["fp"] += 1
    path.write_text(json.dumps(document))
    checks = check_runs(record, tested.store)
    found = [each for each in checks.disagreements if each.what.startswith("test")]
    assert [(each.what, each.split, each.seed) for each in found] == [
        ("test.confusion.fp", 1, 1),
        ("test.metrics.miou", 1, 1),
    ]
    folder.test_confusion_path.unlink()
    checks = check_runs(record, tested.store)
    unread = [each.file for each in checks.disagreements if each.what == "file"]
    assert unread == [f"runs/{folder.key}/confusion-test.parquet"]
