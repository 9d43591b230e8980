import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ablate.report import render
from ablate.report.statistics import tau_b
from ablate.report.verdicts import ONE_SEED_TOLERANCE, verdict_of
from report.sweep_on_disk import SweepOnDisk

ORDERS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=12)


@pytest.fixture
def comparable(table: SweepOnDisk) -> SweepOnDisk:
    """The same table, comparable with the published values."""
    table.make_comparable()
    return table


# Rank agreement -------------------------------------------------------------------------


def tau_by_hand(pairs: list[tuple[int, int]]) -> float | None:
    """Kendall's formula, pair by pair."""
    balance = first_ordered = second_ordered = 0
    for (a, b), (c, d) in itertools.combinations(pairs, 2):
        one, other = (a > c) - (a < c), (b > d) - (b < d)
        balance += one * other
        first_ordered += abs(one)
        second_ordered += abs(other)
    if not first_ordered or not second_ordered:
        return None
    return balance / math.sqrt(first_ordered * second_ordered)


@given(ORDERS)
def test_tau_is_kendalls(pairs: list[tuple[int, int]]) -> None:
    tau = tau_b([a for a, _ in pairs], [b for _, b in pairs])
    assert tau == (None if tau_by_hand(pairs) is None else pytest.approx(tau_by_hand(pairs)))


def test_tau_of_less_than_two_is_none() -> None:
    assert tau_b([], []) is None
    assert tau_b([1.0], [2.0]) is None


def test_rank_is_over_the_rows_that_have_both(table: SweepOnDisk) -> None:
    # Published: 85.01, 83.01, 88.1; the tenth structure has no published value.
    for name, miou in (
        ("translandseg-1", 0.70),
        ("translandseg-2", 0.75),
        ("translandseg", 0.80),
        ("translandseg-9", 0.10),
    ):
        table.finish(name, miou=miou)
    report = table.report()
    assert report.rank is not None
    assert (report.rank.rows, report.rank.pairs) == (3, 3)
    assert report.rank.tau_b == pytest.approx(1 / 3)
    text = render(report, "markdown")
    assert (
        "- Agreement with the published order of MIoU: Kendall's τ-b = 0.33 over 3 rows (3 pairs). "
        f"Only the orders are compared; {report.watermark}.\n" in text
    )


def test_rank_needs_two_rows_and_published_values(table: SweepOnDisk) -> None:
    table.finish("translandseg")
    report = table.report()
    assert report.rank is not None
    assert (report.rank.tau_b, report.rank.rows) == (None, 1)
    assert "Kendall" not in render(report, "markdown")
    table.published = None
    assert table.report().rank is None


# Verdicts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "is_reproduced"), [(88.6, True), (87.6, True), (88.61, False), (87.59, False)]
)
def test_one_seed_is_judged_by_the_fixed_tolerance(value: float, is_reproduced: bool) -> None:
    verdict = verdict_of([value], 88.1)
    assert verdict is not None
    assert verdict.is_reproduced is is_reproduced
    assert verdict.tolerance == ONE_SEED_TOLERANCE == 0.5
    assert verdict.difference == pytest.approx(value - 88.1)


def test_several_seeds_are_judged_by_their_prediction_interval() -> None:
    values = [86.0, 87.0, 88.5]
    verdict = verdict_of(values, 88.1)
    scale = stats.tstd(values) * math.sqrt(1 + 1 / 3)
    low, high = stats.t.interval(0.95, 2, loc=sum(values) / 3, scale=scale)
    low, high = float(low), float(high)
    assert verdict is not None
    assert verdict.tolerance == pytest.approx((high - low) / 2)
    for published, expected in ((high - 0.01, True), (high + 0.01, False), (low - 0.01, False)):
        again = verdict_of(values, published)
        assert again is not None
        assert again.is_reproduced is expected


def test_nothing_has_no_verdict() -> None:
    assert verdict_of([], 88.1) is None


def test_comparable_cells_have_verdicts_under_both_values(comparable: SweepOnDisk) -> None:
    comparable.finish("translandseg", miou=0.8840)
    comparable.finish("translandseg-1", miou=0.8001)
    report = comparable.report()
    rows = {row.name: row for row in report.rows}
    ours, other = (rows[name].scores["miou"].verdict for name in ("translandseg", "translandseg-1"))
    assert report.watermark is None
    assert ours is not None
    assert other is not None
    assert (ours.is_reproduced, other.is_reproduced) == (True, False)
    assert other.difference == pytest.approx(-5.0)
    assert rows["translandseg-2"].scores["miou"].verdict is None
    assert rows["translandseg"].scores["positive_f1"].verdict is None
    text = render(report, "markdown")
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    verdicts = [line for line in lines if line[4:5] == ["verdict"]]
    assert len(verdicts) == len(report.rows)
    assert verdicts[0][9] == "no: -5.00"
    assert verdicts[1][5:] == ["—"] * 6
    assert verdicts[-1][9] == "yes"
    assert "differ by at most 0.5 points (one run)" in text
    assert "No verdict" not in text
    assert "Only the orders" not in text


def test_the_tolerance_of_several_seeds_stands_in_the_cell(comparable: SweepOnDisk) -> None:
    comparable.seeds = (0, 1)
    comparable.finish("translandseg", 0, miou=0.8800)
    comparable.finish("translandseg", 1, miou=0.8802)
    report = comparable.report()
    verdict = next(r for r in report.rows if r.name == "translandseg").scores["miou"].verdict
    assert verdict is not None
    assert verdict.is_reproduced
    assert f"yes (± {verdict.tolerance:.2f})" in render(report, "markdown")


def test_watermarked_reports_have_no_verdicts_and_say_so(table: SweepOnDisk) -> None:
    table.finish("translandseg", miou=0.881)
    report = table.report()
    assert report.watermark
    assert {score.verdict for row in report.rows for score in row.scores.values()} == {None}
    text = render(report, "markdown")
    assert "| verdict" not in text
    assert text.count("No verdict on each number, since they are not comparable.") == 1


def test_own_sweeps_speak_of_no_verdicts(table: SweepOnDisk) -> None:
    table.published = None
    table.finish("translandseg")
    assert "erdict" not in render(table.report(), "markdown")


# Share of the positive class ---------------------------------------------------------------


def test_the_positive_share_is_beside_the_published_one(table: SweepOnDisk) -> None:
    assert table.report().positive_share.validated is None
    table.finish("translandseg", confusion=(8_000, 1_100, 1_000, 89_900))
    report = table.report()
    share = report.positive_share
    assert share.validated == pytest.approx(9.0)
    assert share.published is not None
    assert share.published.low < 10.05 < share.published.high
    line = "- Landslide pixels: 9.00 % of validation; the published rows imply 10.049 to 10.060 %\n"
    assert line in render(report, "markdown")


def test_without_published_values_only_our_share_is_shown(table: SweepOnDisk) -> None:
    table.published = None
    table.finish("translandseg")
    assert table.report().positive_share.published is None
    assert "- Landslide pixels: 9.00 % of validation\n" in render(table.report(), "markdown")
