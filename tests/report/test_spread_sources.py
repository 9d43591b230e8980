"""Where the spread comes from: seeds, splits and images."""

import math
from collections.abc import Mapping

import pytest

from ablate.report import tables_of
from ablate.report.comparison_model import VarianceSources
from report.sweep_on_disk import SweepOnDisk
from report.test_images import finish, made_up

Values = Mapping[tuple[int, int], float]
A, B = "translandseg", "translandseg-7"


def spread(table: SweepOnDisk, values: Mapping[str, Values]) -> VarianceSources:
    """Of MIoU, of rows with these values (percent) by split and seed; images are all alike."""
    table.names = tuple(values)
    repeats = [repeat for row in values.values() for repeat in row]
    table.splits = sorted({split for split, _ in repeats})
    table.seeds = sorted({seed for _, seed in repeats})
    for name, row in values.items():
        for (split, seed), value in row.items():
            table.finish(name, seed, miou=value / 100, split=split)
    made = table.report().spread
    assert made is not None
    return made.miou


def line(table: SweepOnDisk, number: int) -> list[str]:
    made = next(each for each in tables_of(table.report()) if each.name == "spread")
    return [cell.text for cell in made.rows[number]]


def test_seeds_alone(table: SweepOnDisk) -> None:
    made = spread(table, {A: {(0, 0): 80, (0, 1): 82}, B: {(0, 0): 70, (0, 1): 74}})
    # Variances of 2 and of 8.
    assert (made.rows, made.seed) == (2, pytest.approx(5.0))
    assert (made.split, made.split_and_seed, made.images) == (None, None, pytest.approx(0.0))
    assert line(table, 0) == [
        "MIoU of one run",
        "2",
        "2.24 (100 %)",
        "cannot tell: one split",
        "0.00 (0 %)",
    ]
    # Differences of -10 and -8.
    assert line(table, 1) == [
        "its difference to TransLandSeg",
        "1",
        "1.41 (100 %)",
        "cannot tell: one split",
        "0.00 (0 %)",
    ]


def test_splits_and_seeds(table: SweepOnDisk) -> None:
    values = {(0, 0): 80.0, (0, 1): 82.0, (1, 0): 90.0, (1, 1): 92.0}
    made = spread(table, {A: values})
    # Mean squares: 2 within splits, 100 between; the splits' part is (100 - 2) / 2.
    assert (made.seed, made.split) == (pytest.approx(2.0), pytest.approx(49.0))
    assert line(table, 0)[2:4] == ["1.41 (4 %)", "7.00 (96 %)"]


def test_splits_that_differ_less_than_seeds_have_no_part(table: SweepOnDisk) -> None:
    made = spread(table, {A: {(0, 0): 80.0, (0, 1): 84.0, (1, 0): 84.0, (1, 1): 80.0}})
    assert (made.seed, made.split) == (pytest.approx(8.0), 0.0)


def test_one_seed_a_split_cannot_tell_them_apart(table: SweepOnDisk) -> None:
    made = spread(table, {A: {(0, 0): 80.0, (1, 0): 82.0}})
    assert (made.seed, made.split) == (None, None)
    assert made.split_and_seed == pytest.approx(2.0)
    assert line(table, 0)[2:4] == ["cannot tell: one seed a split", "1.41 (100 %) with seed"]


def test_images_are_taken_off_the_others(table: SweepOnDisk) -> None:
    table.names, table.seeds = (A,), (0, 1)
    counts = made_up(1, 100)
    # Two trainings that give the same: all spread is that of the images.
    for seed in table.seeds:
        finish(table, A, seed, counts)
    made = table.report().spread
    assert made is not None
    assert made.miou.images is not None
    assert 0.2 < math.sqrt(made.miou.images) < 2
    assert made.miou.seed == pytest.approx(0.0, abs=1e-9)
    assert made.difference is not None
    assert made.difference.rows == 0


def test_trainings_that_differ_on_images_alone_have_no_part_of_seeds(table: SweepOnDisk) -> None:
    table.names, table.seeds = tuple(table.names), tuple(range(6))
    for number, name in enumerate(table.names):
        for seed in table.seeds:
            finish(table, name, seed, made_up(100 * number + seed, 150))
    made = table.report().spread
    assert made is not None
    assert made.miou.images is not None
    assert made.miou.seed is not None
    # Other images each time, which the draws explain: what is left for seeds is the error of a
    # mean square of 35 degrees, two of which are half of it.
    assert made.miou.seed < 0.5 * made.miou.images


def test_without_repeats_there_is_no_table(table: SweepOnDisk) -> None:
    table.finish(A, 0, miou=0.8)
    assert table.report().spread is None
    assert "spread" not in [each.name for each in tables_of(table.report())]
