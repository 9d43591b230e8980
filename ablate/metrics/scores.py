"""The paper's metrics, those that its equations print, and two of masks, from pooled counts."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Confusion:
    """Pixels counted by ground truth and prediction, and what masks tell besides.

    Attributes:
        tp: Positive, predicted as positive.
        fp: Background, predicted as positive.
        fn: Positive, predicted as background.
        tn: Background, predicted as background.
        boundary_both: Pixels in the boundary of ground truth and in that of the prediction; None:
            boundaries were not counted.
        boundary_any: Pixels in one of these boundaries or in both.
        small_found: Small objects of the ground truth that are found; None: they were not counted.
        small_all: All small objects of the ground truth.
    """

    tp: int
    fp: int
    fn: int
    tn: int
    boundary_both: int | None = None
    boundary_any: int | None = None
    small_found: int | None = None
    small_all: int | None = None

    @classmethod
    def none(cls) -> "Confusion":
        """No pixels at all: the start of a sum."""
        return cls(0, 0, 0, 0)

    @property
    def cells(self) -> dict[str, int]:
        """What was counted, by name, in the order of the attributes."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def __add__(self, other: "Confusion") -> "Confusion":
        """Pools the counts of both."""
        ours, theirs = self.cells, other.cells
        names = {**ours, **theirs}
        return Confusion(**{name: ours.get(name, 0) + theirs.get(name, 0) for name in names})


def scores(confusion: Confusion) -> dict[str, float]:
    """All metrics as fractions (0..1), by the names in ``ablate.spec``.

    ``precision`` and ``recall`` are means over the two classes and ``f1`` is the harmonic mean
    of these two: the convention behind every row of the paper's tables. The ``positive_``
    metrics are of the positive class alone, as in the paper's Eqs. 16-18. ``miou`` is the mean of
    both classes' IoU. ``boundary_iou`` and ``small_object_recall`` are there where they were
    counted (``ablate.metrics.masks``).

    A quotient 0/0 is 0, as with scikit-learn's ``zero_division=0``: also the precision of a
    class that is never predicted, and the IoU of one that is neither predicted nor in the ground
    truth.
    """
    tp, fp, fn, tn = confusion.tp, confusion.fp, confusion.fn, confusion.tn
    positive_precision, positive_recall = _ratio(tp, tp + fp), _ratio(tp, tp + fn)
    positive_iou = _ratio(tp, tp + fp + fn)
    precision = (positive_precision + _ratio(tn, tn + fn)) / 2
    recall = (positive_recall + _ratio(tn, tn + fp)) / 2
    found = {
        "precision": precision,
        "recall": recall,
        "f1": _harmonic_mean(precision, recall),
        "overall_accuracy": _ratio(tp + tn, tp + fp + fn + tn),
        "miou": (positive_iou + _ratio(tn, tn + fp + fn)) / 2,
        "positive_iou": positive_iou,
        "positive_precision": positive_precision,
        "positive_recall": positive_recall,
        "positive_f1": _harmonic_mean(positive_precision, positive_recall),
    }
    if confusion.boundary_both is not None:
        found["boundary_iou"] = _ratio(confusion.boundary_both, confusion.boundary_any or 0)
    if confusion.small_found is not None:
        found["small_object_recall"] = _ratio(confusion.small_found, confusion.small_all or 0)
    return found


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _harmonic_mean(a: float, b: float) -> float:
    return _ratio(2 * a * b, a + b)
