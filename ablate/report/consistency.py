"""What the printed scores say of themselves: which convention they follow, and on how many pixels.

Six figures are printed for each row, and a confusion matrix in fractions has three unknowns. OA
gives fp + fn = 1 - OA, the landslide IoU then gives tp, REC splits fp from fn; P, MIoU and F1 are
left over to check the result with.
"""

import itertools
from collections.abc import Sequence
from typing import Literal

from ablate.metrics import Confusion, scores
from ablate.report.model import ShareRange
from ablate.report.published import ScoreRow, ScoreTable
from ablate.spec import Frozen

Convention = Literal["class-means", "landslide"]

# How the metrics of each reading begin in ablate.metrics.
_PREFIXES: dict[Convention, str] = {"class-means": "", "landslide": "landslide_"}
# Half a unit of the last decimal for F1's own rounding, a tenth for that of P and REC.
_F1_TOLERANCE = 0.6
# Fractions become whole pixels, so that the check runs on the very function that scores models.
_PIXELS = 10**12
_HALVINGS = 45


class RowCheck(Frozen):
    """One printed row, recomputed; percent.

    Attributes:
        table: The paper's number of the table.
        name: Variant or system.
        label: The paper's name of the model.
        data: The data set that was scored.
        f1_printed: F1 as printed.
        f1_recomputed: The harmonic mean of the printed P and REC.
        f1_agrees: Whether the two differ by no more than rounding.
        conventions: The readings of P and REC that fit all printed figures: ``class-means`` or
            ``landslide`` (the landslide class alone, Eqs. 16-18).
        agrees: Whether F1 agrees and the table's own convention, and no other, fits.
        positive_share: Landslide pixels among all; None if the table's convention gives none.
        landslide_share_range: What rounding leaves of it.
        positive_precision: P of the landslide class alone.
        positive_recall: REC of the landslide class alone.
        positive_f1: F1 of the landslide class alone.
    """

    table: str
    name: str
    label: str
    data: str
    f1_printed: str
    f1_recomputed: float
    f1_agrees: bool
    conventions: tuple[Convention, ...]
    agrees: bool
    positive_share: float | None
    landslide_share_range: ShareRange | None
    positive_precision: float | None
    positive_recall: float | None
    positive_f1: float | None


def check_table(table: ScoreTable) -> list[RowCheck]:
    """Recomputes every row of a published table."""
    # The longest value tells the unit: some tables drop zeros at the end.
    unit = 10.0 ** -max(
        len(value.partition(".")[2]) for row in table.rows.values() for value in _figures(row)
    )
    return [_check(table, name, row, unit) for name, row in table.rows.items()]


def common_share(checks: Sequence[RowCheck]) -> ShareRange | None:
    """The landslide shares that every row allows; None if there are none."""
    ranges = [check.landslide_share_range for check in checks]
    known = [each for each in ranges if each is not None]
    if not known or len(known) < len(ranges):
        return None
    low, high = max(each.low for each in known), min(each.high for each in known)
    return ShareRange(low=low, high=high) if low <= high else None


def share_of(pixels: Confusion) -> float:
    """Landslide pixels among all, in percent; 0 of no pixels."""
    everything = pixels.tp + pixels.fp + pixels.fn + pixels.tn
    return 100 * (pixels.tp + pixels.fn) / everything if everything else 0.0


def implied_confusion(
    overall_accuracy: float, positive_iou: float, recall: float, convention: Convention
) -> Confusion | None:
    """The confusion matrix behind three printed figures, scaled to 10^12 pixels.

    Args:
        overall_accuracy: OA, as a fraction.
        positive_iou: IoU of the landslide class, as a fraction.
        recall: REC, as a fraction.
        convention: What REC means.

    Returns:
        None if no matrix has these figures.
    """
    wrong = 1 - overall_accuracy
    if wrong <= 0 or not 0 < positive_iou < 1:
        return None
    tp = wrong * positive_iou / (1 - positive_iou)
    if tp + wrong > 1:
        return None

    def at(fn: float) -> Confusion:
        hits, alarms, misses = (round(_PIXELS * part) for part in (tp, wrong - fn, fn))
        return Confusion(hits, alarms, misses, _PIXELS - hits - alarms - misses)

    def recall_at(fn: float) -> float:
        return scores(at(fn))[f"{_PREFIXES[convention]}recall"]

    # REC falls as errors move from false alarms to misses, as long as landslide is the rarer class.
    low, high = 0.0, wrong
    if not recall_at(high) <= recall <= recall_at(low):
        return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if recall_at(middle) > recall:
            low = middle
        else:
            high = middle
    return at((low + high) / 2)


def _check(table: ScoreTable, name: str, row: ScoreRow, unit: float) -> RowCheck:
    precision, recall = float(row.precision), float(row.recall)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    f1_agrees = abs(f1 - float(row.f1)) <= _F1_TOLERANCE * unit
    fitting = tuple(each for each in _PREFIXES if _fits(row, unit, each))
    solved = _solutions(row, unit, table.convention)
    shares = [share_of(each) for each in solved]
    centre = _solve(row, (0.0, 0.0, 0.0), table.convention)
    alone = scores(centre) if centre else {}
    return RowCheck(
        table=table.source.table,
        name=name,
        label=row.label,
        data=table.data,
        f1_printed=row.f1,
        f1_recomputed=f1,
        f1_agrees=f1_agrees,
        conventions=fitting,
        agrees=f1_agrees and fitting == (table.convention,),
        positive_share=share_of(centre) if centre else None,
        landslide_share_range=ShareRange(low=min(shares), high=max(shares)) if shares else None,
        positive_precision=_percent(alone, "positive_precision"),
        positive_recall=_percent(alone, "positive_recall"),
        positive_f1=_percent(alone, "positive_f1"),
    )


def _percent(metrics: dict[str, float], name: str) -> float | None:
    return 100 * metrics[name] if name in metrics else None


def _figures(row: ScoreRow) -> tuple[str, ...]:
    return (
        row.precision,
        row.recall,
        row.f1,
        row.overall_accuracy,
        row.miou,
        row.positive_iou,
    )


def _fits(row: ScoreRow, unit: float, convention: Convention) -> bool:
    """Whether what rounding leaves of OA, Landslide-IoU and REC can give the printed P and MIoU."""
    solved = [scores(each) for each in _solutions(row, unit, convention)]
    leftover = {f"{_PREFIXES[convention]}precision": row.precision, "miou": row.miou}
    for metric, printed in leftover.items():
        values = [100 * each[metric] for each in solved]
        if not values:
            return False
        if not min(values) - unit / 2 <= float(printed) <= max(values) + unit / 2:
            return False
    return True


def _solutions(row: ScoreRow, unit: float, convention: Convention) -> list[Confusion]:
    """The matrices at the corners of what was rounded to the printed OA, Landslide-IoU and REC."""
    ends = (-unit / 2, unit / 2)
    corners = itertools.product(ends, ends, ends)
    solved = [_solve(row, corner, convention) for corner in corners]
    return [each for each in solved if each is not None]


def _solve(
    row: ScoreRow, shift: tuple[float, float, float], convention: Convention
) -> Confusion | None:
    return implied_confusion(
        (float(row.overall_accuracy) + shift[0]) / 100,
        (float(row.positive_iou) + shift[1]) / 100,
        (float(row.recall) + shift[2]) / 100,
        convention,
    )
