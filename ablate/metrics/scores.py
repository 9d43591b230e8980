"""The paper's metrics, and those that its equations print, from one confusion matrix."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Confusion:
    """Pixels counted by ground truth and prediction.

    Attributes:
        tp: Positive, predicted as positive.
        fp: Background, predicted as positive.
        fn: Positive, predicted as background.
        tn: Background, predicted as background.
    """

    tp: int
    fp: int
    fn: int
    tn: int

    @classmethod
    def none(cls) -> "Confusion":
        """No pixels at all: the start of a sum."""
        return cls(0, 0, 0, 0)

    def __add__(self, other: "Confusion") -> "Confusion":
        """Pools the pixels of both."""
        return Confusion(
            self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn
        )


def scores(confusion: Confusion) -> dict[str, float]:
    """All metrics as fractions (0..1), by the names in ``ablate.spec.METRIC_NAMES``.

    ``precision`` and ``recall`` are means over the two classes and ``f1`` is the harmonic mean
    of these two: the convention behind every row of the paper's tables. The ``positive_``
    metrics are of the positive class alone, as in the paper's Eqs. 16-18. ``miou`` is the mean of
    both classes' IoU.

    A quotient 0/0 is 0, as with scikit-learn's ``zero_division=0``: also the precision of a
    class that is never predicted, and the IoU of one that is neither predicted nor in the ground
    truth.
    """
    tp, fp, fn, tn = confusion.tp, confusion.fp, confusion.fn, confusion.tn
    positive_precision, positive_recall = _ratio(tp, tp + fp), _ratio(tp, tp + fn)
    positive_iou = _ratio(tp, tp + fp + fn)
    precision = (positive_precision + _ratio(tn, tn + fn)) / 2
    recall = (positive_recall + _ratio(tn, tn + fp)) / 2
    return {
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


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _harmonic_mean(a: float, b: float) -> float:
    return _ratio(2 * a * b, a + b)
