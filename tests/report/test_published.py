import csv
from pathlib import Path

import pytest

from ablate.errors import SpecError
from ablate.registry import Catalogue
from ablate.report import load_published, score_tables
from ablate.report.published import load_parameters, load_scores, published_names

PAPER = Path(__file__).parents[2].parent / "shared" / "paper"


def rows_of_paper(file: str) -> list[dict[str, str]]:
    if not PAPER.exists():
        pytest.skip("the paper's tables are not here")
    with (PAPER / file).open(encoding="utf-8") as text:
        return list(csv.DictReader(text))


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("table1", "table1_bijie.csv"),
        ("table2", "table2_landslide4sense.csv"),
        ("table4", "table4_ablation.csv"),
    ],
)
def test_scores_are_those_of_the_paper_digit_by_digit(name: str, file: str) -> None:
    ours = [{"model": row.label} | dict(row.values) for row in load_scores(name).rows.values()]
    theirs = [{"positive_iou": row["landslide_iou"]} | row for row in rows_of_paper(file)]
    assert ours == [{key: row[key] for key in ours[0]} for row in theirs]


def test_parameters_are_those_of_the_paper_digit_by_digit() -> None:
    ours = [
        {"model": row.label, "total_millions": row.total, "trainable_millions": row.trainable}
        for row in load_parameters("table3").rows.values()
    ]
    assert ours == rows_of_paper("table3_parameters.csv")


@pytest.mark.parametrize("name", ["table1", "table2"])
def test_the_five_systems_stand_first_and_in_the_papers_order(name: str) -> None:
    published, sweep = load_scores(name), Catalogue().sweep(name)
    assert sweep.published == name
    assert sweep.variants[:5] == tuple(published.rows) == tuple(load_parameters("table3").rows)
    assert sweep.variants[5:] == ("sam-points", "sam-everything")
    assert published.parameters == "table3"


def miou_of(name: str, row: str) -> float:
    return float(load_scores(name).rows[row].values["miou"])


@pytest.mark.parametrize("name", ["table1", "table2", "table4"])
def test_the_claims_of_the_shipped_sweeps_are_those_of_the_printed_numbers(name: str) -> None:
    rows = load_scores(name).rows
    for comparison in Catalogue().sweep(name).comparisons:
        for worse in comparison.worse:
            if worse in rows:
                assert miou_of(name, comparison.better) > miou_of(name, worse), comparison


def test_labels_of_unadapted_sam_say_what_its_prompts_know() -> None:
    catalogue = Catalogue()
    assert "from ground truth" in str(catalogue.variant("sam-points").label)
    assert "oracle" in str(catalogue.variant("sam-everything").label)


def test_the_tenth_structure_is_not_in_the_paper() -> None:
    rows = load_scores("table4").rows
    assert "translandseg-9" not in rows
    assert len(rows) == 9


def test_the_working_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "reports" / "published"
    folder.mkdir(parents=True)
    own = (
        "kind: parameters\nsource: {paper: Mine, table: '1', caption: Sizes}\n"
        "unit: million\nrounding: none\nrows: {b: {label: B, total: '2.0', trainable: '1', "
        "interpretations: {unet: why}}}\n"
    )
    (folder / "table3.yaml").write_text(own)
    monkeypatch.chdir(tmp_path)
    assert load_published("table3").source.paper == "Mine"
    assert load_published("table4").source.table == "IV"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("total: '2.0'", "total: 2.0"), "quote it"),
        (("total: '2.0'", "total: '2,0'"), "'2,0'"),
        (("unit: million", "unit: billion"), "billion"),
        (("kind: parameters", "kind: params"), "params"),
        (("rounding: none", "round: none"), "round"),
        (("{unet: why}", "{}"), "interpretations"),
    ],
)
def test_a_broken_table_is_refused_with_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], message: str
) -> None:
    folder = tmp_path / "reports" / "published"
    folder.mkdir(parents=True)
    own = (
        "kind: parameters\nsource: {paper: Mine, table: '1', caption: Sizes}\n"
        "unit: million\nrounding: none\nrows: {b: {label: B, total: '2.0', trainable: '1', "
        "interpretations: {unet: why}}}\n"
    )
    (folder / "own.yaml").write_text(own.replace(*change))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match=r"own\.yaml") as caught:
        load_published("own")
    assert message in str(caught.value)


def test_an_unknown_table_names_the_nearest() -> None:
    with pytest.raises(SpecError, match="did you mean 'table4'"):
        load_published("tabel4")


def test_a_table_of_the_other_kind_is_refused() -> None:
    with pytest.raises(SpecError, match="table3"):
        load_scores("table3")
    with pytest.raises(SpecError, match="table4"):
        load_parameters("table4")


def test_an_unknown_table_lists_those_that_there_are() -> None:
    with pytest.raises(SpecError, match="there are: table1, table2, table3, table4"):
        load_published("something-else")


SCORES = """\
kind: scores
source: {paper: Mine, table: '1', caption: Scores}
data: Mine
unit: percent
convention: CONVENTION
rounding: one decimal
metrics: {METRIC: Precision}
rows:
  a: {label: A, values: {METRIC: '51.0'}}
"""


def own_table(folder: Path, text: str, name: str = "own.yaml") -> None:
    (folder / "reports" / "published").mkdir(parents=True, exist_ok=True)
    (folder / "reports" / "published" / name).write_text(text)


@pytest.mark.parametrize(
    ("convention", "metric", "other"),
    [
        ("class-means", "precision", "positive_precision"),
        ("positive-class", "positive_precision", "precision"),
    ],
)
def test_the_metrics_of_a_table_are_those_of_its_convention(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, convention: str, metric: str, other: str
) -> None:
    monkeypatch.chdir(tmp_path)
    text = SCORES.replace("CONVENTION", convention)
    own_table(tmp_path, text.replace("METRIC", metric))
    assert load_scores("own").metrics == {metric: "Precision"}
    assert load_scores("own").rows["a"].values == {metric: "51.0"}
    own_table(tmp_path, text.replace("METRIC", other))
    with pytest.raises(SpecError, match=f"{convention} does not go with metrics {other}"):
        load_scores("own")


def test_a_value_without_a_column_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = SCORES.replace("CONVENTION", "class-means").replace("{METRIC: '51.0'}", "{f1: '51.0'}")
    own_table(tmp_path, text.replace("METRIC", "precision"))
    with pytest.raises(SpecError, match="row a has values of f1, which metrics does not name"):
        load_scores("own")


def test_hidden_files_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    own_table(tmp_path, "not a table", "._table1.yaml")
    own_table(tmp_path, "not a table", ".yaml")
    assert published_names() == ["table1", "table2", "table3", "table4"]
    assert list(score_tables()) == ["table1", "table2", "table4"]


@pytest.mark.parametrize("name", ["table1", "table2", "table4"])
def test_the_validation_images_are_those_of_the_published_split(name: str) -> None:
    catalogue = Catalogue()
    split = catalogue.protocol(catalogue.sweep(name).protocol).published_split
    assert split is not None
    assert load_scores(name).validation_images == split.validation
