"""The tables as values: what writers print and do not decide."""

import pytest
from pydantic import ValidationError

from ablate.report import Column, Report, Table, build_report, render, tables_of
from ablate.report.table import number_cell, text_cell
from ablate.spec import SamVariant
from report.sweep_on_disk import SweepOnDisk


def table_named(report: Report, name: str) -> Table:
    return next(each for each in tables_of(report) if each.name == name)


def headings(table: Table) -> list[str]:
    return [column.heading for column in table.columns]


def test_the_tables_are_in_the_order_of_the_page(report: Report) -> None:
    assert [each.name for each in tables_of(report)] == [
        *["scores", "differences", "claims", "claim-pairs", "detectable"],
        *["selection", "positive-class", "parameters", "costs", "runs"],
    ]


def test_a_number_carries_its_unrounded_value(report: Report) -> None:
    scores = table_named(report, "scores")
    miou = [column.key for column in scores.columns].index("miou")
    reproduced, published = scores.rows[0][miou], scores.rows[1][miou]
    assert (reproduced.kind, reproduced.text) == ("number", "84.56")
    assert reproduced.value == report.rows[0].scores["miou"].mean
    assert (published.kind, published.text, published.value) == ("number", "85.01", 85.01)
    failed = scores.rows[2][miou]
    assert (failed.kind, failed.text, failed.value) == ("missing", "failed", None)


def test_columns_have_names_of_their_own(five: Report) -> None:
    for each in tables_of(five):
        keys = [column.key for column in each.columns]
        assert len(set(keys)) == len(keys), each.name


def test_a_table_is_rectangular() -> None:
    columns = (Column(key="a", heading="A"), Column(key="b", heading="B"))
    with pytest.raises(ValidationError, match="2 cells"):
        Table(name="x", title=None, columns=columns, rows=((text_cell("1"),),))
    cells = (text_cell("1", footnote=1), number_cell(2))
    with pytest.raises(ValidationError, match="footnote"):
        Table(name="x", title=None, columns=columns, rows=(cells,))


# Columns --------------------------------------------------------------------------------


def of_adapter(table: SweepOnDisk, name: str, **fields: object) -> SamVariant:
    variant = table.variant(name)
    assert isinstance(variant, SamVariant)
    return variant.model_copy(update={"adapter": variant.adapter.model_copy(update=fields)})


def test_what_rows_differ_in_is_shown_without_a_published_table(table: SweepOnDisk) -> None:
    table.published, table.names = None, ("translandseg", "width=8")
    table.variants = {"width=8": of_adapter(table, "translandseg", width=8)}
    scores = table_named(table.report(), "scores")
    assert headings(scores)[:3] == ["Model", "width", "P"]
    assert [row[1].value for row in scores.rows] == [2, 8]


def test_random_weights_of_the_encoder_are_shown(table: SweepOnDisk) -> None:
    table.published, table.names = None, ("translandseg", "random-encoder")
    random = table.variant("translandseg").model_copy(update={"encoder_weights": "random"})
    table.variants = {"random-encoder": random}
    scores = table_named(table.report(), "scores")
    assert headings(scores)[:3] == ["Model", "encoder weights", "P"]
    assert [row[1].text for row in scores.rows] == ["pretrained", "random"]


def test_a_difference_that_is_not_declared_is_shown_beside_the_declared_ones(
    table: SweepOnDisk,
) -> None:
    table.variants = {"translandseg-1": of_adapter(table, "translandseg-1", width=8)}
    assert headings(table_named(table.report(), "scores"))[1:6] == [
        *["MidLay Modules", "residual connection", "outside block", "width", "values"],
    ]


def test_what_another_column_implies_is_shown_once_it_does_not(table: SweepOnDisk) -> None:
    assert "up init" not in headings(table_named(table.report(), "scores"))
    table.variants = {"translandseg-1": of_adapter(table, "translandseg-1", up_init="default")}
    assert "up init" in headings(table_named(table.report(), "scores"))


