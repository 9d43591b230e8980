"""Every number that the published tables imply is computed here from their YAML."""

import pytest

from ablate.metrics import Confusion, scores
from ablate.report import RowCheck, check_table, common_share, score_tables
from ablate.report.consistency import implied_confusion, share_of
from ablate.report.published import ScoreRow, load_scores

NAMES = ("table1", "table2", "table4")
CHECKS = {(name, check.name): check for name in NAMES for check in check_table(load_scores(name))}


def headline() -> RowCheck:
    return CHECKS["table1", "translandseg"]


def altered(**figures: str) -> RowCheck:
    """The headline row with other figures."""
    table = load_scores("table1")
    old = table.rows["translandseg"]
    row = old.model_copy(update={"values": old.values | figures})
    changed = table.model_copy(update={"rows": table.rows | {"translandseg": row}})
    return next(each for each in check_table(changed) if each.name == "translandseg")


def test_there_are_19_rows() -> None:
    assert len(CHECKS) == 19
    assert set(score_tables()) == set(NAMES)


@pytest.mark.parametrize("key", CHECKS, ids=" ".join)
def test_p_and_rec_are_class_means_and_f1_is_their_harmonic_mean(key: tuple[str, str]) -> None:
    check = CHECKS[key]
    assert check.f1_recomputed == pytest.approx(float(check.f1_printed), abs=0.005)
    assert check.f1_agrees
    assert check.conventions == ("class-means",)
    assert check.agrees


@pytest.mark.parametrize("key", CHECKS, ids=" ".join)
def test_the_implied_matrix_gives_all_printed_figures_back(key: tuple[str, str]) -> None:
    row: ScoreRow = load_scores(key[0]).rows[key[1]]
    matrix = implied_confusion(
        float(row.values["overall_accuracy"]) / 100,
        float(row.values["positive_iou"]) / 100,
        float(row.values["recall"]) / 100,
        "class-means",
    )
    assert matrix is not None
    metrics = {name: 100 * value for name, value in scores(matrix).items()}
    for solved_from in ("overall_accuracy", "positive_iou", "recall"):
        assert metrics[solved_from] == pytest.approx(float(row.values[solved_from]), abs=1e-6)
    for left_over in ("precision", "miou", "f1"):
        # Half a unit is the printed figure's own rounding, the rest that of the other three.
        assert metrics[left_over] == pytest.approx(float(row.values[left_over]), abs=0.01)


@pytest.mark.parametrize("key", CHECKS, ids=" ".join)
def test_every_row_implies_the_positive_share_of_its_data(key: tuple[str, str]) -> None:
    check = CHECKS[key]
    share, tolerance = (2.365, 0.007) if check.data == "Landslide4Sense" else (10.05, 0.02)
    assert check.positive_share == pytest.approx(share, abs=tolerance)


@pytest.mark.parametrize(
    ("data", "rows", "low", "high", "stated"),
    [("Bijie", 14, 10.0491, 10.0598, 10.05), ("Landslide4Sense", 5, 2.3624, 2.3673, 2.365)],
)
def test_rounding_leaves_one_share_to_all_rows_of_a_data_set(
    data: str, rows: int, low: float, high: float, stated: float
) -> None:
    checks = [check for check in CHECKS.values() if check.data == data]
    shared = common_share(checks)
    assert len(checks) == rows
    assert shared is not None
    assert (shared.low, shared.high) == pytest.approx((low, high), abs=1e-4)
    assert shared.low < stated < shared.high


def test_the_headline_row_of_the_positive_class_alone() -> None:
    check = headline()
    alone = (check.positive_precision, check.positive_recall, check.positive_f1)
    assert [round(value, 1) for value in alone if value is not None] == [87.5, 88.8, 88.2]


@pytest.mark.parametrize(
    "pixels", [Confusion(800, 110, 100, 8990), Confusion(5, 0, 7, 88), Confusion(30, 9, 2, 59)]
)
def test_a_known_matrix_is_recovered(pixels: Confusion) -> None:
    known = scores(pixels)
    scale = 10**12 / (pixels.tp + pixels.fp + pixels.fn + pixels.tn)
    for convention, recall in (("class-means", "recall"), ("positive-class", "positive_recall")):
        figures = (known["overall_accuracy"], known["positive_iou"], known[recall])
        found = implied_confusion(*figures, convention=convention)
        assert found is not None
        for cell in ("tp", "fp", "fn", "tn"):
            assert getattr(found, cell) == pytest.approx(scale * getattr(pixels, cell), abs=100)
        assert share_of(found) == pytest.approx(share_of(pixels))


def test_a_row_of_the_positive_class_alone_is_recognised() -> None:
    """The headline row as Eqs. 16-18 would have printed it."""
    check = altered(precision="87.53", recall="88.80", f1="88.16")
    assert check.f1_agrees
    assert check.conventions == ("positive-class",)
    assert not check.agrees


@pytest.mark.parametrize(
    ("figures", "f1_agrees"),
    [({"f1": "93.43"}, False), ({"precision": "93.20"}, False), ({"miou": "88.13"}, True)],
)
def test_a_misprint_is_found(figures: dict[str, str], f1_agrees: bool) -> None:
    check = altered(**figures)
    assert check.f1_agrees is f1_agrees
    assert not check.agrees


@pytest.mark.parametrize(
    "figures",
    [
        {"overall_accuracy": "100.00"},
        {"positive_iou": "0.00"},
        {"positive_iou": "100.00"},
        {"overall_accuracy": "5.00"},
        {"recall": "20.00"},
        {"recall": "0.00", "precision": "0.00", "f1": "0.00"},
    ],
)
def test_figures_that_no_matrix_has_are_neither(figures: dict[str, str]) -> None:
    check = altered(**figures)
    assert check.conventions == ()
    assert not check.agrees


def test_rows_that_share_nothing_have_no_common_share() -> None:
    both = [headline(), CHECKS["table2", "translandseg"]]
    assert common_share(both) is None
    assert common_share([]) is None
    assert all(common_share([one]) for one in both)


def test_the_share_of_no_pixels_is_0() -> None:
    assert share_of(Confusion.none()) == 0


def test_a_row_that_leaves_a_figure_out_is_not_checked() -> None:
    table = load_scores("table1")
    row = table.rows["translandseg"]
    short = row.model_copy(update={"values": {"miou": row.values["miou"]}})
    changed = table.model_copy(update={"rows": table.rows | {"translandseg": short}})
    assert [each.name for each in check_table(changed)] == [*list(table.rows)[:-1]]
    assert check_table(table.model_copy(update={"rows": {"translandseg": short}})) == []


def test_a_table_of_the_positive_class_agrees_with_its_own_convention() -> None:
    """The headline row as a paper prints it that follows Eqs. 16-18."""
    table = load_scores("table1")
    old = table.rows["translandseg"].values
    names = {"precision": "87.53", "recall": "88.80", "f1": "88.16"}
    values = {f"positive_{name}": value for name, value in names.items()}
    values |= {name: value for name, value in old.items() if name not in names}
    row = ScoreRow.model_validate({"label": "TransLandSeg", "values": values})
    own = table.model_copy(update={"convention": "positive-class", "rows": {"translandseg": row}})
    (check,) = check_table(own)
    assert check.conventions == ("positive-class",)
    assert check.agrees
    assert check.positive_share == pytest.approx(10.05, abs=0.05)
