"""Where the spread of MIoU comes from: seeds, splits, validation images.

Seeds and splits are random effects of a one-way analysis of variance: a mean square is set equal to
what is expected of it (Searle, Casella and McCulloch 1992, Variance Components, section 3.6). The
images' part comes from drawing them anew. Estimates are means over the rows, since those of one row
rest on a few runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablate.report.comparison_model import SpreadSources, VarianceSources
from ablate.report.differences import own_values, paired_values
from ablate.report.images import ImageDraws
from ablate.report.paired import ImageErrors, Images, image_errors, mean_squares
from ablate.report.rows import RowRuns
from ablate.report.statistics import mean_of
from ablate.spec import Repeat


def spread_of(
    rows: Sequence[RowRuns], baseline: RowRuns | None, draws: ImageDraws
) -> SpreadSources | None:
    """The variances of MIoU, and of differences to the baseline.

    Args:
        rows: Of these, the trained ones with a result.
        baseline: The row that differences are taken to.
        draws: Of the images of their runs.

    Returns:
        None where no row has two repeats with a result.
    """
    trained = [row for row in rows if row.is_trained and row.percent("miou")]
    if not any(len(row.percent("miou")) > 1 for row in trained):
        return None
    differences = None
    if baseline is not None:
        others = [row for row in trained if row.name != baseline.name]
        differences = _mean([_sources(*paired_values(row, baseline, draws)) for row in others])
    return SpreadSources(
        miou=_mean([_sources(*own_values(row, draws)) for row in trained]),
        difference=differences,
    )


@dataclass(frozen=True)
class _Sources:
    """The estimates of one row; those of seed and split may be below 0."""

    seed: float | None
    split: float | None
    split_and_seed: float | None
    images: float | None


def _sources(values: Mapping[Repeat, float], images: Images | None) -> _Sources | None:
    """The estimates from the values of one row; None without a value."""
    if not values:
        return None
    errors = image_errors(list(values), images) if images else ImageErrors()
    squares = mean_squares(values)
    has_seeds, has_splits = squares.n > squares.splits, squares.splits > 1
    # What the images make of two trainings on one split alike is in no mean square within it.
    seed = squares.within - (errors.variance - errors.in_split) if has_seeds else None
    split = both = None
    if has_splits and has_seeds:
        split = squares.split_variance(errors)
    elif has_splits:
        both = squares.between - (errors.variance - errors.across)
    return _Sources(seed, split, both, errors.variance if images else None)


def _mean(sources: Sequence[_Sources | None]) -> VarianceSources:
    """The means over rows, not below 0."""
    known = [each for each in sources if each]

    def mean(values: Sequence[float | None]) -> float | None:
        mean = mean_of([value for value in values if value is not None])
        return None if mean is None else max(0.0, mean)

    seed, split = mean([each.seed for each in known]), mean([each.split for each in known])
    both = mean([each.split_and_seed for each in known])
    return VarianceSources(
        rows=len(known),
        seed=seed,
        split=split,
        split_and_seed=both if split is None else None,
        images=mean([each.images for each in known]),
    )
