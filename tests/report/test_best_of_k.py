"""The expected best of k trials against the mean over all subsets, computed exactly."""

import itertools
import math
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.report.best_of_k import expected_best_of_k, order_changes


def brute_force(scores: list[float], k: int) -> Fraction:
    """The exact mean of the best over every subset of k trials."""
    subsets = list(itertools.combinations(map(Fraction, scores), k))
    return sum(map(max, subsets), Fraction(0)) / len(subsets)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=9))
def test_it_is_the_mean_over_all_subsets(scores: list[float]) -> None:
    expected = [float(brute_force(scores, k)) for k in range(1, len(scores) + 1)]
    assert expected_best_of_k(scores) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_one_trial_is_the_mean_and_all_of_them_the_maximum() -> None:
    assert expected_best_of_k([70.0, 0.0, 80.0]) == pytest.approx([50, (70 + 80 + 80) / 3, 80])
    assert expected_best_of_k([]) == []


def test_it_is_exact_for_a_thousand_trials() -> None:
    chance = random.Random(0)
    scores = [chance.uniform(0, 100) for _ in range(1000)]
    ascending = sorted(map(Fraction, scores))
    curve = expected_best_of_k(scores)
    for k in (1, 2, 10, 500, 999, 1000):
        # Whole numbers of Python do not overflow.
        terms = (math.comb(i, k - 1) * score for i, score in enumerate(ascending))
        exact = sum(terms, Fraction(0)) / math.comb(1000, k)
        assert curve[k - 1] == pytest.approx(float(exact), rel=1e-12)
    assert all(low <= high + 1e-9 for low, high in itertools.pairwise(curve))


def test_the_plug_in_estimate_would_be_another_number() -> None:
    """With replacement the best of 2 of (0, 1) is 3/4: a trial cannot be drawn twice here."""
    assert expected_best_of_k([0.0, 1.0])[1] == 1


def test_rows_that_change_places_are_named_with_the_k() -> None:
    curves = {
        "steady": [70.0, 70.0, 70.0, 70.0],
        "late": [60.0, 70.0, 80.0],
        "never": [10.0, 20.0, 30.0],
    }
    assert order_changes(curves) == [(3, "late", "steady")]


def test_rows_may_change_places_more_than_once() -> None:
    curves = {"a": [1.0, 3.0, 3.0], "b": [2.0, 2.0, 4.0]}
    assert order_changes(curves) == [(2, "a", "b"), (3, "b", "a")]


def test_what_rounding_makes_of_equal_values_changes_no_order() -> None:
    curves = {"a": [0.1 + 0.2, 0.3, 0.3], "b": [0.3, 0.1 + 0.2, 0.3]}
    assert order_changes(curves) == []
