"""How much a difference of MIoU varies from image to image and from training to training.

MIoU is a ratio of pixels that are summed over all validation images: no image has a MIoU of its
own that could be averaged. Its variance over images, and the covariance of two runs that share
images, are those over images that are drawn anew (``ablate.report.images``). Of the difference of
rows A and B that variance is s_A² + s_B² - 2·r·s_A·s_B with the standard errors s of the rows'
MIoU; r, their correlation over the draws, is the congruence of the two rows.

The differences of repeats k vary as Δ_k = Δ + u + t_k + e_k: u is what the images do to all
repeats alike, t_k what the training does (or the split to train on), e_k what the images do to this
repeat alone. Over the draws two repeats have covariance var(u), and each has variance
var(u) + var(e). What is seen between repeats is var(t) + var(e), and the mean over K repeats varies
by var(u) + (var(t) + var(e))/K.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ablate.report.differences import by_repeat, drawn_keys, reason_of
from ablate.report.images import ImageDraws, covariance
from ablate.report.paired import Part
from ablate.report.power import NOTHING
from ablate.report.rows import RowRuns, TableRuns
from ablate.runs import SweepRecord
from ablate.spec import Repeat

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class DrawnRun:
    """MIoU of one run, and how it varies over images that are drawn anew B times.

    Attributes:
        miou: Percent.
        images: Number of validation images.
        deviations: Shape B, percentage points.
    """

    miou: float
    images: int
    deviations: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """How the difference of two rows varies; squared percentage points.

    A unit is a seed, or, where the sweep has several splits, a split with its seeds.

    Attributes:
        images: Validation images of a repeat, the fewest of any.
        repeats: How many repeats both rows have.
        units: How many units those are.
        difference: Mean over repeats of the first row's MIoU minus the second's.
        congruence: Of the two rows, mean over repeats; None where one of them does not vary.
        sampling: Variance over images of the difference of one training of each row.
        independent: The same for rows of congruence 0.
        shared: The part of it that all units have in common, so that no number of them removes
            it. None with one unit.
        unit: Variance between units, at least what the images alone make of it. None with one unit.
        training: Variance between repeats that images do not explain. None with one unit.
    """

    images: int
    repeats: int
    units: int
    difference: float
    congruence: float | None
    sampling: float
    independent: float
    shared: float | None = None
    unit: float | None = None
    training: float | None = None

    def of_units(self, units: float) -> tuple[Part, ...]:
        """Variance of the mean over so many units, in parts; none where one unit is all there is.

        Args:
            units: At least 2; infinity leaves what the images do.
        """
        if self.shared is None or self.unit is None:
            return ()
        of_images = Part(self.shared, self.images - 1)
        if math.isinf(units):
            return (of_images,)
        return (Part(self.unit / units, units - 1), of_images)

    def of_images(self, images: int, congruent: bool = True) -> tuple[Part, ...]:
        """Variance over so many images of the difference of one training of each row.

        Args:
            images: How many.
            congruent: Whether with the congruence that was measured, or with none.
        """
        measured = self.sampling if congruent else self.independent
        return (Part(measured * self.images / images, self.images - 1),)

    def of_one_training(self, images: int) -> tuple[Part, ...]:
        """The same, over trainings as well; none where one unit is all there is."""
        if self.training is None:
            return ()
        return (Part(self.training, self.units - 1), *self.of_images(images))


@dataclass(frozen=True)
class ComparedRows:
    """Two rows that a sweep compares.

    Attributes:
        first: One row.
        second: The other.
        spread: How their difference varies, or why that was not measured.
    """

    first: RowRuns
    second: RowRuns
    spread: Spread | str


def spread_of(
    first: Mapping[Repeat, DrawnRun], second: Mapping[Repeat, DrawnRun], *, over_splits: bool
) -> Spread | None:
    """How the difference of two rows varies.

    Args:
        first: One row's runs by repeat.
        second: The other's.
        over_splits: Whether the sweep has several splits, so that they are its units.

    Returns:
        None if the two have no repeat in common.
    """
    repeats = sorted(first.keys() & second.keys())
    if not repeats:
        return None
    pairs = [(first[repeat], second[repeat]) for repeat in repeats]
    images = min(one.images for one, _ in pairs)
    rows = [covariance([one.deviations, two.deviations]).tolist() for one, two in pairs]
    congruences = [
        mixed / math.sqrt(own * other)
        for (own, mixed), (_, other) in rows
        if min(own, other) > NOTHING**2
    ]
    spread = Spread(
        images=images,
        repeats=len(pairs),
        units=1,
        difference=statistics.fmean(one.miou - two.miou for one, two in pairs),
        congruence=statistics.fmean(congruences) if congruences else None,
        sampling=statistics.fmean(
            max(0.0, own + other - 2 * mixed) for (own, mixed), (_, other) in rows
        ),
        independent=statistics.fmean(own + other for (own, _), (_, other) in rows),
    )
    units: dict[int, list[tuple[DrawnRun, DrawnRun]]] = {}
    for repeat, pair in zip(repeats, pairs, strict=True):
        units.setdefault(repeat.split if over_splits else repeat.seed, []).append(pair)
    return _with_units(spread, list(units.values())) if len(units) > 1 else spread


def _with_units(spread: Spread, units: list[list[tuple[DrawnRun, DrawnRun]]]) -> Spread:
    """The spread with what two or more units tell of trainings."""
    import numpy as np

    n = len(units)
    drawn = covariance(
        [np.mean([one.deviations - two.deviations for one, two in unit], axis=0) for unit in units]
    )
    of_unit = float(np.trace(drawn)) / n
    shared = (float(drawn.sum()) / n - of_unit) / (n - 1)
    shared = min(max(0.0, shared), of_unit)
    differences = [[one.miou - two.miou for one, two in unit] for unit in units]
    seen = statistics.variance(statistics.fmean(unit) for unit in differences)
    # A unit of one repeat tells nothing of what the seed does within a split, and hides nothing.
    within = statistics.fmean(
        statistics.variance(unit) * (1 - 1 / len(unit)) if len(unit) > 1 else 0.0
        for unit in differences
    )
    return replace(
        spread,
        units=n,
        shared=shared,
        unit=max(seen, of_unit - shared),
        training=max(0.0, seen + within - (spread.sampling - shared)),
    )


def measured_spread(
    first: RowRuns, second: RowRuns, draws: ImageDraws, *, over_splits: bool
) -> Spread | str:
    """What was measured of two rows, or why nothing was; see ``spread_of``."""
    keys = by_repeat(drawn_keys(first, draws), drawn_keys(second, draws), first, second)
    miou = by_repeat(first.percent("miou"), second.percent("miou"), first, second)
    one, two = (
        {
            repeat: DrawnRun(
                miou=values[repeat],
                images=len(draws.confusions[key].names),
                deviations=draws.deviations[key],
            )
            for repeat, key in side.items()
        }
        for side, values in zip(keys, miou, strict=True)
    )
    if spread := spread_of(one, two, over_splits=over_splits):
        return spread
    if miou[0].keys() & miou[1].keys():
        return "there are too few images, or too many runs to draw them anew"
    return reason_of(first, second)


def compare_rows(record: SweepRecord, table: TableRuns, draws: ImageDraws) -> list[ComparedRows]:
    """The pairs of rows that a sweep compares: those of its claims, then baseline and row.

    Args:
        record: The start of the sweep.
        table: Its rows, in their order.
        draws: The images of their runs, drawn anew.
    """
    sweep = record.sweep
    names = [(each.better, worse) for each in sweep.comparisons for worse in each.worse]
    if sweep.baseline:
        names += [(sweep.baseline, name) for name in table.rows]
    pairs: dict[frozenset[str], tuple[str, str]] = {}
    for first, second in names:
        if first != second:
            pairs.setdefault(frozenset((first, second)), (first, second))
    over_splits = len(record.splits) > 1
    return [
        ComparedRows(
            table[first],
            table[second],
            measured_spread(table[first], table[second], draws, over_splits=over_splits),
        )
        for first, second in pairs.values()
    ]
