"""What the printed scores say of themselves: which convention they follow, and on how many pixels.

Six figures are printed for each row, and a confusion matrix in fractions has three unknowns. OA
gives fp + fn = 1 - OA, the positive class's IoU then gives tp, REC splits fp from fn; P, MIoU and
F1 are left over to check the result with.
"""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from ablate.metrics import Confusion, scores
from ablate.report.model import ShareRange
from ablate.report.published import METRICS_OF, Convention, ScoreRow, ScoreTable
from ablate.spec import Frozen

# Half a unit of the last decimal for F1's own rounding, a tenth for that of P and REC.
_F1_TOLERANCE = 0.6
# Fractions become whole pixels, so that the check runs on the very function that scores models.
_PIXELS = 10**12


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
        conventions: The conventions of P and REC that fit all printed figures.
        agrees: Whether F1 agrees and the table's own convention, and no other, fits.
        positive_share: Positive pixels among all; None if the table's convention gives none.
        positive_share_range: What rounding leaves of it.
        positive_precision: P of the positive class alone.
        positive_recall: REC of the positive class alone.
        positive_f1: F1 of the positive class alone.
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
    positive_share_range: ShareRange | None
    positive_precision: float | None
    positive_recall: float | None
    positive_f1: float | None


class _Figures(NamedTuple):
    """The printed values of a row that can be recomputed."""

    precision: str
    recall: str
    f1: str
    overall_accuracy: str
    miou: str
    positive_iou: str


def check_table(table: ScoreTable) -> list[RowCheck]:
    """Recomputes every row of a published table that prints all six figures."""
    figures = {name: _figures(row, table.convention) for name, row in table.rows.items()}
    complete = {name: each for name, each in figures.items() if each is not None}
    if not complete:
        return []
    # The longest value tells the unit: some tables drop zeros at the end.
    values = itertools.chain.from_iterable(complete.values())
    unit = 10.0 ** -max(len(value.partition(".")[2]) for value in values)
    return [_check(table, name, each, unit) for name, each in complete.items()]


def common_share(checks: Sequence[RowCheck]) -> ShareRange | None:
    """The positive shares that every row allows; None if there are none."""
    ranges = [check.positive_share_range for check in checks]
    known = [each for each in ranges if each is not None]
    if not known or len(known) < len(ranges):
        return None
    low, high = max(each.low for each in known), min(each.high for each in known)
    return ShareRange(low=low, high=high) if low <= high else None


def share_of(pixels: Confusion) -> float:
    """Positive pixels among all, in percent; 0 of no pixels."""
    everything = pixels.tp + pixels.fp + pixels.fn + pixels.tn
    return 100 * (pixels.tp + pixels.fn) / everything if everything else 0.0


def implied_confusion(
    overall_accuracy: float, positive_iou: float, recall: float, convention: Convention
) -> Confusion | None:
    """The confusion matrix behind three printed figures, scaled to 10^12 pixels.

    Args:
        overall_accuracy: OA, as a fraction.
        positive_iou: IoU of the positive class, as a fraction.
        recall: REC, as a fraction.
        convention: What REC means.

    Returns:
        None if no matrix, or not just one, has these figures.
    """
    wrong = 1 - overall_accuracy
    if wrong <= 0 or not 0 < positive_iou < 1 or not 0 < recall <= 1:
        return None
    tp = wrong * positive_iou / (1 - positive_iou)
    if tp + wrong > 1:
        return None
    share = (
        tp / recall if convention == "positive-class" else _share_by_mean_recall(tp, wrong, recall)
    )
    if share is None:
        return None
    hits, alarms, misses = (round(_PIXELS * part) for part in (tp, tp + wrong - share, share - tp))
    if alarms < 0 or misses < 0:
        return None
    return Confusion(hits, alarms, misses, _PIXELS - hits - alarms - misses)


def _share_by_mean_recall(tp: float, wrong: float, recall: float) -> float | None:
    """The share p of positive pixels for which the mean of the two classes' recalls is ``recall``.

    2·recall = tp/p + tn/(1 - p) is a quadratic in p, and errors are false alarms or misses, so
    tp <= p <= tp + wrong.
    """
    tn = 1 - tp - wrong
    linear = 2 * recall + tp - tn
    discriminant = linear**2 - 8 * recall * tp
    if discriminant < 0 or linear <= 0:
        return None
    root = math.sqrt(discriminant)
    # Without the cancellation of linear - root.
    smaller, larger = 2 * tp / (linear + root), (linear + root) / (4 * recall)
    # Between the two roots the mean recall is below the printed one: a matrix at the larger one
    # would be as good.
    return smaller if larger >= tp + wrong else None


def _check(table: ScoreTable, name: str, row: _Figures, unit: float) -> RowCheck:
    precision, recall = float(row.precision), float(row.recall)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    f1_agrees = abs(f1 - float(row.f1)) <= _F1_TOLERANCE * unit
    fitting = tuple(each for each in METRICS_OF if _fits(row, unit, each))
    solved = _solutions(row, unit, table.convention)
    shares = [share_of(each) for each in solved]
    centre = _solve(row, (0.0, 0.0, 0.0), table.convention)
    alone = scores(centre) if centre else {}
    return RowCheck(
        table=table.source.table,
        name=name,
        label=table.rows[name].label,
        data=table.data,
        f1_printed=row.f1,
        f1_recomputed=f1,
        f1_agrees=f1_agrees,
        conventions=fitting,
        agrees=f1_agrees and fitting == (table.convention,),
        positive_share=share_of(centre) if centre else None,
        positive_share_range=ShareRange(low=min(shares), high=max(shares)) if shares else None,
        positive_precision=_percent(alone, "positive_precision"),
        positive_recall=_percent(alone, "positive_recall"),
        positive_f1=_percent(alone, "positive_f1"),
    )


def _percent(metrics: dict[str, float], name: str) -> float | None:
    return 100 * metrics[name] if name in metrics else None


def _figures(row: ScoreRow, convention: Convention) -> _Figures | None:
    """The six figures of a row; None if it does not print all of them."""
    names = (*METRICS_OF[convention], "overall_accuracy", "miou", "positive_iou")
    values = [row.values[name] for name in names if name in row.values]
    return _Figures(*values) if len(values) == len(names) else None


def _fits(row: _Figures, unit: float, convention: Convention) -> bool:
    """Whether what rounding leaves of OA, IoU and REC can give the printed P and MIoU."""
    solved = [scores(each) for each in _solutions(row, unit, convention)]
    precision, _, _ = METRICS_OF[convention]
    leftover = {precision: row.precision, "miou": row.miou}
    for metric, printed in leftover.items():
        values = [100 * each[metric] for each in solved]
        if not values:
            return False
        if not min(values) - unit / 2 <= float(printed) <= max(values) + unit / 2:
            return False
    return True


def _solutions(row: _Figures, unit: float, convention: Convention) -> list[Confusion]:
    """The matrices at the corners of what was rounded to the printed OA, IoU and REC."""
    ends = (-unit / 2, unit / 2)
    corners = itertools.product(ends, ends, ends)
    solved = [_solve(row, corner, convention) for corner in corners]
    return [each for each in solved if each is not None]


def _solve(
    row: _Figures, shift: tuple[float, float, float], convention: Convention
) -> Confusion | None:
    return implied_confusion(
        (float(row.overall_accuracy) + shift[0]) / 100,
        (float(row.positive_iou) + shift[1]) / 100,
        (float(row.recall) + shift[2]) / 100,
        convention,
    )
