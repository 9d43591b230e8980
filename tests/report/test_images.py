"""MIoU over images that are drawn anew."""

import time

import numpy as np
import pytest

from ablate.metrics import Confusion, scores
from ablate.report import images
from ablate.report.images import covariance, draw_images, miou_percent
from ablate.report.results import RunRecord, read_results
from report.sweep_on_disk import SweepOnDisk

Counts = list[tuple[int, int, int, int]]


def made_up(seed: int, n: int) -> Counts:
    """Confusions of n images of 4,096 pixels, from one in fifty to a third of them positive."""
    random = np.random.default_rng(seed)
    positive = random.integers(80, 1400, n)
    fn = (positive * random.uniform(0.05, 0.4, n)).astype(int)
    fp = ((4096 - positive) * random.uniform(0.005, 0.05, n)).astype(int)
    cells = np.stack([positive - fn, fp, fn, 4096 - positive - fp], axis=1)
    return [(int(a), int(b), int(c), int(d)) for a, b, c, d in cells]


def finish(table: SweepOnDisk, name: str, seed: int, counts: Counts, split: int = 0) -> None:
    """Ends a run with these confusions; image number i of split s is called ``i + 7 s``."""
    images = {f"image {i + 7 * split:04d}": pixels for i, pixels in enumerate(counts)}
    table.finish(name, seed, split=split, pixels_by_image=images)


def runs_of(table: SweepOnDisk) -> dict[str, RunRecord]:
    """All runs by their keys."""
    return {run.run.key: run for run in read_results(table.start(), table.store)}


@pytest.fixture
def two(table: SweepOnDisk) -> SweepOnDisk:
    """Two rows."""
    table.names = ("translandseg", "translandseg-7")
    return table


def key_of(table: SweepOnDisk, name: str, seed: int = 0, split: int = 0) -> str:
    return table.run(name, seed, split).key


def test_pooled_pixels_have_the_miou_of_the_metrics() -> None:
    pooled = np.array([[30.0, 5, 10, 900], [0, 0, 0, 900], [0, 7, 0, 0]])
    expected = [100 * scores(Confusion(*map(int, row)))["miou"] for row in pooled]
    assert miou_percent(pooled).tolist() == pytest.approx(expected)


def test_the_spread_is_that_of_samples_of_images(two: SweepOnDisk) -> None:
    # The jackknife's error of the same MIoU: another estimate of what the draws estimate.
    counts = made_up(1, 120)
    finish(two, "translandseg", 0, counts)
    draws = draw_images(runs_of(two).values())
    pixels = np.array(counts, dtype=float)
    without = miou_percent(pixels.sum(axis=0) - pixels)
    jackknife = np.sqrt((119 / 120) * ((without - without.mean()) ** 2).sum())
    sd = draws.deviations[key_of(two, "translandseg")].std()
    assert sd == pytest.approx(jackknife, rel=0.05)


def test_rows_and_repeats_share_the_images_of_a_draw(two: SweepOnDisk) -> None:
    two.seeds = (0, 1)
    counts = made_up(2, 60)
    finish(two, "translandseg", 0, counts)
    finish(two, "translandseg-7", 1, counts)
    draws = draw_images(runs_of(two).values())
    first, second = (
        draws.deviations[key]
        for key in (key_of(two, "translandseg"), key_of(two, "translandseg-7", 1))
    )
    assert np.array_equal(first, second)


def test_splits_vary_together_as_far_as_they_share_images(two: SweepOnDisk) -> None:
    two.splits = (0, 1)
    counts = made_up(3, 70)
    # Split 1 begins seven images later: nine tenths of the images are shared, with their pixels.
    finish(two, "translandseg", 0, counts)
    finish(two, "translandseg", 0, [*counts[7:], *made_up(4, 7)], split=1)
    draws = draw_images(runs_of(two).values())
    both = covariance([draws.deviations[key_of(two, "translandseg", 0, each)] for each in (0, 1)])
    correlation = both[0, 1] / np.sqrt(both[0, 0] * both[1, 1])
    assert 0.75 < correlation < 0.99


def test_draws_do_not_depend_on_the_order_or_on_other_runs(two: SweepOnDisk) -> None:
    finish(two, "translandseg", 0, made_up(5, 40))
    finish(two, "translandseg-7", 0, made_up(6, 40))
    runs = list(runs_of(two).values())
    alone = draw_images(runs[:1]).deviations[runs[0].run.key]
    for order in (runs, runs[::-1]):
        both = draw_images(order).deviations[runs[0].run.key]
        assert both.tolist() == pytest.approx(alone.tolist(), abs=1e-9)


def test_runs_of_one_image_or_without_a_result_are_left_out(two: SweepOnDisk) -> None:
    two.names = ("translandseg", "translandseg-1", "translandseg-2")
    finish(two, "translandseg", 0, made_up(7, 30))
    # One image, which can only be drawn as it is; and a run that never ended.
    finish(two, "translandseg-1", 0, made_up(7, 1))
    two.fail("translandseg-2")
    draws = draw_images(runs_of(two).values())
    assert list(draws.deviations) == list(draws.confusions) == [key_of(two, "translandseg")]
    assert draws.left_out == 0


def test_what_is_read_is_bounded(two: SweepOnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    finish(two, "translandseg", 0, made_up(8, 30))
    finish(two, "translandseg-7", 0, made_up(8, 30))
    monkeypatch.setattr(images, "_MOST_RUNS", 1)
    draws = draw_images(runs_of(two).values())
    assert (len(draws.confusions), draws.left_out) == (1, 1)
    monkeypatch.setattr(images, "_MOST_PRODUCTS", 30 * 700)
    monkeypatch.setattr(images, "_MOST_WEIGHTS", 30 * 99)
    fewer = draw_images(runs_of(two).values())
    assert fewer.draws == 700
    assert fewer.deviations[key_of(two, "translandseg")].shape == (700,)


def test_a_store_without_results_has_no_draws(two: SweepOnDisk) -> None:
    assert draw_images(runs_of(two).values()).deviations == {}


def test_ten_rows_of_three_repeats_take_seconds(table: SweepOnDisk) -> None:
    table.seeds = (0, 1, 2)
    table.names = (*table.names, "translandseg-4", "translandseg-6", "translandseg-8")
    for number, name in enumerate(table.names):
        for seed in table.seeds:
            finish(table, name, seed, made_up(10 * number + seed, 231))
    runs = runs_of(table)
    started = time.perf_counter()
    draws = draw_images(runs.values())
    assert time.perf_counter() - started < 5
    assert (draws.draws, len(draws.deviations)) == (10_000, 30)
