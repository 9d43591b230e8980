"""Means of paired differences: parts of their variance, intervals, p values."""

import math

import numpy as np
import pytest
from scipy import stats

from ablate.report.images import covariance
from ablate.report.paired import Images, PairedMean, Part, paired_mean
from ablate.spec import Repeat


def seeds(*values: float, split: int = 0) -> dict[Repeat, float]:
    return {Repeat(split, seed): value for seed, value in enumerate(values)}


def errors(repeats: list[Repeat], shared: float, own: float, number: int = 100) -> Images:
    """Images whose errors have exactly these variances: one for all repeats, one for each."""
    random = np.random.default_rng(5)
    made, _ = np.linalg.qr(random.normal(size=(400, len(repeats) + 2)))
    # Orthogonal to each other and to the constant, of variance 1.
    made -= made.mean(axis=0)
    made, _ = np.linalg.qr(made)
    made *= math.sqrt(399)
    first, *others = made.T[: len(repeats) + 1]
    common = math.sqrt(shared) * first
    parts = {r: common + math.sqrt(own) * each for r, each in zip(repeats, others, strict=True)}
    return Images(number, parts)


def test_without_images_it_is_students_t() -> None:
    values = [0.3, 1.1, 0.8, 0.2]
    made = paired_mean(seeds(*values), None)
    expected = stats.ttest_1samp(values, 0)
    interval = expected.confidence_interval(0.95)
    assert made is not None
    assert made.method == "repeats"
    assert made.interval() == pytest.approx((interval.low, interval.high))
    assert made.p_value() == pytest.approx(expected.pvalue, rel=1e-6)
    assert made.p_value(0.5) == pytest.approx(stats.ttest_1samp(values, 0.5).pvalue, rel=1e-6)


def test_nothing_has_no_mean_and_one_value_no_interval_without_images() -> None:
    assert paired_mean({}, None) is None
    made = paired_mean(seeds(1.0), None)
    assert made == PairedMean(1, 1.0, None, ())
    assert (made.interval(), made.p_value()) == (None, None)


def test_one_training_has_the_images_alone() -> None:
    repeat = Repeat(0, 0)
    made = paired_mean({repeat: 1.0}, errors([repeat], 0.04, 0.05, number=26))
    assert made is not None
    assert made.method == "images"
    half = stats.t.ppf(0.975, 25) * 0.3
    assert made.interval() == pytest.approx((1 - half, 1 + half))


def test_what_repeats_share_is_added_to_the_spread_over_them() -> None:
    values = seeds(0.0, 1.0, 2.0)
    made = paired_mean(values, errors(list(values), 0.5, 0.2, number=100))
    assert made is not None
    assert made.method == "repeats and images"
    # The images' own part of each repeat is in the spread over the repeats already.
    assert [part.degrees for part in made.parts] == [2, 99]
    assert [part.variance for part in made.parts] == pytest.approx([1 / 3, 0.5])
    assert made.standard_error == pytest.approx(math.sqrt(1 / 3 + 0.5))
    # Cochran and Cox: Student's quantiles, weighted by variance.
    weighted = (stats.t.ppf(0.975, 2) / 3 + stats.t.ppf(0.975, 99) / 2) / (1 / 3 + 0.5)
    low, high = made.interval() or (0, 0)
    assert (high - low) / 2 == pytest.approx(weighted * made.standard_error)


def test_splits_are_repeats_of_their_own() -> None:
    values = seeds(0.0, 0.2) | seeds(1.0, 1.2, split=1) | seeds(2.0, 2.2, split=2)
    made = paired_mean(values, None)
    assert made is not None
    within, between = 0.02, 2.0
    expected = [(within / 6, 3), ((between - within) / 2 / 3, 2)]
    assert [(part.variance, part.degrees) for part in made.parts] == [
        (pytest.approx(variance), degrees) for variance, degrees in expected
    ]


def test_one_seed_a_split_is_students_t_over_the_splits() -> None:
    values = {Repeat(split, 0): value for split, value in enumerate((0.1, 0.9, 0.4))}
    made, over_seeds = paired_mean(values, None), paired_mean(seeds(0.1, 0.9, 0.4), None)
    assert made is not None
    assert over_seeds is not None
    assert made.interval() == pytest.approx(over_seeds.interval())


def test_splits_that_differ_less_than_seeds_add_nothing() -> None:
    made = paired_mean(seeds(0.0, 2.0) | seeds(2.1, 0.1, split=1), None)
    assert made is not None
    assert [part.variance for part in made.parts] == [pytest.approx(2.0 / 4), 0.0]


def test_shared_images_of_two_splits_vary_together() -> None:
    first, second = Repeat(0, 0), Repeat(1, 0)
    images = errors([first, second], 0.09, 0.01, number=50)
    assert covariance(list(images.deviations.values())) == pytest.approx(
        np.array([[0.1, 0.09], [0.09, 0.1]])
    )
    made = paired_mean({first: 1.0, second: 2.0}, images)
    assert made is not None
    assert made.parts == (Part(pytest.approx(0.25), 1), Part(pytest.approx(0.09), 49))


def test_p_and_interval_agree() -> None:
    values = seeds(0.2, 1.3, 0.9)
    made = paired_mean(values, errors(list(values), 0.05, 0.0))
    assert made is not None
    low, high = made.interval() or (0, 0)
    assert made.p_value(low) == pytest.approx(0.05, rel=1e-6)
    assert made.p_value(high) == pytest.approx(0.05, rel=1e-6)
    assert made.p_value(made.mean) == 1
    assert (made.p_value(low - 0.1) or 1) < 0.05 < (made.p_value(low + 0.1) or 0)


def test_equal_differences_leave_no_doubt() -> None:
    made = paired_mean(seeds(1.0, 1.0), None)
    assert made is not None
    assert (made.interval(), made.p_value(), made.p_value(1.0)) == ((1.0, 1.0), 0.0, 1.0)
