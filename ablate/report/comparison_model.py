"""Differences between rows and the claims about them, as values; percentage points of MIoU."""

from typing import Literal

from ablate.spec import Frozen

NotReported = Literal["not reported"]

# What an interval accounts for: other trainings (seeds and splits) and other validation images;
# other trainings alone, where the images are not known; other images alone, where there is one
# training of each row.
Method = Literal["repeats and images", "repeats", "images"]


class Difference(Frozen):
    """MIoU of one row minus that of another.

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
        runs_left_out: Runs whose images were not drawn, since there are so many; intervals on them
            account for other trainings alone.
    """

    images: int
    with_positives: int
    draws: int
    runs_left_out: int


PairVerdict = Literal["holds", "does not hold", "cannot tell"]


class Pair(Frozen):
    """Two rows that a claim sets against each other.

    Attributes:
        better: The label of the row that the claim puts ahead.
        worse: The label of the other.
        difference: MIoU of the first minus that of the second.
        p: The smallest level at which the interval decides; None where there is none.
        p_adjusted: The same after Holm's adjustment over all pairs of the sweep's claims.
        verdict: What the adjusted interval decides.
    """

    better: str
    worse: str
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
