"""The mean of paired differences over repeats, and how far other trainings and images move it.

The model is that of studies in which several readers judge the same cases (Obuchowski and Rockette
1995, Communications in Statistics - Simulation and Computation 24, 285-308), with trainings for
readers and images for cases: the value of split s and seed i is

    d_si = mean + split_s + seed_si + image error_si,

where the image errors of repeats that share images vary together. The variance of the mean is a
sum: the splits' part and the seeds' part come from mean squares, as in a one-way analysis of
variance with random effects, the images' part from drawing images anew. Each part has its own
degrees of freedom; the interval's quantile is the mean of their Student quantiles, weighted by
variance (Cochran and Cox 1950, Experimental Designs, for the unequal variances of two means), which
simulation shows to cover from two repeats on: docs/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.report.comparison_model import Method
from ablate.report.images import covariance
from ablate.report.statistics import CONFIDENCE
from ablate.spec import Repeat

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# Points: what the rounding of binary fractions makes of nothing.
_NOTHING = 1e-9
# Smaller probabilities are not told apart.
_SMALLEST_P = 1e-9


@dataclass(frozen=True)
class Part:
    """One part of the variance of a mean.

    Attributes:
        variance: Squared percentage points.
        degrees: Degrees of freedom of its estimate.
    """

    variance: float
    degrees: float


@dataclass(frozen=True)
class Images:
    """The images that repeats were validated on.

    Attributes:
        number: Of the repeat with the fewest.
        deviations: Of the value, over draws of images, by repeat; shape B each.
    """

    number: int
    deviations: Mapping[Repeat, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class PairedMean:
    """A mean over repeats with the parts of its variance.

    Attributes:
        n: Number of repeats.
        mean: Percentage points.
        method: What the interval accounts for; None where there is none.
        parts: Of the variance of the mean; none where there is no method.
    """

    n: int
    mean: float
    method: Method | None
    parts: tuple[Part, ...]

    @property
    def standard_error(self) -> float:
        """Of the mean; percentage points."""
        return math.sqrt(sum(part.variance for part in self.parts))

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float] | None:
        """Where the mean lies, with this confidence; None where there is no method."""
        if self.method is None:
            return None
        half = self.quantile(1 - confidence) * self.standard_error
        return self.mean - half, self.mean + half

    def p_value(self, boundary: float = 0) -> float | None:
        """The smallest level at which the two-sided interval leaves out a value.

        Args:
            boundary: The value; percentage points.

        Returns:
            None where there is no method.
        """
        if self.method is None:
            return None
        distance, error = abs(self.mean - boundary), self.standard_error
        if distance < _NOTHING:
            return 1.0
        if error < _NOTHING:
            return 0.0
        low, high = math.log(_SMALLEST_P), 0.0
        for _ in range(40):
            middle = (low + high) / 2
            if self.quantile(math.exp(middle)) > distance / error:
                low = middle
            else:
                high = middle
        return math.exp(high)

    def quantile(self, level: float) -> float:
        """Of the two-sided interval: by variance the mean of Student's t quantiles."""
        from scipy.special import stdtrit

        total = sum(part.variance for part in self.parts)
        if not total:
            return 0.0
        quantiles = [
            part.variance * float(stdtrit(part.degrees, 1 - level / 2)) for part in self.parts
        ]
        return sum(quantiles) / total


def paired_mean(values: Mapping[Repeat, float], images: Images | None) -> PairedMean | None:
    """The mean of values over repeats.

    Args:
        values: Differences between two rows, by repeat; percentage points.
        images: What drawing images anew does to them; None where that is not known for all.

    Returns:
        None without a value.
    """
    if not values:
        return None
    n, mean = len(values), math.fsum(values.values()) / len(values)
    shared = image_errors(list(values), images) if images else ImageErrors()
    if n == 1:
        parts = [Part(shared.variance, images.number - 1)] if images else []
        return PairedMean(n, mean, "images" if images else None, tuple(parts))
    squares = mean_squares(values)
    same = squares.same_split_share
    parts = []
    if n > squares.splits:
        # Images alone set the seeds apart by this much: seeds that agree more do so by chance.
        seeds = max(squares.within, shared.variance - shared.in_split)
        parts.append(Part(seeds / n, n - squares.splits))
    if squares.splits > 1:
        parts.append(squares.of_splits(shared))
    if images:
        error = same * shared.in_split + (1 - same) * shared.across
        parts.append(Part(error, images.number - 1))
    return PairedMean(n, mean, "repeats and images" if images else "repeats", tuple(parts))


