import csv
from pathlib import Path

import pytest

from ablate.errors import SpecError
from ablate.registry import Catalogue
from ablate.report import load_published
from ablate.report.model import PAPER_COLUMNS
from ablate.report.published import load_parameters, load_scores

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
    ours = [
        {"model": row.label} | {metric: getattr(row, metric) for metric in PAPER_COLUMNS}
        for row in load_scores(name).rows.values()
    ]
    keys = ours[0].keys()
    assert ours == [{key: row[key] for key in keys} for row in rows_of_paper(file)]


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


@pytest.mark.parametrize("name", ["table1", "table2", "table4"])
def test_the_claims_of_the_shipped_sweeps_are_those_of_the_printed_numbers(name: str) -> None:
    rows = load_scores(name).rows
    for comparison in Catalogue().sweep(name).comparisons:
        for worse in comparison.worse:
            if worse in rows:
                assert float(rows[comparison.better].miou) > float(rows[worse].miou), comparison


def test_labels_of_sam_itself_say_what_its_prompts_know() -> None:
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
        "readings: {unet: why}}}\n"
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
        (("{unet: why}", "{}"), "readings"),
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
        "readings: {unet: why}}}\n"
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
