"""Boundary IoU and recall of small objects: differences to the baseline, with intervals."""

import csv
import io
import statistics
from collections.abc import Sequence
from math import sqrt

import numpy as np
import pytest
from scipy.stats import t

from ablate.metrics import Confusion, scores
from ablate.registry import Catalogue
from ablate.report import WRITERS, render, tables_of
from ablate.report.comparison_model import Difference, MaskDifferences
from ablate.report.elsewhere_model import Elsewhere, OtherData
from ablate.report.elsewhere_tables import elsewhere_tables, flat_elsewhere
from ablate.report.model import Report
from ablate.runs import PartScores, Result, RunFolder
from ablate.runs.cells import CELLS, MASK_COUNTS
from ablate.study.model_card import model_card
from report.sweep_on_disk import MACHINE, VIT_L, SweepOnDisk, leave_weights

BASELINE, ROW = "translandseg", "translandseg-1"
COLUMNS = (*CELLS, *MASK_COUNTS[-1])
Masks = Sequence[tuple[int, int, int, int]]
# Of each image: boundary pixels of both masks and of either, small objects found and all. Every
# divisor is the same, so that the quotient of the sums is the mean over the images.
OF_BASELINE = [(20, 40, 1, 2), (24, 40, 0, 2), (28, 40, 2, 2), (20, 40, 1, 2), (30, 40, 0, 2)]
OF_ROW = [(26, 40, 1, 2), (25, 40, 1, 2), (30, 40, 2, 2), (28, 40, 2, 2), (29, 40, 0, 2)]
# They tell nothing of boundaries or small objects.
EMPTY = [(0, 0, 0, 0)] * 6


@pytest.fixture
def table(table: SweepOnDisk) -> SweepOnDisk:
    """Two rows whose task names the metrics."""
    named = "task.metrics=[miou, boundary_iou, small_object_recall]"
    table.protocol = Catalogue().protocol("demo", [named])
    table.names, table.baseline, table.published = (BASELINE, ROW), BASELINE, None
    return table


def counts_of(masks: Masks) -> list[tuple[int, ...]]:
    return [(90 + number, 20, 10, 4_000, *each) for number, each in enumerate(masks)]


def pooled(masks: Masks) -> Confusion:
    sums = np.sum(counts_of(masks), axis=0).tolist()
    return Confusion(**dict(zip(COLUMNS, sums, strict=True)))


def finish(table: SweepOnDisk, name: str, masks: Masks, seed: int = 0, test: Masks = ()) -> None:
    """Ends a run with these counts of its masks."""
    folder: RunFolder = table.begin(name, seed)
    names = [f"scene-{number:02d}" for number in range(len(masks))]
    folder.write_confusions(names, counts_of(masks), *COLUMNS)
    part = None
    if test:
        of_test = [f"test-{number:02d}" for number in range(len(test))]
        folder.write_test_confusions(of_test, counts_of(test), *COLUMNS)
        found = pooled(test)
        part = PartScores(images=len(test), metrics=scores(found), confusion=found.cells)
    found = pooled(masks)
    folder.publish_result(
        Result(
            key=folder.key,
            epoch=7,
            epochs=20,
            steps=400,
            metrics=scores(found) | {"val_loss": 0.1},
            confusion=found.cells,
            parameters=VIT_L,
            weights_sha256=leave_weights(folder),
            machine=MACHINE,
            finished=1.7e9,
            train_s=12.5,
            test=part,
        )
    )


def differences(report: Report) -> dict[str, Difference]:
    return {each.metric: each.rows[ROW] for each in report.mask_differences}


def by_metric(found: Sequence[MaskDifferences]) -> dict[str, MaskDifferences]:
    return {each.metric: each for each in found}


def by_hand(part: int, whole: int) -> tuple[float, float]:
    """Mean and half the width of Student's t interval over the images."""
    values = [
        100 * (one[part] - other[part]) / one[whole]
        for one, other in zip(OF_ROW, OF_BASELINE, strict=True)
    ]
    n = len(values)
    half = float(t.ppf(0.975, n - 1)) * statistics.stdev(values) / sqrt(n)
    return statistics.fmean(values), half


