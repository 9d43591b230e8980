"""Intervals at work: how often they hold the truth, and how often claims are decided wrongly."""

import numpy as np
import pytest

from ablate.report.statistics import holm
from report.made_up_trainings import Population, trained

# So many sweeps: the standard error of a coverage of 95 % is 1.1 points.
SWEEPS = 400
# The lowest coverage that docs/statistics.md states, less two such errors.
LEAST = 0.93 - 0.022
# The largest rate of wrong decisions: 5 % and two such errors.
MOST_WRONG = 0.05 + 0.022

QUIET = Population(of_training=0.03, of_image=0.8)
USUAL = Population()
NOISY = Population(of_training=0.3, of_image=0.2)
RARE = Population(positives=(0.4, 4.0))


def coverage(
    population: Population, truth: float, seeds: int, images: int, splits: int = 1
) -> float:
    random = np.random.default_rng(seeds * 1000 + images)
    inside = 0
    for _ in range(SWEEPS):
        made = trained(population, random, seeds, images, range(splits))
        low, high = made.interval() or (0.0, 0.0)
        inside += low <= truth <= high
    return inside / SWEEPS


@pytest.mark.parametrize("population", [QUIET, USUAL, NOISY, RARE])
@pytest.mark.parametrize(("seeds", "images"), [(2, 100), (3, 50), (5, 231)])
def test_equal_rows_are_seldom_told_apart(population: Population, seeds: int, images: int) -> None:
    assert 1 - coverage(population, 0.0, seeds, images) <= MOST_WRONG


@pytest.mark.parametrize(("seeds", "images"), [(2, 231), (3, 231), (10, 50)])
def test_intervals_hold_a_true_difference(seeds: int, images: int) -> None:
    ahead = Population(ahead=0.5)
    truth = ahead.truth(np.random.default_rng(0))
    assert truth > 2
    assert coverage(ahead, truth, seeds, images) >= LEAST


@pytest.mark.parametrize(("splits", "seeds"), [(2, 3), (3, 2), (5, 1)])
def test_intervals_over_splits_hold_the_truth(splits: int, seeds: int) -> None:
    population = Population(of_split=0.05)
    assert coverage(population, 0.0, seeds, 100, splits) >= LEAST


@pytest.mark.parametrize("images", [50, 231])
def test_one_training_holds_what_these_trainings_would_give_on_all_images(images: int) -> None:
    # Trainings that all give the same, so that the truth of these is the truth of all.
    same = Population(of_training=0.0)
    assert coverage(same, 0.0, 1, images) >= LEAST


def test_one_training_is_blind_to_other_trainings() -> None:
    assert coverage(NOISY, 0.0, 1, 231) < 0.5


def test_a_family_of_claims_is_seldom_decided_wrongly() -> None:
    random = np.random.default_rng(11)
    wrong = 0
    for _ in range(SWEEPS // 2):
        made = [trained(USUAL, random, 3, 100) for _ in range(4)]
        wrong += min(holm([each.p_value() or 0.0 for each in made])) <= 0.05
    assert wrong / (SWEEPS // 2) <= 0.05 + 0.031


def test_holm_is_that_of_the_textbook() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([]) == []
