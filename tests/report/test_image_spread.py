"""How differences vary over images and trainings, on values whose variances are known."""

import math

import numpy as np
import pytest

from ablate.report.image_spread import DrawnRun, Spread, spread_of
from ablate.spec import Repeat

DRAWS = 200_000
IMAGES = 100


class Row:
    """Runs whose MIoUs vary over the images with these standard deviations.

    Args:
        of_row: What the images do to all runs of the row.
        of_run: What they do to each alone.
    """

    def __init__(self, seed: int, of_row: float, of_run: float) -> None:
        self.random = np.random.default_rng(seed)
        self.shared = of_row * self.random.standard_normal(DRAWS)
        self.of_run = of_run

    def run(self, miou: float) -> DrawnRun:
        own = self.of_run * self.random.standard_normal(DRAWS)
        return DrawnRun(miou=miou, images=IMAGES, deviations=self.shared + own)

    def runs(self, *mious: float) -> dict[Repeat, DrawnRun]:
        return {Repeat(0, seed): self.run(miou) for seed, miou in enumerate(mious)}


def still(*mious: float) -> dict[Repeat, DrawnRun]:
    """Runs that do not depend on the images."""
    return Row(0, 0, 0).runs(*mious)


def spread(
    first: dict[Repeat, DrawnRun], second: dict[Repeat, DrawnRun], over_splits: bool = False
) -> Spread:
    found = spread_of(first, second, over_splits=over_splits)
    assert found is not None
    return found


def test_images_act_on_all_seeds_and_on_each() -> None:
    found = spread(Row(1, of_row=0.3, of_run=0.4).runs(80, 82, 81), still(70, 70, 70))
    assert (found.images, found.repeats, found.units) == (100, 3, 3)
    assert found.difference == pytest.approx(11)
    assert found.sampling == pytest.approx(0.25, rel=0.02)
    assert found.shared == pytest.approx(0.09, rel=0.02)
    # Between the seeds a variance of 1 is seen, 0.16 of which the images do.
    assert found.unit == pytest.approx(1)
    assert found.training == pytest.approx(1 - 0.16, rel=0.02)
    trained, of_images = found.of_units(6)
    assert (trained.variance, trained.degrees) == (pytest.approx(1 / 6), 5)
    assert (of_images.variance, of_images.degrees) == (pytest.approx(0.09, rel=0.02), 99)
    (unlimited,) = found.of_units(math.inf)
    assert unlimited == of_images
    training, over_images = found.of_one_training(400)
    assert training.variance == pytest.approx(0.84, rel=0.02)
    assert over_images.variance == pytest.approx(0.25 / 4, rel=0.02)


def test_seeds_differ_at_least_by_what_images_do_to_each() -> None:
    found = spread(Row(1, of_row=0.3, of_run=0.4).runs(80, 80, 80), still(70, 70, 70))
    assert found.unit == pytest.approx(0.16, rel=0.02)
    assert found.training == 0


def test_congruence_is_what_two_rows_have_in_common() -> None:
    row = Row(1, of_row=0.6, of_run=0.8)
    found = spread(row.runs(80), row.runs(79))
    assert found.congruence == pytest.approx(0.36, rel=0.03)
    assert found.sampling == pytest.approx(2 * 0.64, rel=0.02)
    assert found.independent == pytest.approx(2, rel=0.02)
    assert found.of_images(100, congruent=False)[0].variance == pytest.approx(2, rel=0.02)
    # A row that images do not change has none, whatever binary fractions make of it.
    assert spread(row.runs(80), still(70)).congruence is None


def test_one_training_tells_nothing_of_trainings() -> None:
    found = spread(Row(1, 0.3, 0.4).runs(80), still(70))
    assert (found.units, found.shared, found.training) == (1, None, None)
    assert (found.of_units(5), found.of_one_training(100)) == ((), ())


def test_splits_are_units_with_their_seeds() -> None:
    first = {}
    for split, mious in enumerate([(80, 82), (84, 86)]):
        # Splits have no image in common.
        row = Row(split + 1, of_row=0.3, of_run=0.4)
        first |= {Repeat(split, seed): row.run(miou) for seed, miou in enumerate(mious)}
    second = {repeat: still(70)[Repeat(0, 0)] for repeat in first}
    found = spread(first, second, over_splits=True)
    assert (found.repeats, found.units) == (4, 2)
    assert found.shared == pytest.approx(0, abs=0.002)
    # The means of the splits are 81 and 85; each of the two seeds is 1 away from them.
    assert found.unit == pytest.approx(8)
    assert found.training == pytest.approx(8 + 2 / 2 - 0.25, rel=0.02)
    one_split = {repeat: run for repeat, run in first.items() if repeat.split == 0}
    assert spread(one_split, second, over_splits=True).units == 1


def test_rows_without_a_repeat_in_common() -> None:
    second = {Repeat(0, 1): still(70)[Repeat(0, 0)]}
    assert spread_of(still(80), second, over_splits=False) is None
