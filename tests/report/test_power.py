"""Power, smallest differences and probabilities of the other sign, against simulations."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from ablate.report.paired import PairedMean, Part
from ablate.report.power import (
    POWER,
    power_of,
    probability_of_other_sign,
    smallest_difference,
    standard_error,
)

TWO_PARTS = (Part(0.09, 3), Part(0.16, 230))


def told(difference: float, parts: Sequence[Part], level: float = 0.05) -> float:
    """The share of simulated sweeps whose interval lies above zero."""
    random, sweeps = np.random.default_rng(1), 4_000
    estimates = difference + standard_error(parts) * random.standard_normal(sweeps)
    estimated = [
        part.variance * random.chisquare(part.degrees, sweeps) / part.degrees for part in parts
    ]
    above = 0
    for estimate, *variances in zip(estimates, *estimated, strict=True):
        seen = [Part(v, part.degrees) for v, part in zip(variances, parts, strict=True)]
        mean = PairedMean(2, estimate, "repeats and images", tuple(seen))
        above += estimate > mean.quantile(level) * mean.standard_error
    return above / sweeps


@pytest.mark.parametrize("parts", [(Part(0.25, 2),), (Part(0.25, 230),), TWO_PARTS])
def test_the_smallest_difference_is_told_in_four_of_five_sweeps(parts: Sequence[Part]) -> None:
    smallest = smallest_difference(parts)
    assert told(smallest, parts) == pytest.approx(POWER, abs=0.03)
    assert power_of(smallest, parts) == pytest.approx(POWER)
    assert power_of(-smallest, parts) == pytest.approx(POWER)


def test_a_family_of_tests_needs_more() -> None:
    parts = (Part(1, 4),)
    assert power_of(5, parts, 10) == pytest.approx(told(5, parts, 0.005), abs=0.03)
    assert power_of(5, parts, 10) < power_of(5, parts)


def test_far_and_certain_differences() -> None:
    assert power_of(1e7, TWO_PARTS) == 1
    assert power_of(0, (Part(1, 230),)) == pytest.approx(0.025)
    nothing = (Part(0, 2), Part(0, 230))
    assert (power_of(0.1, nothing), power_of(0, nothing)) == (1, 0)
    assert smallest_difference(nothing) == 0


def test_the_probability_of_the_other_sign_is_that_of_the_means_of_scores() -> None:
    """The case of arXiv:2505.04720: scores of single images, of two methods, averaged."""
    random = np.random.default_rng(2)
    first = random.normal(0.8, 0.1, 60)
    second = first - 0.01 + random.normal(0, 0.05, 60)
    parts = (Part(float(np.var(first - second, ddof=1)) / 60, 59),)
    difference = float(first.mean() - second.mean())
    p = stats.ttest_rel(first, second, alternative="greater").pvalue
    assert probability_of_other_sign(difference, parts) == pytest.approx(p)
    assert probability_of_other_sign(-difference, parts) == pytest.approx(p)
    assert probability_of_other_sign(0, parts) == 0.5
    assert probability_of_other_sign(1, (Part(0, 2),)) == 0