def test_a_declared_mark_is_set_where_the_value_is_the_declared_one(report: Report) -> None:
    scores = table_named(report, "scores")
    column = headings(scores).index("outside block")
    marks = {row[0].text: row[column] for row in scores.rows[::2]}
    assert (marks["TransLandSeg-1"].text, marks["TransLandSeg-1"].value) == ("✓", True)
    assert (marks["TransLandSeg-9"].text, marks["TransLandSeg-9"].value) == ("×", False)


def test_the_tasks_metrics_are_the_columns_of_an_own_sweep(table: SweepOnDisk) -> None:
    task = table.protocol.task.model_copy(
        update={"positive_class": "crack", "metrics": ("miou", "positive_f1")}
    )
    table.protocol = table.protocol.model_copy(update={"task": task})
    table.published, table.names = None, ("translandseg",)
    table.finish("translandseg", confusion=(0, 0, 9_000, 91_000))
    report = table.report()
    scores = table_named(report, "scores")
    assert headings(scores) == ["Model", "MIoU", "F1 (crack)"]
    alone = table_named(report, "positive-class")
    assert (alone.title, headings(alone)) == ("The crack class alone", ["Model", "P", "REC"])
    markdown = render(report, "markdown")
    blank = "- Predicts no crack at all, so that the precision of that class is 0/0, taken as 0: "
    assert f"{blank}TransLandSeg.\n" in markdown
    assert "- Crack pixels: 9.00 % of validation" in markdown
    assert "andslide" not in markdown.replace("TransLandSeg", "")


def test_a_published_table_of_the_positive_class_has_its_own_columns(
    table: SweepOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = table.root / "reports" / "published"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(
        "kind: scores\nsource: {paper: Mine, table: '7', caption: Scores}\ndata: Mine\n"
        "unit: percent\nconvention: positive-class\nrounding: one decimal\n"
        "metrics: {positive_precision: Precision, positive_recall: Recall, positive_f1: F-score}\n"
        "rows:\n  translandseg: {label: A, values: {positive_precision: '51.0'}}\n"
    )
    monkeypatch.chdir(table.root)
    table.published, table.names = "mine", ("translandseg",)
    table.finish("translandseg", confusion=(8_000, 2_000, 1_000, 89_000))
    report = build_report(table.start(), table.store, parameters={})
    scores = table_named(report, "scores")
    assert headings(scores) == ["Model", "values", "Precision", "Recall", "F-score"]
    assert [cell.text for cell in scores.rows[0][2:]] == ["80.00", "88.89", "84.21"]
    assert [cell.text for cell in scores.rows[1][2:]] == ["51.0", *["not reported"] * 2]
    assert "Precision, Recall, F-score: of the landslide class alone." in scores.caption
    assert "positive-class" not in [each.name for each in tables_of(report)]


# Remarks --------------------------------------------------------------------------------


def test_a_model_that_predicts_no_positives_is_named(table: SweepOnDisk) -> None:
    table.finish("translandseg")
    table.finish("translandseg-7", confusion=(0, 0, 9_000, 91_000))
    report = table.report()
    blank = {row.name: [run.predicts_no_positives for run in row.repeats] for row in report.rows}
    assert blank["translandseg"] == [False]
    assert blank["translandseg-7"] == [True]
    assert blank["translandseg-1"] == [None]
    text = render(report, "markdown")
    assert "- Predicts no landslide at all, so that the precision of that class" in text
    assert "taken as 0: TransLandSeg-7.\n" in text


def test_validation_images_without_positives_are_named(table: SweepOnDisk) -> None:
    table.finish("translandseg")
    table.finish("translandseg-7", confusion=(0, 2_000, 0, 98_000))
    text = render(table.report(), "markdown")
    remark = "- No pixel of its validation images is landslide, so that recall, F1 and IoU of that"
    assert f"{remark} class say nothing: they are 0, or 0/0 taken as 0: TransLandSeg-7.\n" in text
