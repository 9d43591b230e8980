"""Claims of how far ahead a row is, and of equality."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from ablate.report import tables_of
from ablate.report.comparison_model import Claim
from ablate.report.decision import decision_of
from ablate.spec import Comparison
from report.sweep_on_disk import SweepOnDisk

AHEAD, BEHIND = "translandseg", "translandseg-7"


def claims(table: SweepOnDisk, ahead: float, *margins: dict[str, float]) -> tuple[Claim, ...]:
    """The verdicts where the first row is ahead by so many points, ± 0.14 at three seeds."""
    table.names, table.seeds = (AHEAD, BEHIND), (0, 1, 2)
    for seed in table.seeds:
        table.finish(AHEAD, seed, miou=0.80 + 0.01 * seed)
        table.finish(BEHIND, seed, miou=0.80 + 0.0105 * seed - 0.0005 - ahead / 100)
    table.comparisons = tuple(
        Comparison(claim="…", better=AHEAD, worse=(BEHIND,), **margin) for margin in margins
    )
    return table.report().claims


@pytest.mark.parametrize(
    ("ahead", "margin", "expected"),
    [
        (2.0, {"by": 1.0}, "holds"),
        (2.0, {"by": 1.95}, "cannot tell at n=3"),
        (2.0, {"by": 3.0}, "does not hold"),
        (0.0, {"equal_within": 0.5}, "holds"),
        (-0.3, {"equal_within": 0.5}, "holds"),
        (0.45, {"equal_within": 0.5}, "cannot tell at n=3"),
        (-0.45, {"equal_within": 0.5}, "cannot tell at n=3"),
        (2.0, {"equal_within": 0.5}, "does not hold"),
        (-2.0, {"equal_within": 0.5}, "does not hold"),
        # Not to be told from 0 is not to be equal.
        (0.0, {"equal_within": 0.05}, "cannot tell at n=3"),
    ],
)
def test_the_boundary_is_that_of_the_claim(
    table: SweepOnDisk, ahead: float, margin: dict[str, float], expected: str
) -> None:
    assert [claim.reproduced for claim in claims(table, ahead, margin)] == [expected]


@pytest.mark.parametrize(
    ("margin", "expected"),
    [
        ({"by": 14.8}, "holds"),
        ({"by": 14.9}, "does not hold"),
        ({"equal_within": 14.8}, "holds"),
        ({"equal_within": 14.7}, "does not hold"),
    ],
)
def test_printed_differences_are_held_against_it_too(
    table: SweepOnDisk, margin: dict[str, float], expected: str
) -> None:
    (claim,) = claims(table, 0.0, margin)
    assert claim.pairs[0].difference.published == 14.8
    assert claim.published == expected


def test_every_boundary_is_a_test_of_the_family(table: SweepOnDisk) -> None:
    pairs = [claim.pairs[0] for claim in claims(table, 2.0, {}, {}, {"by": 1.0}, {"by": 1.5})]
    assert [pair.p for pair in pairs] == [pytest.approx(pairs[0].p), *[p.p for p in pairs[1:]]]
    # Three tests: the first two claims share one.
    assert pairs[0].p_adjusted == pytest.approx(3 * (pairs[0].p or 0))
    assert pairs[3].p_adjusted == pytest.approx(pairs[3].p)


def test_the_table_names_what_is_claimed(table: SweepOnDisk) -> None:
    claims(table, 2.0, {}, {"by": 1.0}, {"equal_within": 0.5})
    tables = {each.name: each for each in tables_of(table.report())}
    pairs = tables["claim-pairs"]
    place = [column.key for column in pairs.columns].index("claimed")
    assert [row[place].text for row in pairs.rows] == ["> 0", "≥ 1", "within ±0.5"]
    assert "holds if every difference below is as claimed" in tables["claims"].caption


def test_no_column_names_what_every_claim_says(table: SweepOnDisk) -> None:
    claims(table, 2.0, {})
    tables = {each.name: each for each in tables_of(table.report())}
    assert "claimed" not in [column.key for column in tables["claim-pairs"].columns]


def test_planning_aims_at_the_boundary(table: SweepOnDisk) -> None:
    claims(table, 2.0, {}, {"by": 1.95})
    decision = decision_of(table.start(), table.store, {})
    assert decision.tests == 2
    assert [claim.outcome for claim in decision.claims] == ["decided", "more"]
    (pair,) = decision.claims[1].pairs
    assert pair.difference == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize(
    ("margin", "problem"),
    [
        ({"by": 0}, "greater than 0"),
        ({"by": -1.0}, "greater than 0"),
        ({"by": float("nan")}, "finite"),
        ({"equal_within": 100.0}, "less than 100"),
        ({"by": 1.0, "equal_within": 0.5}, "give one"),
    ],
)
def test_margins_have_bounds(margin: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(problem)):
        Comparison(claim="…", better=AHEAD, worse=(BEHIND,), **margin)
