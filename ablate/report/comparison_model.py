"""Differences between rows and the claims about them, as values; percentage points."""

from typing import Literal

from ablate.spec import JUST_AHEAD, Frozen, MaskMetricName

NotReported = Literal["not reported"]

# What an interval accounts for: other trainings (seeds and splits) and other validation images;
# other trainings alone, where the images are not known; other images alone, where there is one
# training of each row.
Method = Literal["repeats and images", "repeats", "images"]


class Difference(Frozen):
    """MIoU, or a metric of masks, of one row minus that of another.

    Attributes:
        n: Number of repeats that both rows have results of; what is only evaluated has the same
            result for every seed of a split.
        mean: Over those repeats; None if there are none.
        low: Lower end of the 95 % interval of the mean, not adjusted for other comparisons; None
            where there is none.
        high: Upper end of it.
        method: What the interval accounts for; None where there is none.
        missing_reason: Why there is no mean; None if there is one.
        published: The difference of the printed values; None where one is not reported.
    """

    n: int
    mean: float | None
    low: float | None
    high: float | None
    method: Method | None = None
    missing_reason: str | None
    published: float | None


class DrawnImages(Frozen):
    """The validation images behind the intervals.

    Attributes:
        images: Their number; of the split with the fewest.
        with_positives: Those that show the positive class; of the split with the fewest.
        draws: How often images were drawn anew.
        runs_drawn: Runs whose images were drawn.
        runs_left_out: Runs whose images were not drawn, since there are so many; intervals on them
            account for other trainings alone.
    """

    images: int
    with_positives: int
    draws: int
    runs_drawn: int
    runs_left_out: int


class MaskDifferences(Frozen):
    """A metric of masks of each row minus that of the baseline; percentage points.

    Attributes:
        metric: Which.
        drawn_images: The images behind the intervals, of those that tell of the metric: with a
            boundary, with a small object; None where they were not drawn anew.
        rows: By the variant's name, without the baseline.
    """

    metric: MaskMetricName
    drawn_images: DrawnImages | None
    rows: dict[str, Difference]


class BestRow(Frozen):
    """The row with the highest MIoU, and whether it is the best.

    Attributes:
        name: The variant's name.
        comparisons: Number of the other rows that have a result, each compared at its share of
            the 5 % (Bonferroni).
        is_of_one_training: Whether some row has no two repeats in common with it, so that nothing
            tells which row is best.
        not_told_apart: The names of the rows that it cannot be told apart from.
    """

    name: str
    comparisons: int
    is_of_one_training: bool
    not_told_apart: tuple[str, ...]

    @property
    def is_decided(self) -> bool:
        """Whether it is better than every other row."""
        return not self.is_of_one_training and not self.not_told_apart


class VarianceSources(Frozen):
    """Where the spread of a value of one run comes from; variances, squared percentage points.

    Each is the mean over the rows whose runs tell it; None where those of no row do.

    Attributes:
        rows: Number of rows.
        seed: Of seeds: trainings on one split, beyond what the images explain.
        split: Of splits, beyond what seeds and images explain.
        split_and_seed: Of both, where every split has one seed.
        images: Of the validation images, drawn anew.
    """

    rows: int
    seed: float | None
    split: float | None
    split_and_seed: float | None
    images: float | None


class SpreadSources(Frozen):
    """Where the spread comes from.

    Attributes:
        miou: Of MIoU of one run.
        difference: Of a repeat's difference to the baseline; None without a baseline.
    """

    miou: VarianceSources
    difference: VarianceSources | None


PairVerdict = Literal["holds", "does not hold", "cannot tell"]


class Pair(Frozen):
    """Two rows that a claim sets against each other.

    Attributes:
        better: The label of the row that the claim puts ahead.
        worse: The label of the other.
        claimed: What is claimed of the difference, in points.
        difference: MIoU of the first minus that of the second.
        p: The smallest level at which the interval leaves out the boundary of what is claimed; None
            where there is none.
        p_adjusted: The same after Holm's adjustment over all pairs of the sweep's claims.
        verdict: What the adjusted interval decides.
    """

    better: str
    worse: str
    claimed: str = JUST_AHEAD
    difference: Difference
    p: float | None = None
    p_adjusted: float | None = None
    verdict: PairVerdict = "cannot tell"


class Claim(Frozen):
    """A sentence of the paper and what becomes of it.

    Attributes:
        claim: The sentence.
        pairs: What it compares.
        verdict: ``holds`` if all pairs do, ``does not hold`` if one does not.
        is_for_these_images: Whether the verdict rests on one training of some row, so that other
            trainings may give another.
        reproduced: The verdict in words, with the reason where it cannot be told.
        published: The verdict on the printed numbers as they are; None without them.
    """

    claim: str
    pairs: tuple[Pair, ...]
    verdict: PairVerdict = "cannot tell"
    is_for_these_images: bool = False
    reproduced: str
    published: Literal["holds", "does not hold"] | NotReported | None
