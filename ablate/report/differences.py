"""A metric of one row minus that of another, paired by repeat and by image: MIoU, or of masks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from ablate.report.comparison_model import Difference
from ablate.report.images import QUOTIENTS, DrawnMetric, ImageDraws, draw_images
from ablate.report.paired import Images, PairedMean, paired_mean
from ablate.report.power import NOTHING
from ablate.report.rows import RowRuns
from ablate.spec import Repeat, Sweep

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Compared:
    """Two rows set against each other.

    Attributes:
        difference: As the report shows it.
        paired: What decides about it; None without a repeat in common.
    """

    difference: Difference
    paired: PairedMean | None


def draw_images_of(
    rows: Mapping[str, RowRuns], sweep: Sweep, metric: DrawnMetric = "miou"
) -> ImageDraws:
    """Draws the images of all runs anew; where there are too many, not those of all rows.

    The rows of the sweep's claims come first, then its baseline.

    Args:
        rows: By name.
        sweep: With the claims and the baseline.
        metric: What is computed of the images.
    """
    claimed = [name for each in sweep.comparisons for name in (each.better, *each.worse)]
    order = dict.fromkeys([*claimed, *([sweep.baseline] if sweep.baseline else []), *rows])
    runs = (run for name in order if name in rows for run in rows[name].runs)
    return draw_images(runs, metric)


def compare(of: RowRuns, to: RowRuns, draws: ImageDraws) -> Compared:
    """The metric of the draws of one row minus that of another.

    Args:
        of: The one row.
        to: The other.
        draws: Of the images of their runs.
    """
    paired, images = paired_values(of, to, draws)
    mean = paired_mean(paired, images)
    # Rows that find the very same objects in all trainings show no spread to tell anything by.
    is_told = mean is not None and (draws.metric == "miou" or mean.standard_error > NOTHING)
    low, high = (mean.interval() if mean and is_told else None) or (None, None)
    ours, theirs = (
        row.printed.values.get(draws.metric) if row.printed else None for row in (of, to)
    )
    difference = Difference(
        n=len(paired),
        mean=mean.mean if mean else None,
        low=low,
        high=high,
        method=mean.method if mean and is_told else None,
        missing_reason=None if paired else _reason_of_none(of, to, draws.metric),
        # In decimals: 88.1 - 73.3 is to be 14.8.
        published=float(Decimal(ours) - Decimal(theirs)) if ours and theirs else None,
    )
    return Compared(difference, mean)


def paired_values(
    of: RowRuns, to: RowRuns, draws: ImageDraws
) -> tuple[dict[Repeat, float], Images | None]:
    """The metric of one row minus that of another by repeat, and what drawing images anew does."""
    first, second = by_repeat(_counted(of, draws.metric), _counted(to, draws.metric), of, to)
    paired = {repeat: first[repeat] - second[repeat] for repeat in first if repeat in second}
    return paired, _images_of(of, to, paired, draws)


def _counted(row: RowRuns, metric: DrawnMetric) -> dict[Repeat, float]:
    """A metric by repeat, without what is 0/0."""
    values = row.percent(metric)
    if metric not in QUOTIENTS:
        return values
    divisor = QUOTIENTS[metric][1]
    counts = {
        run.run.repeat: run.finished.result.confusion.get(divisor, 0)
        for run in row.runs
        if run.finished
    }
    return {repeat: value for repeat, value in values.items() if counts[repeat]}


def _reason_of_none(of: RowRuns, to: RowRuns, metric: DrawnMetric) -> str:
    first, second = by_repeat(of.percent(metric), to.percent(metric), of, to)
    if metric in QUOTIENTS and first.keys() & second.keys():
        return "nothing to count"
    return reason_of(of, to)


def own_values(row: RowRuns, draws: ImageDraws) -> tuple[dict[Repeat, float], Images | None]:
    """MIoU of a row by repeat, and what drawing images anew does to it."""
    values, keys = row.percent("miou"), drawn_keys(row, draws)
    if not values or values.keys() - keys.keys():
        return values, None
    number = min(draws.images[keys[repeat]] for repeat in values)
    return values, Images(number, {repeat: draws.deviations[keys[repeat]] for repeat in values})


def _images_of(
    of: RowRuns, to: RowRuns, repeats: Iterable[Repeat], draws: ImageDraws
) -> Images | None:
    """What drawing images anew does to the differences; None where it is not known for all."""
    first, second = by_repeat(drawn_keys(of, draws), drawn_keys(to, draws), of, to)
    deviations, numbers = {}, []
    for repeat in repeats:
        if repeat not in first or repeat not in second:
            return None
        one, other = first[repeat], second[repeat]
        if draws.confusions[one].names != draws.confusions[other].names:
            return None
        deviations[repeat] = draws.deviations[one] - draws.deviations[other]
        numbers.append(min(draws.images[one], draws.images[other]))
    return Images(min(numbers), deviations) if numbers else None


def drawn_keys(row: RowRuns, draws: ImageDraws) -> dict[Repeat, str]:
    """The keys of the runs whose images were drawn, by repeat."""
    return {run.run.repeat: run.run.key for run in row.runs if run.run.key in draws.deviations}


def by_repeat(
    first: Mapping[Repeat, _Value], second: Mapping[Repeat, _Value], of: RowRuns, to: RowRuns
) -> tuple[Mapping[Repeat, _Value], Mapping[Repeat, _Value]]:
    """Both sides by repeat: what is only evaluated is paired with every seed of its split.

    Args:
        first: Something of the runs of ``of``.
        second: The same of those of ``to``.
        of: The one row.
        to: The other.
    """
    if not of.is_trained and to.is_trained:
        first = _for_every_seed(first, second)
    if not to.is_trained:
        second = _for_every_seed(second, first)
    return first, second


def _for_every_seed(
    evaluated: Mapping[Repeat, _Value], repeats: Iterable[Repeat]
) -> dict[Repeat, _Value]:
    by_split = {repeat.split: value for repeat, value in evaluated.items()}
    return {repeat: by_split[repeat.split] for repeat in repeats if repeat.split in by_split}


def reason_of(*rows: RowRuns) -> str:
    """Why rows have no repeat in common."""
    for row in rows:
        if row.missing_reason:
            return f"{row.label} {row.missing_reason}"
    return "no repeat in common"
