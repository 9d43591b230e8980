"""A number of the table is followed back to its runs, pixels and files."""

from pathlib import Path

import pytest

from ablate.errors import BadInput
from ablate.metrics.formulas import FORMULAS
from ablate.report.explanation import Explanation, explain, explanation_text
from ablate.spec import METRIC_NAMES
from report.pixels_on_disk import finish_with_pixels
from report.sweep_on_disk import NOTHING_TRAINED, SweepOnDisk

ROW = "translandseg"


@pytest.fixture
def whole(table: SweepOnDisk) -> SweepOnDisk:
    table.seeds = (0, 1, 2)
    for seed in (0, 1):
        finish_with_pixels(table, ROW, seed)
    table.fail(ROW, 2, why="no memory")
    return table


def explained(table: SweepOnDisk, row: str = ROW, metric: str = "miou") -> Explanation:
    return explain(table.report(), table.start(), table.store, row, metric)


@pytest.mark.parametrize("metric", METRIC_NAMES)
def test_every_number_follows_from_its_pixels(whole: SweepOnDisk, metric: str) -> None:
    found = explained(whole, metric=metric)
    values = []
    for each in found.repeats:
        if each.pixels is not None:
            pixels = {name.upper(): count for name, count in each.pixels.model_dump().items()}
            values.append(100 * eval(found.formula, pixels))
            assert each.value == pytest.approx(values[-1], rel=1e-12)
    assert len(values) == found.n == 2
    assert found.mean == pytest.approx(sum(values) / 2)
    row = next(row for row in whole.report().rows if row.name == ROW)
    assert found.mean == row.scores[found.metric].mean
    assert found.difference == row.scores[found.metric].difference


def test_every_repeat_names_its_run_and_files(whole: SweepOnDisk) -> None:
    first, _, failed = explained(whole).repeats
    folder = whole.folder(ROW)
    assert (first.key, first.images, first.epoch, first.epochs) == (folder.key, 69, 2, 3)
    assert [Path(file).name for file in first.files] == [
        "spec.json",
        "result.json",
        "confusion.parquet",
        "events.jsonl",
    ]
    assert all(Path(file).is_file() for file in first.files)
    assert (failed.state, failed.cause, failed.value) == ("failed", "no memory", None)


@pytest.mark.parametrize("row", [ROW, "TransLandSeg"])
@pytest.mark.parametrize("metric", ["miou", "MIoU", "MIOU"])
def test_rows_and_metrics_are_found_as_the_table_prints_them(
    whole: SweepOnDisk, row: str, metric: str
) -> None:
    found = explained(whole, row, metric)
    assert (found.row, found.metric, found.formula) == (ROW, "miou", FORMULAS["miou"])


def test_headings_are_those_of_the_table(whole: SweepOnDisk) -> None:
    """In this table P is the mean over both classes."""
    assert explained(whole, metric="P").metric == "precision"


def test_what_there_is_not_is_named(whole: SweepOnDisk) -> None:
    with pytest.raises(BadInput, match="no row 'translandse'; did you mean 'translandseg'"):
        explained(whole, "translandse")
    with pytest.raises(BadInput, match="no metric is called 'miuo'; did you mean 'miou'"):
        explained(whole, metric="miuo")


def test_a_label_of_two_rows_needs_a_name(whole: SweepOnDisk) -> None:
    twin = whole.variant(ROW).model_copy(update={"label": "TransLandSeg-1"})
    whole.variants[ROW] = twin
    with pytest.raises(BadInput, match="2 rows are called 'TransLandSeg-1'; name one of"):
        explained(whole, "TransLandSeg-1")


def test_the_text_says_all_of_it(whole: SweepOnDisk) -> None:
    found = explained(whole)
    text = explanation_text(found)
    pixels = found.repeats[0].pixels
    assert pixels is not None
    for part in (
        "TransLandSeg (translandseg): MIoU (miou) = ",
        "not comparable with the published values",
        f"100 * ({FORMULAS['miou']})",
        f"TP {pixels.tp:,}, FP {pixels.fp:,}, FN {pixels.fn:,}, TN {pixels.tn:,} of 69 images",
        f"seed 2, run {whole.folder(ROW, 2).key}: failed: no memory",
        f"mean of 2 repeats: {found.mean!r}",
        "published: 88.1 (Table IV, ",
        "reproduced minus published: ",
        f"ablate verify --grid table4 --store {whole.root}",
    ):
        assert part in text


def test_a_row_without_a_result_says_why(whole: SweepOnDisk) -> None:
    found = explained(whole, "translandseg-1")
    assert (found.mean, found.missing_reason) == (None, "not run")
    assert "MIoU (miou) = not run" in explanation_text(found)


def test_what_is_only_evaluated_has_no_epoch(whole: SweepOnDisk) -> None:
    whole.names, whole.published = ("sam-points", ROW), "table1"
    whole.finish("sam-points", parameters=NOTHING_TRAINED)
    (only,) = explained(whole, "sam-points").repeats
    assert (only.epoch, only.epochs) == (None, None)
    assert "not trained" in explanation_text(explained(whole, "sam-points"))


def test_a_verdict_is_told_where_values_are_comparable(whole: SweepOnDisk) -> None:
    whole.make_comparable()
    finish_with_pixels(whole, ROW)
    found = explained(whole)
    assert found.watermark is None
    assert "reproduced: the tolerance is ±0.50" in explanation_text(found)


def test_without_a_published_table_there_is_nothing_beside(whole: SweepOnDisk) -> None:
    whole.published = None
    assert "published: this sweep reproduces no table" in explanation_text(explained(whole))
