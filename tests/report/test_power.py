"""Power, smallest differences and probabilities of the other sign, against simulations."""

import numpy as np
import pytest
from scipy import stats

from ablate.report.power import (
    POWER,
    Variance,
    critical_value,
    power_of,
    probability_of_other_sign,
    smallest_difference,
    sum_of,
)


def told(difference: float, variance: Variance, critical: float, sweeps: int = 100_000) -> float:
    """The share of simulated sweeps whose interval lies above zero."""
    random = np.random.default_rng(1)
    estimates = difference + variance.se * random.standard_normal(sweeps)
    errors = variance.se * np.sqrt(random.chisquare(variance.df, sweeps) / variance.df)
    return float(np.mean(estimates > critical * errors))


@pytest.mark.parametrize("df", [1.5, 2, 5, 230])
def test_the_smallest_difference_is_told_in_four_of_five_sweeps(df: float) -> None:
    variance = Variance(value=0.25, df=df)
    smallest = smallest_difference(variance)
    assert told(smallest, variance, critical_value(df)) == pytest.approx(POWER, abs=0.01)
    assert power_of(smallest, variance) == pytest.approx(POWER)
    assert power_of(-smallest, variance) == pytest.approx(POWER)


def test_a_family_of_tests_needs_more() -> None:
    variance = Variance(value=1, df=4)
    assert critical_value(4, 10) == pytest.approx(stats.t.ppf(1 - 0.0025, 4))
    assert power_of(5, variance, 10) == pytest.approx(
        told(5, variance, critical_value(4, 10)), abs=0.01
    )
    assert power_of(5, variance, 10) < power_of(5, variance)


def test_far_and_certain_differences() -> None:
    assert power_of(1e7, Variance(value=1, df=230)) == 1
    assert power_of(0, Variance(value=1, df=230)) == pytest.approx(0.025)
    nothing = Variance(value=0, df=2)
    assert (power_of(0.1, nothing), power_of(0, nothing)) == (1, 0)
    assert smallest_difference(nothing) == 0


def test_the_probability_of_the_other_sign_is_that_of_the_means_of_scores() -> None:
    """The case of arXiv:2505.04720: scores of single images, of two methods, averaged."""
    random = np.random.default_rng(2)
    first = random.normal(0.8, 0.1, 60)
    second = first - 0.01 + random.normal(0, 0.05, 60)
    variance = Variance(value=float(np.var(first - second, ddof=1)) / 60, df=59)
    difference = float(first.mean() - second.mean())
    p = stats.ttest_rel(first, second, alternative="greater").pvalue
    assert probability_of_other_sign(difference, variance) == pytest.approx(p)
    assert probability_of_other_sign(-difference, variance) == pytest.approx(p)
    assert probability_of_other_sign(0, variance) == 0.5
    assert probability_of_other_sign(1, Variance(value=0, df=2)) == 0


def test_sums_of_variances() -> None:
    summed = sum_of((Variance(value=3, df=2), Variance(value=1, df=200)))
    assert summed.value == 4
    assert summed.df == pytest.approx(16 / (9 / 2 + 1 / 200))
    assert sum_of((Variance(value=1e-300, df=7),)).df == pytest.approx(7)
    assert sum_of(()) == Variance(value=0, df=1)