@dataclass(frozen=True)
class ImageErrors:
    """How errors that come from the images vary; squared percentage points.

    Attributes:
        variance: Of one repeat's error.
        in_split: The covariance of two repeats on one split.
        across: The covariance of two repeats on different splits.
    """

    variance: float = 0.0
    in_split: float = 0.0
    across: float = 0.0


def image_errors(repeats: list[Repeat], images: Images) -> ImageErrors:
    """The means of variances and covariances over repeats and pairs of repeats."""
    import numpy as np

    shared = covariance([images.deviations[repeat] for repeat in repeats])
    split = np.array([repeat.split for repeat in repeats])
    is_same_split = split[:, None] == split
    is_other_repeat = ~np.eye(len(repeats), dtype=bool)

    def mean(which: npt.NDArray[np.bool_], without: float) -> float:
        return max(0.0, float(shared[which].mean())) if which.any() else without

    across = mean(~is_same_split, 0.0)
    in_split = mean(is_same_split & is_other_repeat, across)
    # Two splits cannot share more than one split does.
    return ImageErrors(mean(~is_other_repeat, 0.0), in_split, min(across, in_split))


@dataclass(frozen=True)
class MeanSquares:
    """A one-way analysis of variance, by split.

    Attributes:
        n: Number of values.
        splits: Number of splits.
        within: Mean square of values around the mean of their split; 0 where each has one.
        between: Mean square of the splits' means around the mean; 0 with one split.
        per_split: Values of a split, as the expected mean square between splits counts them.
        same_split_share: How often two values, drawn with replacement, are of one split.
    """

    n: int
    splits: int
    within: float
    between: float
    per_split: float
    same_split_share: float

    def of_splits(self, shared: ImageErrors) -> Part:
        """The splits' part of the variance of the mean, with at least two splits.

        What seeds and images make of the splits' means is taken off, since it is in parts of its
        own; where every split has one value, seeds and splits cannot be told apart.
        """
        if self.n == self.splits:
            splits = max(self.between, shared.variance - shared.across)
            return Part(splits / self.n, self.splits - 1)
        own = max(0.0, self.split_variance(shared))
        return Part(own * self.same_split_share, self.splits - 1)

    def split_variance(self, shared: ImageErrors) -> float:
        """What splits add to the variance of one value, with several splits and seeds.

        Without bias, so that it may be below 0.
        """
        own = (self.between - self.within) / self.per_split
        return own - (shared.in_split - shared.across)


def mean_squares(values: Mapping[Repeat, float]) -> MeanSquares:
    """The analysis of variance of at least one value."""
    by_split: dict[int, list[float]] = {}
    for repeat, value in values.items():
        by_split.setdefault(repeat.split, []).append(value)
    n, splits = len(values), len(by_split)
    mean = math.fsum(values.values()) / n
    means = {split: math.fsum(each) / len(each) for split, each in by_split.items()}
    within = math.fsum((value - means[repeat.split]) ** 2 for repeat, value in values.items())
    between = math.fsum(len(each) * (means[s] - mean) ** 2 for s, each in by_split.items())
    squares = sum(len(each) ** 2 for each in by_split.values())
    return MeanSquares(
        n=n,
        splits=splits,
        within=within / (n - splits) if n > splits else 0.0,
        between=between / (splits - 1) if splits > 1 else 0.0,
        per_split=(n - squares / n) / (splits - 1) if splits > 1 else float(n),
        same_split_share=squares / n**2,
    )