@pytest.mark.parametrize("more", [[], EMPTY], ids=["all-tell", "some-tell-nothing"])
@pytest.mark.parametrize(
    ("metric", "part", "whole"), [("boundary_iou", 0, 1), ("small_object_recall", 2, 3)]
)
def test_the_interval_is_that_over_the_images_that_tell(
    table: SweepOnDisk, metric: str, part: int, whole: int, more: Masks
) -> None:
    finish(table, BASELINE, [*OF_BASELINE, *more])
    finish(table, ROW, [*OF_ROW, *more])
    report = table.report()
    found = differences(report)[metric]
    mean, half = by_hand(part, whole)
    assert (found.n, found.method, found.published) == (1, "images", None)
    assert found.mean == pytest.approx(mean)
    assert found.low == pytest.approx(mean - half, abs=0.04 * half)
    assert found.high == pytest.approx(mean + half, abs=0.04 * half)
    drawn = by_metric(report.mask_differences)[metric].drawn_images
    assert drawn is not None
    assert (drawn.images, drawn.draws) == (5, 10_000)


def test_several_seeds_are_paired_by_seed_and_image(table: SweepOnDisk) -> None:
    table.seeds = (0, 1)
    finish(table, BASELINE, OF_BASELINE)
    finish(table, BASELINE, OF_ROW, seed=1)
    finish(table, ROW, OF_ROW)
    finish(table, ROW, [(35, 40, 2, 2)] * 5, seed=1)
    found = differences(table.report())
    # Seeds 0 and 1: 69 - 61 and 87.5 - 69; 60 - 40 and 100 - 60.
    assert found["boundary_iou"].mean == pytest.approx((8 + 18.5) / 2)
    assert found["small_object_recall"].mean == pytest.approx((20 + 40) / 2)
    for each in found.values():
        assert each.method == "repeats and images"
        assert each.mean is not None
        assert each.low is not None
        assert each.high is not None
        assert each.low < each.mean < each.high


def test_one_image_that_tells_gives_no_interval(table: SweepOnDisk) -> None:
    for name, masks in ((BASELINE, OF_BASELINE), (ROW, OF_ROW)):
        (first, second, *_) = masks
        finish(table, name, [(*first[:2], 0, 0), (*second[:2], *second[2:]), *EMPTY])
    report = table.report()
    boundaries, objects = (differences(report)[name] for name in by_metric(report.mask_differences))
    assert None not in (boundaries.low, boundaries.high)
    assert objects.mean == pytest.approx(50)
    assert (objects.low, objects.high, objects.method) == (None, None, None)
    (shown,) = (each for each in tables_of(report) if each.name.endswith("-small-object-recall"))
    assert [cell.text for cell in shown.rows[1]] == ["TransLandSeg-1", "1", "+50.00", "—"]
    assert "draws" not in (shown.caption or "")


def test_a_single_image_gives_no_interval(table: SweepOnDisk) -> None:
    finish(table, BASELINE, OF_BASELINE[:1])
    finish(table, ROW, OF_ROW[:1])
    found = differences(table.report())
    assert found["boundary_iou"].mean == pytest.approx(15)
    assert {each.low for each in found.values()} == {None}


def test_images_without_small_objects_tell_no_difference(table: SweepOnDisk) -> None:
    for name, masks in ((BASELINE, OF_BASELINE), (ROW, OF_ROW)):
        finish(table, name, [(*each[:2], 0, 0) for each in masks])
    found = differences(table.report())["small_object_recall"]
    assert (found.n, found.mean, found.missing_reason) == (0, None, "nothing to count")


def test_rows_that_find_the_same_objects_have_no_interval(table: SweepOnDisk) -> None:
    table.seeds = (0, 1)
    for seed in table.seeds:
        finish(table, BASELINE, OF_BASELINE, seed)
        pairs = zip(OF_ROW, OF_BASELINE, strict=True)
        finish(table, ROW, [(*one[:2], *two[2:]) for one, two in pairs], seed)
    found = differences(table.report())
    objects = found["small_object_recall"]
    assert (objects.n, objects.mean, objects.low, objects.high) == (2, 0, None, None)
    assert found["boundary_iou"].low is not None


