"""Differences between rows and the claims about them, as values; percentage points of MIoU."""

from typing import Literal

from ablate.spec import Frozen

NotReported = Literal["not reported"]


class Difference(Frozen):
    """MIoU of one row minus that of another.

    Attributes:
        n: Number of repeats that both rows have results of; what is only evaluated has the same
            result for every seed of a split.
        mean: Over those repeats; None if there are none.
        low: Lower end of the 95 % interval of the mean; None below two repeats.
        high: Upper end of it.
        missing_reason: Why there is no mean; None if there is one.
        published: The difference of the printed values; None where one is not reported.
    """

    n: int
    mean: float | None
    low: float | None
    high: float | None
    missing_reason: str | None
    published: float | None


class Pair(Frozen):
    """Two rows that a claim sets against each other."""

    better: str
    worse: str
    difference: Difference


class Claim(Frozen):
    """A sentence of the paper and what becomes of it.

    Attributes:
        claim: The sentence.
        pairs: What it compares.
        reproduced: ``holds``, ``does not hold``, or ``cannot tell`` with the reason.
        published: The verdict on the printed numbers as they are; None without them.
    """

    claim: str
    pairs: tuple[Pair, ...]
    reproduced: str
    published: Literal["holds", "does not hold"] | NotReported | None