def test_every_format_and_part_has_them(table: SweepOnDisk) -> None:
    table.data = table.data.model_copy(update={"test": 5})
    finish(table, BASELINE, OF_BASELINE, test=[*OF_ROW, *EMPTY])
    finish(table, ROW, OF_ROW, test=[*OF_BASELINE, *EMPTY])
    report = table.report()
    assert Report.model_validate_json(report.model_dump_json()) == report
    (shown,) = (each for each in tables_of(report) if each.name == "differences-boundary-iou")
    assert shown.title == "Difference to TransLandSeg: Boundary IoU"
    assert shown.rows[0][1].text == "baseline"
    assert shown.rows[1][2].text == "+8.00"
    assert shown.rows[1][3].text.endswith(" (images only)")
    assert "(10,000 draws of 5 with boundaries)" in (shown.caption or "")
    for name in WRITERS:
        assert render(report, name), name
    first, second = csv.DictReader(io.StringIO(render(report, "csv")))
    assert first["delta_boundary_iou"] == "baseline"
    assert float(second["delta_boundary_iou"]) == pytest.approx(8)
    assert float(second["test_delta_boundary_iou"]) == pytest.approx(-8)
    low, high = (float(second[f"delta_small_object_recall_{end}"]) for end in ("low", "high"))
    assert low < 20 < high
    assert report.held_out is not None
    (of_test,) = (each for each in tables_of(report) if each.name == "test-part")
    last = [cell.text for cell in of_test.rows[1][-4:]]
    assert (last[0], last[2]) == ("-8.00", "-20.00")
    assert "Δ REC small: likewise (10,000 draws of 5 with small objects)." in (
        of_test.caption or ""
    )


def test_a_model_card_has_them(table: SweepOnDisk) -> None:
    finish(table, BASELINE, OF_BASELINE)
    finish(table, ROW, OF_ROW)
    folder = table.folder(ROW)
    result = folder.result()
    assert result is not None
    card = model_card(folder.spec(), result, table.report(), "model", None, None, None)
    assert "MIoU minus that of TransLandSeg: +0.00 percentage points" in card
    said = "Boundary IoU minus that of TransLandSeg: +8.00 percentage points (n = 1, 95 % interval "
    assert said in card


def test_other_data_has_them(table: SweepOnDisk) -> None:
    table.data = table.data.model_copy(update={"test": 5})
    finish(table, BASELINE, OF_BASELINE, test=OF_BASELINE)
    finish(table, ROW, OF_ROW, test=OF_ROW)
    report = table.report()
    assert report.held_out is not None
    data = OtherData(label="north", digest="0" * 64, scores=report.held_out)
    found = Elsewhere(
        title="",
        watermark=None,
        baseline=BASELINE,
        metrics=report.metrics,
        own_label="own",
        own=report.held_out,
        data=(data,),
    )
    _, of_data = elsewhere_tables(found)
    headings = [column.heading for column in of_data.columns]
    assert headings[-4:] == ["Δ Boundary IoU", "95 % interval", "Δ REC small", "95 % interval"]
    assert [cell.text for cell in of_data.rows[0][-4:]] == ["baseline"] * 4
    assert of_data.rows[1][-4].text == "+8.00"
    flat = flat_elsewhere(found)
    places = {column.key: number for number, column in enumerate(flat.columns)}
    row = flat.rows[-1]
    assert len(row) == len(flat.columns)
    assert row[places["delta_boundary_iou"]].text == "8.000000"
    low, high = (float(row[places[f"delta_boundary_iou_{end}"]].text) for end in ("low", "high"))
    assert low < 8 < high


def test_a_task_that_names_none_has_none(table: SweepOnDisk) -> None:
    table.protocol = Catalogue().protocol("demo")
    table.finish(BASELINE)
    table.finish(ROW)
    report = table.report()
    assert report.mask_differences == ()
    assert "delta_boundary_iou" not in render(report, "csv")
